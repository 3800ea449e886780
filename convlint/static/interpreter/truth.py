"""Whether a value counts as true, and which way to go where that depends on symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import (
    UNKNOWN,
    Bound,
    Builtin,
    Condition,
    Library,
    Num,
    Partial,
    Real,
    Tensor,
    Value,
)
from convlint.symbolic import Dim, Symbol

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_ALWAYS = (Class, Function, Bound, Partial, Library, Builtin, Instance)


def known(it: Interpreter, value: Value) -> bool | None:
    """Whether a value is true, None where that is not known."""
    kind = type(value)
    if kind is bool:
        return bool(value)
    if kind is Condition:
        return _of_condition(it, value)
    if kind is Dim:
        reduced = it.run.reduced(value)
        return bool(reduced) if type(reduced) is int else None
    if value is UNKNOWN or kind is Tensor or kind is Real:
        return None
    if kind in _ALWAYS:
        return True
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - a value whose truth cannot be told
        return None


def _of_condition(it: Interpreter, condition: Condition) -> bool | None:
    op, left, right = condition.op, condition.left, condition.right
    if op == "not":
        inner = known(it, left)
        return None if inner is None else not inner
    if op in ("and", "or"):
        one, other = known(it, left), known(it, right)
        deciding = op == "or"
        if one is deciding or other is deciding:
            return deciding
        return None if one is None or other is None else not deciding
    if op == "truth":
        return known(it, left)
    if op == "==":
        return it.run.equal(left, right)
    low, high = it.run.bounds(symbolic.as_dim(left) - symbolic.as_dim(right))
    if op == "<":
        return True if high < 0 else False if low >= 0 else None
    return True if high <= 0 else False if low > 0 else None


def is_on_parameters(it: Interpreter, value: Value) -> bool:
    """Whether a truth depends on parameters alone: then a caller can have it either way."""
    if type(value) is Condition:
        if value.op in ("and", "or", "not"):
            parts = [value.left] if value.op == "not" else [value.left, value.right]
            return all(known(it, part) is not None or is_on_parameters(it, part) for part in parts)
        return all(_is_free(it, number) for number in (value.left, value.right or 0))
    return type(value) is Dim and _is_free(it, value)


def _is_free(it: Interpreter, number: Num) -> bool:
    reduced = it.run.reduced(number)
    return type(reduced) is not Dim or all(
        symbol.scope != FRESH and not symbol.opaque for symbol in reduced.symbols()
    )


def decide(it: Interpreter, value: Value) -> bool:
    """Which way to go at a condition on parameters; the execution of the other way comes later."""
    found = known(it, value)
    if found is not None:
        return found
    if type(value) is Condition:
        if value.op == "not":
            return not decide(it, value.left)
        if value.op == "and":
            return decide(it, value.left) and decide(it, value.right)
        if value.op == "or":
            return decide(it, value.left) or decide(it, value.right)
        return _decide_atom(it, value)
    return _decide_atom(it, Condition("truth", value))


def _decide_atom(it: Interpreter, condition: Condition) -> bool:
    left, right = it.run.reduced(condition.left), it.run.reduced(condition.right or 0)
    key = (condition.op, _key(left), _key(right))
    taken = it.choices.choose(key, it.run.hinted(condition), both=it.in_own_code)
    difference = symbolic.as_dim(left) - symbolic.as_dim(right)
    if condition.op in ("<", "<="):
        least = 0 if condition.op == "<=" else -1
        it.run.limit(difference if taken else -difference, least if taken else -1 - least)
    if condition.op == "==" and taken:
        it.run.state(left, right)
    if condition.op == "truth" and not taken:
        it.run.state(left, 0)
    return taken


def _key(number: Num) -> str:
    return number.key if isinstance(number, Dim) else str(number)


def assume(it: Interpreter, value: Value, wanted: bool) -> bool:
    """Go on as if a value were true, or false; False where it is known to be otherwise."""
    found = known(it, value)
    if found is None and type(value) is Condition:
        if value.op == "not":
            return assume(it, value.left, not wanted)
        if value.op == ("and" if wanted else "or"):
            return assume(it, value.left, wanted) and assume(it, value.right, wanted)
        if value.op == "==" and wanted:
            it.run.state(value.left, value.right)
    if found is None and type(value) is Dim and not wanted:
        it.run.state(value, 0)  # `if width % groups: raise`
    return found is None or found is wanted


def only_symbol(value: Value) -> Symbol | None:
    """The symbol that a value is, None if it is anything else."""
    if type(value) is Dim:
        symbols = value.symbols()
        if len(symbols) == 1:
            (symbol,) = symbols
            if symbolic.symbol(symbol.name, symbol.scope, symbol.opaque) == value:
                return symbol
    return None
