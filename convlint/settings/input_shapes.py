"""Parse input shapes, as ``--input`` and the ``input`` key of the settings hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from convlint.settings.devices import INPUT_DTYPES
from convlint.support.errors import UsageError, check_choice


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model: the shape of one sample, without the batch dimension."""

    shape: tuple[int, ...]
    name: str | None = None
    dtype: str | None = None

    def __str__(self) -> str:
        name = f"{self.name}=" if self.name else ""
        dtype = f":{self.dtype}" if self.dtype else ""
        return f"{name}{','.join(map(str, self.shape))}{dtype}"


_INPUT = re.compile(r"(?:(?P<name>[^\W\d]\w*)=)?(?P<shape>[^:=]*)(?::(?P<dtype>.*))?")


def parse_input(text: str) -> InputSpec:
    """One ``--input``: ``3,224,224``, ``mask=1,32,32``, ``128:int64``. Raises UsageError."""
    match = _INPUT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"input {text!r}: write sizes as in 3,224,224 or name=3,224,224:int64")
    name, sizes, dtype = match.group("name", "shape", "dtype")
    if dtype is not None:
        check_choice(dtype, INPUT_DTYPES, f"input {text!r}: dtype")
    shape = []
    if not sizes.strip():
        raise UsageError(f"input {text!r} has no sizes; a scalar cannot be fed to a convolution")
    for size in sizes.strip().removesuffix(",").split(","):
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", size, re.ASCII):  # torch counts in 64 bits
            raise UsageError(f"input {text!r}: {size.strip()!r} is not a size; write as in 3,224,224")
        if int(size) < 1:
            raise UsageError(f"input {text!r}: size {int(size)} would make an input without values")
        shape.append(int(size))
    return InputSpec(tuple(shape), name, dtype)
