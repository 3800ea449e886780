"""Reading the arguments of constructors: flags, counts and the parameters that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlint.static.domain.execution import Execution, Refused
from convlint.static.domain.values import Num, Tensor, Value
from convlint.symbolic import Dim

Attrs = dict[str, Value]


def flag(value: Value) -> Value:
    """Whether a flag is set: True or False, or the value itself where that is not decided."""
    return bool(value) if value is None or type(value) in (bool, int, float, str) else value


def parameter(run: Execution, wanted: Value, shape: tuple[Num, ...]) -> Value:
    """A parameter that a layer has if the flag ``wanted`` is set; the flag if that is not decided."""
    decided = flag(wanted)
    if decided is True:
        return run.tensor(shape)
    return None if decided is False else decided


def present(value: Value) -> Value:
    """Whether a layer has a parameter: True or False, or the flag that decides it."""
    return True if type(value) is Tensor else flag(value)


def count(run: Execution, value: Value, what: str) -> Num:
    """A number of channels or features, rounded where a float was passed."""
    if isinstance(value, int | Dim):
        return int(value) if type(value) is bool else value
    if isinstance(value, float) and abs(value) < 2**31:
        return round(value)
    return run.fresh(what)


def refuse_sizes(values: Sequence[Value], attrs: Mapping[str, Value]) -> None:
    """Raise Refused for values that cannot be the sizes of a parameter."""
    for value in values:
        if type(value) is float:
            raise Refused(
                "empty(): argument 'size' failed to unpack the object with error "
                '"type must be tuple of ints,but got float"',
                attrs,
            )
    for value in values:
        if type(value) is int and value < 0:
            shown = ", ".join(map(str, values))
            raise Refused(
                f"Trying to create tensor with negative dimension {value}: [{shown}]", attrs
            )
