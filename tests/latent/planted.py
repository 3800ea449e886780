"""What a class with a planted mistake is: one text that is right or wrong in one place, and calls of the class."""

from __future__ import annotations

import re
from typing import Any

HEAD = "from functools import partial\n\nimport torch\nfrom torch import nn\n"
Shape = tuple[int, ...]
Use = tuple[str, *tuple[Shape, ...]]
"""A constructor call and the shapes of the inputs that the module is called with."""

_PLACE = re.compile(r"\{\{(.*?)\|(.*?)\}\}")


class Planted:
    """A class in whose text ``{{right|wrong}}`` is the place of a mistake. ``uses`` are calls of it."""

    def __init__(self, name: str, text: str, *uses: Use) -> None:
        text = HEAD + text
        self.name = name
        self.uses = uses
        self.right = _PLACE.sub(r"\1", text)
        self.wrong = _PLACE.sub(r"\2", text)
        self.line = 1 + next(number for number, line in enumerate(text.splitlines()) if "{{" in line)

    def __repr__(self) -> str:
        return self.name


def refused(source: str, uses: tuple[Use, ...]) -> list[str]:
    """The constructor calls that PyTorch does not build or run."""
    import torch

    failing: list[str] = []
    names: dict[str, Any] = {"__name__": "planted"}
    exec(source, names)  # noqa: S102 - the class of a test
    for call, *shapes in uses:
        with torch.no_grad():
            try:
                eval(call, names)(*(torch.rand(shape) for shape in shapes))  # noqa: S307
            except (RuntimeError, ValueError, AssertionError):
                failing.append(call)
    return failing
