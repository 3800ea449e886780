"""The truth of conditions on parameters for given numbers."""

from __future__ import annotations

from collections.abc import Mapping

from convlint import symbolic
from convlint.static.domain.values import Condition, Value
from convlint.symbolic import Symbol


def value_of(condition: Value, numbers: Mapping[Symbol, int]) -> bool | None:
    """Return whether a condition holds if its symbols have these values; None if one has none."""
    if type(condition) is bool:
        return condition
    if type(condition) is not Condition:
        condition = Condition("truth", condition)
    op: str = condition.op
    left, right = condition.left, condition.right
    if op in ("not", "and", "or") or type(left) is Condition:
        first, second = value_of(left, numbers), None if right is None else value_of(right, numbers)
        if op in ("truth", "not"):
            return first if op == "truth" or first is None else not first
        if (op == "or") in (first, second):
            return op == "or"
        return None if None in (first, second) else op == "and"
    try:
        one, other = (symbolic.as_dim(number).evaluate(numbers) for number in (left, right or 0))
    except (KeyError, ValueError, TypeError, ZeroDivisionError):
        return None
    return bool({"truth": one != 0, "==": one == other, "<": one < other, "<=": one <= other}[op])
