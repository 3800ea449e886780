"""Numbers and sizes as people write them: 1.5M parameters, 4GiB of memory."""

from __future__ import annotations

import re

from convlint.support.errors import UsageError

_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]*)", re.IGNORECASE)
_DIGITS = 30
_THOUSANDS = {"": 0, "k": 1, "m": 2, "g": 3, "b": 3, "t": 4}


def parse_count(text: str | int, what: str) -> int:
    """A number such as ``1500000``, ``1_500_000``, ``1.5M`` or ``4G``. Raises UsageError."""
    number, unit = _number_and_unit(text, what)
    if unit not in _THOUSANDS:
        raise UsageError(f"{what} {text!r}: {unit!r} is no unit; write as in 1500000, 1.5M or 4G")
    return int(number * 1000 ** _THOUSANDS[unit])


def parse_bytes(text: str | int, what: str) -> int:
    """A number of bytes such as ``4GB`` (10**9), ``4GiB`` (2**30) or ``512M``. Raises UsageError."""
    number, unit = _number_and_unit(text, what)
    prefix = unit.removesuffix("ib") if unit.endswith("ib") else unit.removesuffix("b")
    if prefix not in ("", "k", "m", "g", "t"):
        raise UsageError(f"{what} {text!r}: {unit!r} is no unit; write as in 4GB, 512MB or 4GiB")
    return int(number * (1024 if unit.endswith("ib") else 1000) ** _THOUSANDS[prefix])


def _number_and_unit(text: str | int, what: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(str(text).strip().replace("_", ""))
    if match is None or isinstance(text, bool):
        raise UsageError(f"{what} {text!r} is no number")
    if len(match["number"]) > _DIGITS:
        raise UsageError(f"{what} {match['number'][:9]}... is more than there can be")
    return float(match["number"]), match["unit"].lower()


BUDGETS = {"max-params": parse_count, "max-macs": parse_count, "max-activation-bytes": parse_bytes}
"""How the limits on a model are read, by the names that they have in settings."""
