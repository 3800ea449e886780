"""Turn typer's errors into one line that suggests the closest command, option or value."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from convlint.pipelines.requests import CheckRequest
from convlint.support.errors import nearest

_OPTIONS = {
    **dict.fromkeys(("--format", "-f", "--output_format"), "--output-format {}"),
    **dict.fromkeys(("-i", "--input-size", "--input-shape", "--shape", "--size", "--input_size"), "--input 3,224,224"),
    **dict.fromkeys(("--batch", "-b", "--bs"), "--batch-size {}"),
    **dict.fromkeys(("--rules", "--enable", "-s"), "--select CVL301"),
    **dict.fromkeys(("--disable", "--skip"), "--ignore CVL301"),
    **dict.fromkeys(("--workers", "--num-workers", "--processes"), "-j {}"),
    **dict.fromkeys(("-o", "--out"), "--output-file {}"),
    "--write": "--fix",
    "--unsafe": "--fix --unsafe-fixes",
}
"""Options as other tools call them, and what to write here; braces stand for the value."""

_COMMANDS = {
    **dict.fromkeys(("explain", "rules", "show", "doc"), "rule"),
    **dict.fromkeys(("lint", "run", "analyze", "test", "verify"), "check"),
    **dict.fromkeys(("table", "info", "count", "profile", "stats"), "summary"),
    **dict.fromkeys(("rewrite", "optimize", "compress", "slim"), "suggest"),
    **dict.fromkeys(("lsp", "language-server", "serve"), "server"),
    **dict.fromkeys(("help", "version"), "--{}"),
}
"""Commands as other tools call them, and the command or option here; braces stand for the same word."""

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
    elif message.startswith("No such option"):
        message = f"No such option: {error.option_name}{_advice(error.option_name, error.possibilities or ())}"
    elif (match := _COMMAND.match(message)) and match["word"] in _COMMANDS:
        word = match["word"]
        command = " ".join(["convlint", _COMMANDS[word].format(word), *_words_after(word)])
        return f"convlint: no command is named {word!r}; did you mean `{command}`?"
    elif (match := _COMMAND.match(message)) and _is_target(match["word"]):
        word = match["word"]
        return f"convlint: no command is named {word!r}; did you mean `convlint check {word}`?"
    command = error.ctx.command_path if error.ctx else "convlint"
    return f"{command}: {message} (see {command} --help)"


def _advice(option: str, possible: Sequence[str]) -> str:
    """Suggest what to write instead of an option that does not exist."""
    if option in _OPTIONS:
        return f"; did you mean `{_OPTIONS[option].format('...')}`?"
    current = tuple(name for name in possible if name not in _OLD_NAMES)
    return nearest(option, current) if current else ""


def _words_after(command: str) -> Sequence[str]:
    """The arguments after a command that does not exist, up to its first option."""
    after = sys.argv[sys.argv.index(command) + 1 :] if command in sys.argv else []
    return [*takewhile(lambda word: not word.startswith("-"), after)]


def _is_target(word: str) -> bool:
    """Return True for a word in the place of a command that is a target of a command."""
    return os.path.exists(word) or word.endswith(".py") or ":" in word
