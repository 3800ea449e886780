"""Inputs that are lists of tensors, as their annotation or their use says."""

from __future__ import annotations

import ast

from convlint.source_text.list_uses import used_as_lists
from convlint.static.domain.objects import Function, Instance
from convlint.static.domain.values import Tensor
from convlint.static.interpreter import Interpreter, lengths
from convlint.static.program.parse import cached, walk


def is_list(forward: Function, parameter: ast.arg) -> bool:
    """Return whether an input of a ``forward`` is a list or tuple of tensors."""
    if parameter.annotation is not None:
        return _annotated(parameter.annotation) is not None
    return parameter.arg in cached(forward.node, "lists", lambda: used_as_lists(walk(forward.node)))


def tensors(interpreter: Interpreter, module: Instance, forward: Function, parameter: ast.arg) -> list[Tensor]:
    """Return the tensors of an input that is a list: as many as the code reads, or as the module has parts for them."""
    execution = interpreter.execution
    count = _annotated(parameter.annotation) if parameter.annotation is not None else 0
    if not count:
        written = lengths(forward.node).get(parameter.arg, 0)
        lists = [len(list(each.children())) for _, each in module.children() if each.kind == "ModuleList"]
        count = max(written, *lists, 0) + execution.count - _USUAL if lists else max(written, execution.count)
        execution.has_settled = execution.has_open_inputs = True
    emit = execution.emit
    return [emit("input", [], [None], {"part": str(position)})[0] for position in range(min(count, _MOST))]


_MOST = 16
_USUAL = 2  # ``Knowledge.count`` of the first execution


def _annotated(annotation: ast.expr) -> int | None:
    """Return the length of an annotated list of tensors, 0 if it may be any; None if the annotation says otherwise."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
    match annotation:
        case ast.Subscript(value=kind, slice=ast.Tuple(elts=parts)) if _last(kind) in ("Tuple", "tuple"):
            kept = [part for part in parts if not (isinstance(part, ast.Constant) and part.value is ...)]
            return (len(kept) if len(kept) == len(parts) else 0) if all(map(_is_tensor, kept)) else None
        case ast.Subscript(value=kind, slice=item) if _last(kind) in _LISTS and _is_tensor(item):
            return 0
    return None


_LISTS = frozenset({"List", "list", "Sequence", "Iterable", "Tuple", "tuple"})


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_tensor(node: ast.expr) -> bool:
    return _last(node) in ("Tensor", "FloatTensor")
