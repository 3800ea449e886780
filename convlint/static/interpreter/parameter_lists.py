"""Parameters that are lists of an unknown length.

A list is followed with as many items as the code asks for, or as many as everything that is counted has: see
``Knowledge.count``. What is found must not depend on that number, so an error is looked for with other numbers as well.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.static.domain.facts import FRESH
from convlint.static.domain.values import UNKNOWN, Sizes, Value
from convlint.static.program.parse import cached, walk
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def items(interpreter: Interpreter, parameter: Dim, count: int | None = None) -> list[Value] | None:
    """Return the items of a parameter that is a list, ``count`` of them if given; None if it is not a plain one."""
    symbols = list(parameter.symbols())
    if len(symbols) != 1 or symbols[0] in interpreter.execution.defaults:
        return None
    name = symbols[0].name
    found = []
    for position in range(count or _length(interpreter, name)):
        item = part(parameter, f"[{position}]")
        if type(item) is not Dim:
            return None
        found.append(item)
    return found


def takes_any_type(interpreter: Interpreter, value: Value) -> bool:
    """Return whether a value is a parameter or a part of one, and let it be a list or an object if it is.

    A caller passes something else than its default then.
    """
    if type(value) is not Dim or part(value, "") != value:
        return False
    for symbol in value.symbols():
        interpreter.execution.defaults.pop(symbol, None)
    return True


def length(interpreter: Interpreter, parameter: Dim) -> Value:
    """Return ``len(parameter)``."""
    found = items(interpreter, parameter)
    return UNKNOWN if found is None else len(found)


def zipped(interpreter: Interpreter, values: Sequence[Value]) -> list[Value]:
    """Return the arguments of ``zip``, parameters and shapes among them as lists that are as long as the others."""
    shortest = min([len(value) for value in values if type(value) is list or type(value) is tuple], default=None)
    found: list[Value] = []
    for value in values:
        if type(value) is Sizes and value.start and shortest is not None:
            found.append(list(interpreter.execution.guess_rank(value.tensor, value.start + shortest)[value.start :]))
        else:
            found.append(items(interpreter, value, shortest) if type(value) is Dim else value)
    return found


def part(value: Dim, suffix: str) -> Value:
    """Return an attribute or item of a parameter whose type is not known: a symbol of its own."""
    if len(value.symbols()) != 1 or suffix.startswith("._"):
        return UNKNOWN
    (symbol,) = value.symbols()
    is_symbol = symbolic.symbol(symbol.name, symbol.scope, symbol.opaque) == value
    if not is_symbol or symbol.scope == FRESH:
        return UNKNOWN
    return symbolic.symbol(symbol.name + suffix, symbol.scope)


def _length(interpreter: Interpreter, name: str) -> int:
    execution = interpreter.execution
    written = lengths(interpreter.entry_code) if interpreter.entry_code is not None else {}
    execution.has_settled = True
    return max(written.get(name.rpartition(".")[2], 0), execution.count)


def lengths(code: ast.AST) -> dict[str, int]:
    """Return the lengths of lists that code needs: it compares them with a number, or reads an item."""
    return cached(code, "list_lengths", partial(_lengths, code))


def _lengths(code: ast.AST) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in walk(code):
        match node:
            case ast.Subscript(value=owner, slice=ast.Constant(value=int(position))):
                length = position + 1
            case ast.Subscript(value=owner, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(length)))):
                pass
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="len"), args=[owner]), comparators=[ast.Constant(value=int(length))]
            ):
                pass
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=owner):
                length = len(parts)
            case _:
                continue
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        found[name] = max(found.get(name, 0), length)
    return found
