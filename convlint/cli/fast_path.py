"""Parse a plain ``convlint check`` or ``suggest`` without typer, which takes longer to load than a file takes to check.

Switches, options with a value and targets are read by the table of options; everything else is left to typer: help,
combined short options, fractions and all mistakes, for which typer has the messages. A test holds that both make the
same request of every command line that this module reads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from convlint.pipelines.options import ARGUMENTS, Option
from convlint.pipelines.requests import CheckRequest, SuggestRequest

_REQUESTS: Mapping[str, type[CheckRequest]] = {"check": CheckRequest, "suggest": SuggestRequest}


def parse(arguments: Sequence[str]) -> CheckRequest | None:
    """The request of a command line; None if typer has to read it. Raises UsageError."""
    command = arguments[0] if arguments else ""
    if command not in _REQUESTS or "_CONVLINT_COMPLETE" in os.environ:
        return None
    known = _REQUESTS[command].options(command).values()
    options = {flag: each for each in known if each.panel != ARGUMENTS for flag in each.flags}
    targets: list[str] = []
    values: dict[str, Any] = {}
    repeated: dict[str, list[Any]] = {}
    pending = list(reversed(arguments[1:]))
    while pending:
        argument = pending.pop()
        if argument == "-" or not argument.startswith("-"):
            targets.append(argument)
            continue
        name, equals, text = argument.partition("=") if argument[1] == "-" else (argument, "", "")
        option = options.get(name)
        if option is None or (option.is_switch and equals):
            return None
        if option.is_switch:
            values[option.name] = True
            continue
        if not equals and pending:
            text = pending.pop()
        elif not equals:
            return None
        is_given_twice = option.name in values and not option.is_repeatable
        if text.startswith("-") or is_given_twice or not _is_plain(option, text):
            return None
        if option.is_repeatable:
            repeated.setdefault(option.name, []).append(option.kind(text))
        else:
            values[option.name] = option.kind(text)
    values |= {name: tuple(each) for name, each in repeated.items()}
    if command == "check":
        return CheckRequest.parse({**values, "targets": tuple(targets)})
    return _REQUESTS[command].parse({**values, "target": targets[0]}) if len(targets) == 1 else None


def _is_plain(option: Option, text: str) -> bool:
    """Return True for a text that is a valid value without conversion by typer."""
    if option.choices:
        return text in option.choices
    if option.kind is int:
        return text.isascii() and text.isdecimal() and int(text) >= (option.minimum or 0)
    return option.kind is str
