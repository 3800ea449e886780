"""The origins of unknown values, and their description."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import Unknown, Value

if TYPE_CHECKING:
    from convlint.static.program.source_module import SourceModule

_LONGEST = 40  # characters of an expression in a message


def unknown_from(node: ast.AST, scope: Scope, *operands: Value) -> Unknown:
    """Return an unknown value of ``node``: one of its operands if that is unknown, else one that begins here."""
    cause = first_unknown(operands)
    if cause is not None:
        return cause
    if scope.called_from is not None:
        node, scope = scope.called_from
    return Unknown(node, scope.module)


def first_unknown(values: tuple[Value, ...] | list[Value]) -> Unknown | None:
    """Return the first unknown value with a known origin, also in tuples, lists and dicts of one level."""
    for value in values:
        kind = type(value)
        if kind is Unknown:
            if value.node is not None:
                return value  # type: ignore[no-any-return]
        elif kind is tuple or kind is list or kind is dict:
            for item in value.values() if kind is dict else value:
                if type(item) is Unknown and item.node is not None:
                    return item
    return None


def place(cause: Unknown) -> tuple[str, int] | None:
    """Return the file and line of the first unknown value; None if they are not recorded."""
    module: SourceModule | None = cause.module
    line = getattr(cause.node, "lineno", None)
    return None if module is None or line is None or module.is_library else (module.path, line)


def description(cause: Unknown) -> str:
    """Say why a value is unknown: ``"`cfg.load()` is not followed"``."""
    node = cause.node
    match node:
        case ast.Call():
            return f"{quoted(node)} is not followed"
        case ast.arg(arg=name):
            return f"parameter `{name}` has no known value"
        case ast.If() | ast.While():
            return f"it depends on the condition {quoted(node.test)}"
        case ast.For() | ast.AsyncFor():
            return f"it is set in a loop over {quoted(node.iter)}"
        case ast.expr():
            return f"{quoted(node)} is unknown"
    return "it is set in code that is not followed"


def quoted(node: ast.AST) -> str:
    """Return the text of an expression, shortened to fit in a message."""
    text = " ".join(ast.unparse(node).split())
    if len(text) <= _LONGEST:
        return f"`{text}`"
    if isinstance(node, ast.Call):
        func = ast.unparse(node.func)
        if len(func) <= _LONGEST and "\n" not in func:
            return f"`{func}(...)`"
    return f"`{text[: _LONGEST - 3]}...`"


def value_text(node: ast.AST) -> str | None:
    """Return the text of the expression that is unknown; None for a statement."""
    if isinstance(node, ast.arg):
        return node.arg
    return quoted(node).strip("`") if isinstance(node, ast.expr) else None
