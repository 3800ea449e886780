"""Parse input shapes, as ``--input`` and the ``input`` key of the settings hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from convlint.settings.devices import INPUT_DTYPES
from convlint.support.dataclass import dataclass
from convlint.support.errors import CHECKPOINTS, UsageError, check_choice, without_quotes

Range = tuple[float, float]  # the lowest value, and one that no value reaches


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model: the shape of one sample, without the batch dimension; one value per sample has none.

    ``name`` is a keyword of ``forward``, with the keys and positions that lead to the tensor in it: ``batch.image``,
    ``maps.0``. ``range`` limits the values.
    """

    shape: tuple[int, ...]
    name: str | None = None
    dtype: str | None = None
    range: Range | None = None

    def __str__(self) -> str:
        name = f"{self.name}=" if self.name else ""
        dtype = f":{self.dtype}" if self.dtype else ""
        limits = "[{:.12g},{:.12g})".format(*self.range) if self.range else ""
        return f"{name}{','.join(map(str, self.shape))}{dtype}{limits}"


# Compiled with the first input: most commands have none.
_INPUT = r"(?:(?P<name>[^\W\d]\w*(?:\.\w+)*)=)?(?P<shape>[^:=]*)(?::(?P<dtype>[^\[]*)(?P<range>\[.*)?)?"
_RANGE = r"\[\s*(?P<low>[-+.\d]+)\s*,\s*(?P<high>[-+.\d]+)\s*\)"


def parse_input(text: str) -> InputSpec:
    """One ``--input``: ``3,224,224``, ``mask=1,32,32``, ``batch.image=3,64,64``, ``128:int64[0,1000)``, or
    ``t=:int64`` for one value per sample. Raises UsageError.
    """
    if unquoted := without_quotes(text.strip()):
        raise UsageError(f"input {text}: write it without quotes: {unquoted}")
    match = re.fullmatch(_INPUT, text.strip())
    if match is None:
        raise UsageError(f"input {text!r}: write sizes as in 3,224,224 or name=3,224,224:int64")
    name, sizes, dtype, limits = match.group("name", "shape", "dtype", "range")
    if dtype is not None:
        check_choice(dtype, INPUT_DTYPES, f"input {text!r}: dtype")
    return InputSpec(_shape(text, sizes, dtype), name, dtype, _range(text, limits) if limits else None)


def _shape(text: str, sizes: str, dtype: str | None) -> tuple[int, ...]:
    if not sizes.strip():
        if dtype is None:
            raise UsageError(f"input {text!r} has no sizes; for one value per sample write {text.strip()}:int64")
        return ()
    if re.fullmatch(r"\s*(\(.*\)|\[.*\])\s*", sizes):
        sizes = sizes.strip()[1:-1]
    separator = "x" if re.fullmatch(r"[\dx\s]*x[\dx\s]*", sizes, re.ASCII) else ","
    shape = []
    written = sizes.strip().removesuffix(",").split(separator)
    if os.path.splitext(text)[1].lower() in CHECKPOINTS:
        raise UsageError(f"input {text!r} is not a shape; pass a file of tensors as --input-file {text}")
    others = [size.strip() for size in written[1:]]
    if len(others) > 1 and not written[0].strip().isdecimal() and all(size.isdecimal() for size in others):
        raise UsageError(f"input {text!r}: leave out the batch dimension, as in {','.join(others)}")
    for size in written:
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", size, re.ASCII):  # torch counts in 64 bits
            raise UsageError(f"input {text!r}: {size.strip()!r} is not a size; write as in 3,224,224")
        if int(size) < 1:
            raise UsageError(f"input {text!r}: size {int(size)} would make an input without values")
        shape.append(int(size))
    return tuple(shape)


def _range(text: str, limits: str) -> Range:
    match = re.fullmatch(_RANGE, limits.strip())
    try:
        low, high = (float(number) for number in match.groups()) if match else (0.0, 0.0)
    except ValueError:
        low = high = 0.0
    if low >= high:
        raise UsageError(f"input {text!r}: {limits.strip()!r} is not a range of values; write as in int64[0,1000)")
    return low, high


def nested(values: Mapping[str, Any], kind: type[dict[str, Any]] = dict) -> dict[str, Any]:
    """The keyword arguments with dotted names: ``batch.image`` is an item of the dict ``batch``, ``maps.0`` one of the
    list ``maps``. Dicts are of the type ``kind``. Raises UsageError where a name is that of a tensor and of a dict.
    """
    tree = kind()
    for name, value in values.items():
        *outer, last = name.split(".")
        branch: Any = tree
        for part in outer:
            branch = branch.setdefault(part, kind()) if isinstance(branch, kind) else None
        if not isinstance(branch, kind) or last in branch:
            raise UsageError(f"the input {name!r} is given twice: as a tensor and as a part of another input")
        branch[last] = value
    return kind({name: _with_lists(value) for name, value in tree.items()})


def _with_lists(value: Any) -> Any:
    """Turn dicts whose keys count from 0 into lists. Raises UsageError where one of these is missing."""
    if not isinstance(value, dict):
        return value
    items = {key: _with_lists(item) for key, item in value.items()}
    keys = [str(position) for position in range(len(items))]
    if "0" in items and (missing := [key for key in keys if key not in items]):
        raise UsageError(f"the inputs {', '.join(items)} of a list have no {missing[0]}; items count from 0")
    return [items[key] for key in keys] if items.keys() == set(keys) else type(value)(items)
