"""The text of a random program while it grows: numbers that may be made wrong, and names of torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

_SLOT = re.compile("\x01(\\d+)\x02")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the text: what stands there, and what would be wrong there."""

    kind: str
    text: str
    wrong: tuple[str, ...]


@dataclass
class Draft:
    """One program. Texts given by ``slot`` hold a mark, which ``rendered`` replaces."""

    random: Random
    slots: list[Slot] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)  # texts in front of the model's own
    styles: set[str] = field(default_factory=set)
    _imported: dict[str, str] = field(default_factory=dict)
    _taken: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._nn = self.random.choice(["nn", "nn", "nn", "n", "torch.nn", "from"])
        self._functional = self.random.choice(["F", "F", "nn.functional", "from"])
        self._aliased = self.random.random() < 0.5
        self.styles.add(f"imports {self._nn}")

    # --- choices

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def fresh(self, stem: str) -> str:
        """A name that is used once in the program."""
        self._taken[stem] = self._taken.get(stem, 0) + 1
        return f"{stem}{self._taken[stem]}"

    # --- numbers

    def slot(self, kind: str, text: str | int, wrong: Iterable[str | int]) -> str:
        others = tuple(dict.fromkeys(str(other) for other in wrong if str(other) != str(text)))
        self.slots.append(Slot(kind, str(text), others))
        return f"\x01{len(self.slots) - 1}\x02"

    def count(self, kind: str, value: int) -> str:
        """A number of channels, features or the like as a literal."""
        return self.slot(kind, value, wrong_counts(value))

    # --- names of torch

    def nn(self, name: str) -> str:
        if self._nn != "from":
            return f"{self._nn}.{name}"
        if name not in self._imported:
            short = "".join(letter for letter in name if letter.isupper() or letter.isdigit())
            taken = {*self._imported.values(), "F", "T"}
            alias = self._aliased and short not in taken and self.chance(0.4)
            self._imported[name] = short if alias else name
        return self._imported[name]

    def functional(self, name: str) -> str:
        return f"{'nn.functional' if self._functional == 'nn.functional' else 'F'}.{name}"

    def imports(self, body: str) -> list[str]:
        """The import statements that ``body`` needs."""
        lines = ["import torch"]
        if re.search(r"(?<![\w.])nn\.", body):
            lines.append(self.random.choice(["import torch.nn as nn", "from torch import nn"]))
        if re.search(r"(?<![\w.])n\.", body):
            lines.append("import torch.nn as n")
        if re.search(r"(?<![\w.])F\.", body):
            lines.append(
                "from torch.nn import functional as F"
                if self._functional == "from"
                else "import torch.nn.functional as F"
            )
        if "OrderedDict(" in body:
            lines.append("from collections import OrderedDict")
        if "dataclass" in body:
            lines.append("from dataclasses import dataclass")
        if "partial(" in body:
            lines.append("from functools import partial")
        if self._imported:
            names = [n if n == a else f"{n} as {a}" for n, a in sorted(self._imported.items())]
            lines.append(f"from torch.nn import {', '.join(names)}")
        return lines


def wrong_counts(value: int) -> list[int]:
    """Numbers to write by mistake in the place of a number of channels."""
    others = [2 * value, value + 1, value - 1, value // 2, value + 8, 3 * value]
    return [other for other in others if other > 0 and other != value]


def rendered(text: str, slots: Sequence[Slot], mutated: int | None) -> tuple[str, int | None]:
    """The source with the text of every slot, and the first line of the call that holds the mutated
    one.
    """
    line: int | None = None
    if mutated is not None:
        line = text[: text.index(f"\x01{mutated}\x02")].count("\n") + 1
    wrong = None if mutated is None else slots[mutated].wrong[0]

    def fill(match: re.Match[str]) -> str:
        number = int(match[1])
        return wrong if number == mutated and wrong is not None else slots[number].text

    source = _SLOT.sub(fill, text)
    return source, None if line is None else _start_of_call(source, line)


def _start_of_call(source: str, line: int) -> int:
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    starts = [call.lineno for call in calls if (call.end_lineno or call.lineno) - call.lineno < 9]
    return max(starts, default=line)
