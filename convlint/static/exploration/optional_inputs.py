"""Optional inputs that an entry point is called without."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from convlint.static.domain.objects import Function
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.interpreter import Interpreter
from convlint.static.program.parse import positional, walk


def optional(
    interpreter: Interpreter, function: Function, values: Mapping[str, Value], is_placeholder: Callable[[Value], bool]
) -> dict[str, Value]:
    """Return UNKNOWN for parameters whose default may be a placeholder, if all inputs are to be passed.

    A function that replaces an input that was left out works without it, and so does one that can be called without
    arguments for an object that may be None, as it declares.
    """
    names = [name for name, value in values.items() if is_placeholder(value) and not _may_be_none(function, name)]
    if names and not interpreter.pass_all_inputs:
        if not all(_is_replaced(function.node, name) for name in names):
            interpreter.left_out_inputs = True
        interpreter.left_out_lists |= not _iterated(function.node).isdisjoint(names)
        return {}
    return dict.fromkeys(names, UNKNOWN)


_OF_LAYERS = ("Tensor", "int", "float", "Module", "Callable", "Sequence", "Iterable", "list", "tuple", "dict", "type")


def _may_be_none(function: Function, name: str) -> bool:
    """Return whether a function without required parameters declares that an object may be None: ``weights``.

    A number, a tensor or a part of a model may still be required.
    """
    parameters = function.node.args
    every = [*positional(parameters), *parameters.kwonlyargs]
    annotation = next((each.annotation for each in every if each.arg == name), None)
    if annotation is None or any(each.arg not in function.defaults for each in every):
        return False
    text = ast.unparse(annotation)
    is_optional = text.startswith("Optional[") or text.endswith("| None")
    return is_optional and not any(word.lower() in text.lower().removeprefix("optional") for word in _OF_LAYERS)


def _is_replaced(node: ast.AST, name: str) -> bool:
    """Return whether a function makes a tensor for a parameter that is None: ``if t is None: t = torch.zeros(n)``."""
    for statement in getattr(node, "body", ()):
        match statement:
            case ast.If(
                test=ast.Compare(left=ast.Name(id=tested), ops=[ast.Is()], comparators=[ast.Constant(value=None)]),
                body=[ast.Assign(targets=[ast.Name(id=assigned)], value=ast.Call(func=made))],
                orelse=[],
            ) if tested == assigned == name and ast.unparse(made).startswith("torch."):
                return True
    return False


def _iterated(node: ast.AST) -> set[str]:
    """Return the names that a function unpacks or loops over."""
    parts = (
        part.value if isinstance(part, ast.Starred) else part.iter
        for part in walk(node)
        if isinstance(part, ast.Starred | ast.For | ast.comprehension)
    )
    return {part.id for part in parts if isinstance(part, ast.Name)}
