"""Turn typer's errors into one line that suggests the closest command, option or value."""

from __future__ import annotations

import os
import re
from typing import Any

from convlint.pipelines.requests import CheckRequest
from convlint.support.errors import nearest

_OLD_NAMES = {option.alias for option in CheckRequest.options().values()}
_COMMAND = re.compile(r"No such command '(?P<word>.*?)'")
_CHOICE = re.compile(
    r"Invalid value for '(?P<option>.*?)':.*?'(?P<value>[^']*)' is not one of (?P<choices>.+)", re.DOTALL
)


def message_of(error: Any) -> str:
    message = " ".join(error.format_message().split())
    if match := _CHOICE.match(message):
        choices = tuple(re.findall(r"'([^']*)'", match["choices"]))
        message = f"{match['option']} {match['value']!r} is unknown{nearest(match['value'], choices)}"
    elif possible := getattr(error, "possibilities", None):
        current = tuple(name for name in possible if name not in _OLD_NAMES)
        advice = nearest(error.option_name, current) if current else ""
        message = f"No such option: {error.option_name}{advice}"
    elif (match := _COMMAND.match(message)) and _is_target(match["word"]):
        word = match["word"]
        return f"convlint: no command is named {word!r}; did you mean `convlint check {word}`?"
    command = error.ctx.command_path if error.ctx else "convlint"
    return f"{command}: {message} (see {command} --help)"


def _is_target(word: str) -> bool:
    """Return True for a word in the place of a command that is a target of a command."""
    return os.path.exists(word) or word.endswith(".py") or ":" in word
