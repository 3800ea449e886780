"""The parameters that the code of a constructor tests, scales with, or reads as lists."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence

from convlint.static.program.parse import walk


def tested(function: ast.AST) -> frozenset[str]:
    """The names in the conditions of a function, those of ``a or b`` and of attributes of ``self`` included."""
    return frozenset(
        name.id if isinstance(name, ast.Name) else name.attr
        for node in walk(function)
        if isinstance(node, ast.If | ast.IfExp | ast.BoolOp)
        for name in walk(node if isinstance(node, ast.BoolOp) else node.test)
        if isinstance(name, ast.Name | ast.Attribute)
    )


Place = tuple[int, int]
"""A line and a column, both from 1."""


def deciding_on(function: ast.AST, built: Collection[Place]) -> frozenset[str]:
    """The names in conditions of a function that decide on layers which no execution built: those it built are at the
    places ``built``.
    """
    found: set[str] = set()
    layers: dict[ast.AST, set[bool]] = {}  # of conditions: whether their calls of layers were executed, for each call

    def inside(parts: Sequence[ast.AST]) -> set[bool]:
        calls = (call for part in parts if part not in layers for call in walk(part) if _may_be_layer(call))
        return {_place(call) in built for call in calls}.union(*(layers[part] for part in parts if part in layers))

    for node in reversed([*walk(function)]):  # inner ones first, so that a chain of `elif` is walked once
        if isinstance(node, ast.If):
            branches = [inside(node.body), inside(node.orelse)]
            layers[node] = inside([node.test]).union(*branches)
        elif isinstance(node, ast.IfExp):
            branches = [inside([node.body]), inside([node.orelse])]
        else:
            continue
        if {False} in branches:
            found.update(name.id for name in walk(node.test) if isinstance(name, ast.Name))
    return frozenset(found)


def _place(node: ast.AST) -> Place:
    return (node.lineno, node.col_offset + 1) if isinstance(node, ast.expr) else (0, 0)


def _may_be_layer(node: ast.AST) -> bool:
    """Return whether a call may build a layer that has a width."""
    if not isinstance(node, ast.Call) or _NO_LAYER.search(ast.unparse(node.func)):
        return False
    given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg)]
    return any(isinstance(argument, ast.Name | ast.Attribute | ast.BinOp) for argument in given)


_NO_LAYER = re.compile(
    r"Identity|Drop|Error|Warning|Pool|Parameter|init|append|add_module|^torch\.\w+$"
    r"|^(int|float|len|min|max|round|isinstance|getattr|super|list|tuple|dict|range|print|str|zip|sum|partial)$"
)
"""Functions, and modules without a width."""


def asserted(function: ast.AST) -> frozenset[str]:
    """The names that a function compares with 0 in an assertion."""
    return frozenset(
        node.test.left.id
        for node in walk(function)
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare) and isinstance(node.test.left, ast.Name)
        if any(isinstance(other, ast.Constant) and other.value == 0 for other in node.test.comparators)
    )


def has_order(function: ast.AST) -> bool:
    """Return whether a function asks which of two values is larger, or divides channels into groups."""
    orders = ast.Lt | ast.LtE | ast.Gt | ast.GtE
    return any(
        any(isinstance(op, orders) for op in node.ops)
        if isinstance(node, ast.Compare)
        else isinstance(node, ast.keyword) and node.arg == "groups"
        for node in walk(function)
    )


def scaling(function: ast.AST) -> frozenset[str]:
    """The names of factors and divisors in a function."""
    return frozenset(
        name.id
        for node in walk(function)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.FloorDiv)
        for name in (node.left, node.right)
        if isinstance(name, ast.Name)
    )


def listed(function: ast.AST) -> dict[str, int]:
    """The names that a function uses as lists of any length, or by constant indices, with a length that fits."""
    found: dict[str, int] = {}
    for node in walk(function):
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int(index))) if index > 0:
                found[name] = max(found.get(name, 0), index + 1)
            case ast.For(iter=ast.Name(id=name)) | ast.comprehension(iter=ast.Name(id=name)):
                found.setdefault(name, _LENGTH)
            case ast.Call(func=ast.Name(id="len" | "zip" | "enumerate"), args=arguments):
                for argument in arguments:
                    if isinstance(argument, ast.Name):
                        found.setdefault(argument.id, _LENGTH)
    return found


_LENGTH = 4  # of a list of widths of which any number is accepted


def is_inner_name(name: str) -> bool:
    """Return whether a name is that of a width inside a class, which neither its input nor its output has."""
    return _INNER.search(name) is not None


_INNER = re.compile(r"hid|mid_|mid$|qk|inner|bottle|rd_|squeez")


def has_inner_name(function: ast.AST) -> bool:
    return any(isinstance(node, ast.Name) and is_inner_name(node.id) for node in walk(function))
