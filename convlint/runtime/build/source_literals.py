"""Find out whether a plain integer is a literal in the source: ``64`` is one, ``len(widths)`` is not.

The source of the expression that passed the integer is parsed. A name is resolved to the only literal that is assigned
to the local variable, or, for a parameter of a helper function, to the argument of the helper's call. Everything else
counts as unknown.
"""

from __future__ import annotations

import ast
import dis
import operator
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import CodeType

from convlint.runtime.build.symbolic_int import Argument
from convlint.runtime.code_sites import Instant, site_of, source_line

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def is_literal_argument(frames: tuple[Instant, ...], value: int, at: Argument, path: tuple[int, ...] = ()) -> bool:
    """Return whether the call at ``frames[0]`` passes ``value`` as a literal.

    The other ``frames`` are those of its callers, innermost first. ``path`` are indices into a list or tuple argument.
    """
    call = _expression(frames[0]) if frames else None
    return isinstance(call, ast.Call) and _value(_argument(call, at.keyword, at.position), frames, path) == value


def is_literal_operand(instant: Instant, value: int, left: bool) -> bool:
    """Return whether the left or right operand of the arithmetic at ``instant`` is a literal with this value."""
    match _expression(instant):
        case ast.BinOp() as node:
            return _value(node.left if left else node.right, (instant,)) == value
        case ast.AugAssign() as node if not left:
            return _value(node.value, (instant,)) == value
    return False


@cache
def _expression(instant: Instant) -> ast.AST | None:
    """The syntax tree of the expression (or assignment) that an instruction belongs to."""
    site = site_of(instant)
    span = [source_line(instant[0].co_filename, number) for number in range(site.line, site.end_line + 1)]
    if not span or not span[-1]:
        return None
    span[-1] = span[-1][: site.end_column - 1]
    span[0] = span[0][site.column - 1 :]
    text = "".join(span)
    try:
        return ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError):
        pass  # not an expression: try it as a statement
    try:
        statement = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    return statement[0] if len(statement) == 1 else None


def _argument(call: ast.Call, keyword: str, position: int | None) -> ast.expr | None:
    for given in call.keywords:
        if given.arg == keyword:
            return given.value
    if position is None or position >= len(call.args):
        return None
    starred = any(isinstance(arg, ast.Starred) for arg in call.args[: position + 1])
    return None if starred else call.args[position]


def _value(node: ast.AST | None, frames: tuple[Instant, ...], path: tuple[int, ...] = ()) -> int | None:
    """The value of an expression made of integer literals; None for anything else."""
    for index in path:
        items = node.elts[: index + 1] if isinstance(node, ast.Tuple | ast.List) else []
        if len(items) <= index or any(isinstance(item, ast.Starred) for item in items):
            return None
        node = items[index]
    match node:
        case ast.Name(id=name):
            return _named(name, frames)
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _value(operand, frames)
            return None if inner is None else -inner
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            sides = _value(left, frames), _value(right, frames)
            with suppress(TypeError, ZeroDivisionError):  # an operand is unknown, or the divisor is zero
                return _OPERATORS[type(op)](*sides)  # type: ignore[arg-type]
    return None


def _named(name: str, frames: tuple[Instant, ...]) -> int | None:
    """The only literal assigned to a local variable, or the literal passed for a parameter of a helper."""
    code = frames[0][0]
    stores = _stores(code).get(name, [])
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if name not in parameters:
        return stores[0] if len(stores) == 1 else None
    if stores or len(frames) < 2:
        return None
    call = _expression(frames[1])
    if not isinstance(call, ast.Call):
        return None
    attribute = isinstance(call.func, ast.Attribute)
    if getattr(call.func, "attr" if attribute else "id", None) != code.co_name:
        return None
    position = parameters.index(name) - (attribute and parameters[0] in ("self", "cls"))
    by_position = position if name in parameters[: code.co_argcount] else None
    return _value(_argument(call, name, by_position), frames[1:])


@cache
def _stores(code: CodeType) -> dict[str, list[int | None]]:
    """The values assigned to each variable, in order: an integer literal, or None for anything else."""
    found: dict[str, list[int | None]] = {}
    literal: int | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith(("STORE_", "DELETE_")):
            local = instruction.opname.startswith(("STORE_FAST", "STORE_DEREF"))
            if instruction.is_jump_target or not local:
                literal = None  # several values meet here: "mid or 64", "a if wide else 64"
            for name in _stored(instruction):
                found.setdefault(name, []).append(literal)
                literal = None
        constant = instruction.opname.startswith(("LOAD_CONST", "LOAD_SMALL_INT"))
        literal = instruction.argval if constant and type(instruction.argval) is int else None
    for inner in code.co_consts:
        for name in inner.co_freevars if isinstance(inner, CodeType) else ():
            found.setdefault(name, []).extend(_stores(inner).get(name, ()))  # nonlocal
    return found


def _stored(instruction: dis.Instruction) -> tuple[str, ...]:
    """The variables that an instruction assigns to; instructions of Python 3.13 may name two."""
    if instruction.opname == "STORE_FAST_LOAD_FAST":
        return instruction.argval[:1]  # type: ignore[no-any-return]
    if isinstance(instruction.argval, tuple):
        return instruction.argval
    return (str(instruction.argval),)
