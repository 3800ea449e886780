"""The parts by which ``forward`` reads an input that is a dict or a list, as its text says."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from convlint.source_text.list_uses import used_as_lists

_FEWEST = 2  # items of a list of which the text says no length


def read_parts(model: nn.Module, names: Sequence[str]) -> list[str]:
    """The parts by which ``forward`` reads its inputs, as in ``batch["image"]``: ``batch.image``."""
    tree = _forward(model)
    found = {
        name: (node.lineno, node.col_offset)
        for node in ast.walk(tree)
        if isinstance(node, ast.expr | ast.Assign)
        for name in _parts(node)
        if name.partition(".")[0] in names
    }
    if all(name.endswith(".0") for name in found):  # a tensor has a first item as well
        return []
    return [name for name in sorted(found, key=found.__getitem__) if not any(n.startswith(f"{name}.") for n in found)]


def list_items(model: nn.Module, name: str) -> list[str]:
    """The items of an input that ``forward`` reads by their position and nowhere as a tensor: ``maps.0``, ``maps.1``.

    Empty for an input that is not such a list. A loop over a tensor is one over its samples.
    """
    nodes = list(ast.walk(_forward(model)))
    if name not in used_as_lists(nodes):
        return []
    count = max([_count(model, node, name) for node in nodes], default=0)
    return [f"{name}.{position}" for position in range(count)]


def _count(model: nn.Module, node: ast.AST, name: str) -> int:
    """The number of items that a node needs of a list; 0 if it reads none by its position."""
    match node:
        case ast.Call(func=ast.Name(id="zip" | "enumerate"), args=args):
            if not any(isinstance(part, ast.Name) and part.id == name for part in args):
                return 0
            beside = [getattr(model, part.attr, None) for part in args if isinstance(part, ast.Attribute)]
            return max([len(each) for each in beside if isinstance(each, nn.ModuleList)], default=_FEWEST)
        case ast.Subscript(value=ast.Name(id=owner), slice=ast.Constant(value=int(position))) if owner == name:
            return position + 1 if position > 0 else 0
        case ast.Subscript(value=ast.Name(id=owner), slice=ast.UnaryOp(op=ast.USub())) if owner == name:
            return _FEWEST
    return 0


def _forward(model: nn.Module) -> ast.Module:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(type(model).forward)))
    except (OSError, TypeError, SyntaxError):  # it has no text to read
        return ast.Module([], [])


def _parts(node: ast.expr | ast.Assign) -> Iterator[str]:
    """The parts of an input that an expression or an assignment reads: ``batch.image``, ``pair.0``."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Name):
        yield from [f"{node.value.id}.{position}" for position in range(len(node.targets[0].elts))]
    path: list[str] = []
    inner: ast.AST = node
    while isinstance(inner, ast.Subscript | ast.Attribute):
        key = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner.slice, "value", None)
        if not isinstance(key, str | int) or hasattr(Tensor, str(key)):
            return
        path.append(str(key))
        inner = inner.value
    if path and isinstance(inner, ast.Name):
        yield ".".join([inner.id, *reversed(path)])
