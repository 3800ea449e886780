"""Reads a plain ``convlint check`` without typer, whose loading takes longer than checking a file.

It reads long options, ``-q``, ``-j N`` and targets, and gives up on everything else: help, short options together,
values that need a closer look, and all mistakes. Those are typer's, which says what is wrong. A test holds that both
read the same from every command line that this one reads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from convlint.cli.check_options import OPTIONS, Asked
from convlint.outputs import formats

SHORT = {"-q": "quiet", "-j": "jobs"}
CHOICES = {
    "output_format": formats(),
    "fail_on": ("error", "warning", "info"),
    "color": ("auto", "always", "never"),
}
COUNTS = ("jobs",)
_KINDS = {name: kind for name, kind in OPTIONS.items() if name != "targets"}


def parse(arguments: Sequence[str]) -> Asked | None:
    """What a command line asks for; None where typer is to read it."""
    if arguments[:1] != ["check"] or "_CONVLINT_COMPLETE" in os.environ:
        return None
    found: dict[str, Any] = {}
    targets: list[str] = []
    pending = list(reversed(arguments[1:]))
    while pending:
        argument = pending.pop()
        if argument == "-" or not argument.startswith("-"):
            targets.append(argument)
            continue
        name, value = _option(argument)
        kind = _KINDS.get(name or "")
        if name is None or kind is None or (kind == "bool") != (value is None and kind == "bool"):
            return None
        if kind == "bool":
            found[name] = True
            continue
        if value is None and pending:
            value = pending.pop()
        if value is None or value.startswith("-") or not _fits(name, kind, value):
            return None
        if kind.startswith("tuple"):
            found[name] = (*found.get(name, ()), value)
        else:
            found[name] = int(value) if name in COUNTS else value
    return Asked(targets=tuple(targets), **found)


def _option(argument: str) -> tuple[str | None, str | None]:
    """The field that an option stands for, and the value that is written in one with it."""
    if not argument.startswith("--"):
        return SHORT.get(argument), None
    name, equals, value = argument[2:].partition("=")
    return (None if "_" in name else name.replace("-", "_")), value if equals else None


def _fits(name: str, kind: str, value: str) -> bool:
    if name in CHOICES:
        return value in CHOICES[name]
    if name in COUNTS:
        return value.isascii() and value.isdecimal() and int(value) > 0
    return kind in ("str", "str | None", "tuple[str, ...]")
