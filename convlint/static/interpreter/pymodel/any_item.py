"""Items of iterables of unknown length whose items are alike: numbers below a size, and rows of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convlint.static.domain.facts import INDEX, is_unknown
from convlint.static.domain.values import Repeated, Tensor, Value
from convlint.static.interpreter.pymodel import containers
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def any_item(interpreter: Interpreter, iterable: Value) -> Value | None:
    """Return an item of an iterable of unknown length; None if its items may differ, or are known."""
    if type(iterable) is Repeated:
        return iterable.item
    if type(iterable) is not Tensor or iterable.shape is None or iterable.cell.is_guess:
        return None
    execution = interpreter.execution
    shape = tuple([execution.reduced(size) for size in iterable.shape])
    return execution.emit("unbind", [iterable], [shape[1:]])[0] if shape and type(shape[0]) is Dim else None


def numbers_below(interpreter: Interpreter, ends: Sequence[Value]) -> Repeated | None:
    """Return the numbers of a range that ends at a size of the input; None for any other range."""
    is_open = any(type(end) is Dim and not end.is_unknown and is_unknown(end) for end in ends)
    return Repeated(interpreter.execution.fresh(INDEX)) if is_open else None


def rows_of(interpreter: Interpreter, iterables: Sequence[Value]) -> Repeated | None:
    """Return the rows that ``zip`` makes if the length of none of several iterables is known."""
    items = [any_item(interpreter, each) for each in iterables if containers.iterate(interpreter, each) is None]
    return Repeated(tuple(items)) if items and len(items) == len(iterables) and None not in items else None


def numbered(interpreter: Interpreter, iterable: Value) -> Repeated | None:
    """Return the pairs that ``enumerate`` makes of an iterable of unknown length."""
    rows = rows_of(interpreter, [iterable])
    return None if rows is None else Repeated((interpreter.execution.fresh(INDEX), *rows.item))
