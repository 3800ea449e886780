"""Check arguments as the command line checks its options of the same names."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real

from convlint.pipelines.options import Option
from convlint.pipelines.requests import SuggestRequest
from convlint.support.errors import UsageError, check_choice


def check_values(arguments: Mapping[str, object]) -> None:
    """Raise UsageError for a value that its option cannot have. None stands for the default."""
    options = SuggestRequest.options()
    for name, value in arguments.items():
        if value is not None and name in options:
            _check(options[name], value)


def _check(option: Option, value: object) -> None:
    if option.is_switch and isinstance(value, str):
        raise UsageError(f"{option.name} must be True or False, not {value!r}")
    if option.choices:
        check_choice(str(value), option.choices, option.name)
    if option.kind not in (int, float):
        return
    numbers, word = (Integral, "a whole number") if option.kind is int else (Real, "a number")
    is_number = isinstance(value, numbers) and not isinstance(value, bool)
    if not is_number or not (option.minimum is None or value >= option.minimum):  # type: ignore[operator]
        least = "" if option.minimum is None else f" of at least {option.minimum:g}"
        raise UsageError(f"{option.name} must be {word}{least}, not {value!r}")
