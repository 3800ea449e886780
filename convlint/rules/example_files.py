"""The examples of the rules: the files in ``convlint/rules/examples/CODE``. Only tests and rule pages read them."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from typing import Literal

from convlint.rules.codes import Decides, codes
from convlint.support.dataclass import dataclass

FOLDER = Path(__file__).with_name("examples")
_HEADER = "# example:"


@dataclass(frozen=True, slots=True)
class Example:
    """A file of examples, without its header. ``convlint.rules.base.Rule`` describes the format."""

    name: str
    source: str
    input: tuple[str, ...] = ("3,32,32",)
    options: tuple[str, ...] = ()
    run_only: bool = False
    fixed: str | None = None

    def decided_by(self, rule_decided_by: tuple[Decides, ...]) -> tuple[Decides, ...]:
        """Return the modes, of those that decide its rule, in which it is checked."""
        return ("run",) if self.run_only else rule_decided_by


@cache
def examples(code: str, kind: Literal["bad", "good"]) -> tuple[Example, ...]:
    """Return the examples of a rule by name; the one that is named after the rule comes first."""
    main = codes()[code].replace("-", "_")
    found = [_example(file) for file in (FOLDER / code).glob(f"{kind}_*") if not file.name.endswith(".fixed.py")]
    return tuple(sorted(found, key=lambda example: (example.name != main, example.name)))


def _example(file: Path) -> Example:
    stem = file.name.partition(".")[0]
    source = file.read_text("utf-8")
    fixed = file.with_name(f"{stem}.fixed.py")
    words: list[str] = []
    if source.startswith(_HEADER):
        header, _, source = source.partition("\n")
        words = shlex.split(header.removeprefix(_HEADER))
    run_only = words[:2] == ["run", "only"]
    inputs: list[str] = []
    options: list[str] = []
    rest = iter(words[2 * run_only :])
    for word in rest:
        if word == "--input":
            inputs.append(next(rest))
        else:
            options.append(word)
    return Example(
        name=stem.partition("_")[2],
        source=source,
        input=tuple(inputs) or ("3,32,32",),
        options=tuple(options),
        run_only=run_only,
        fixed=fixed.read_text("utf-8") if fixed.exists() else None,
    )
