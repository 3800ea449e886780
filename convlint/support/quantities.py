"""Numbers and sizes with units, parsed and written: 1.5M parameters, 4GiB of memory, 1.81 G."""

from __future__ import annotations

import re

from convlint.support.errors import UsageError

_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]*)", re.IGNORECASE)
_MAX_DIGITS = 30
_SHORTENED = 10_000  # smaller numbers are written with all digits
_ROUNDS_UP = 999.5  # three digits would be 1000
_THOUSANDS = {"": 0, "k": 1, "m": 2, "g": 3, "b": 3, "t": 4}


def parse_count(text: str | int, name: str) -> int:
    """Parse a number such as ``1500000``, ``1_500_000``, ``1.5M`` or ``4G``. Raises UsageError."""
    number, unit = _number_and_unit(text, name)
    if unit not in _THOUSANDS:
        raise UsageError(f"{name} {text!r}: {unit!r} is not a unit; write 1500000, 1.5M or 4G")
    return int(number * 1000 ** _THOUSANDS[unit])


def parse_bytes(text: str | int, name: str) -> int:
    """Parse a number of bytes such as ``4GB`` (10**9), ``4GiB`` (2**30) or ``512M``. Raises UsageError."""
    number, unit = _number_and_unit(text, name)
    prefix = unit.removesuffix("ib") if unit.endswith("ib") else unit.removesuffix("b")
    if prefix not in ("", "k", "m", "g", "t"):
        raise UsageError(f"{name} {text!r}: {unit!r} is not a unit; write 4GB, 512MB or 4GiB")
    return int(number * (1024 if unit.endswith("ib") else 1000) ** _THOUSANDS[prefix])


def short_count(number: int) -> str:
    """``1.81 G`` for 1,814,073,344: three digits and a unit; numbers below 10,000 have all digits."""
    if number < _SHORTENED:
        return f"{number:,}"
    value, unit = float(number), ""
    for larger in "kMGTPE":
        if value < _ROUNDS_UP:
            break
        value, unit = value / 1000, f" {larger}"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{unit}"


def _number_and_unit(text: str | int, name: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(str(text).strip().replace("_", ""))
    if match is None or isinstance(text, bool):
        raise UsageError(f"{name} {text!r} is not a number; write 1500000, 1.5M or 4G")
    if len(match["number"]) > _MAX_DIGITS:
        raise UsageError(f"{name} {match['number'][:9]}... is too large")
    return float(match["number"]), match["unit"].lower()


# The limits on a model, by their names in settings, with the function that parses each.
BUDGETS = {"max-params": parse_count, "max-macs": parse_count, "max-activation-bytes": parse_bytes}
