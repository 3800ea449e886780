"""What a case of the latent rules is: a file's text, and uses of it that prove what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

Shape = tuple[int, ...]
Use = tuple[str, *tuple[Shape, ...]]
"""A constructor call and the shapes of the tensors that the module is called with."""

_MARK = re.compile(r"#((?: CVL\S+)+)$")


@dataclass(frozen=True, slots=True)
class Case:
    """A file in which the marked lines, and no others, deserve a finding.

    A line's mark is a comment at its end with the codes: `# CVL201`. `CVL203|CVL205` stands for
    either, and `CVL1xx` for any of a family. Where several lines are a fair place for one finding,
    they share a label, `CVL202@a`, and one of them is enough.

    ``works`` are uses that PyTorch builds and runs, ``fails`` uses that it refuses.
    """

    name: str
    source: str
    works: tuple[Use, ...]
    fails: tuple[Use, ...] = ()

    @property
    def marks(self) -> dict[int, tuple[str, ...]]:
        """The words of every marked line."""
        found = {}
        for number, line in enumerate(self.source.splitlines(), 1):
            if match := _MARK.search(line):
                found[number] = tuple(match[1].split())
        return found

    @property
    def demanded(self) -> dict[tuple[int | str, str], set[int]]:
        """What must be found: the lines of which one must be named, by line or label and word."""
        found: dict[tuple[int | str, str], set[int]] = {}
        for line, words in self.marks.items():
            for word in words:
                code, _, label = word.partition("@")
                found.setdefault((label or line, code), set()).add(line)
        return found

    @property
    def is_good(self) -> bool:
        return not self.marks

    def allows(self, line: int, code: str) -> bool:
        """Whether a finding is marked."""
        return any(stands_for(word, code) for word in self.marks.get(line, ()))


def stands_for(word: str, code: str) -> bool:
    """Whether a word of a mark stands for a code."""
    choices = word.partition("@")[0].split("|")
    return any(re.fullmatch(choice.replace("x", "[0-9]"), code) for choice in choices)
