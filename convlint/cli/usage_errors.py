"""Turn typer's errors into one line that suggests the closest command, option or value."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

from convlint.pipelines.options import ARGUMENTS, Option
from convlint.pipelines.requests import CheckRequest
from convlint.support.errors import SYNONYMS, nearest

_OPTIONS = {
    **dict.fromkeys(("--format", "-f", "--output_format"), "--output-format {}"),
    **dict.fromkeys(("-i", "--input-size", "--input-shape", "--shape", "--size", "--input_size"), "--input 3,224,224"),
    **dict.fromkeys(("--batch", "-b", "--bs"), "--batch-size {}"),
    **dict.fromkeys(("--rules", "--enable", "-s"), "--select CVL301"),
    **dict.fromkeys(("--disable", "--skip"), "--ignore CVL301"),
    **dict.fromkeys(("--workers", "--num-workers", "--processes"), "-j {}"),
    **dict.fromkeys(("-o", "--out"), "--output-file {}"),
    "--unsafe": "--fix --unsafe-fixes",
    **dict.fromkeys(("--no-color", "--no-colour", "--no-colors"), "--color never"),
    **dict.fromkeys(("--list-rules", "--show-rules"), "convlint rule"),
    **dict.fromkeys(("--dry-run", "--show-fixes", "--preview"), "--diff"),
}
"""Options as other tools call them, and what to write here; braces stand for the value."""

_WRITES = ("--fix", "--write", "--apply", "--inplace", "--in-place", "-w")
_MODELS = ("--model", "-m", "--net", "--file", "--path", "--target", "--src")
_NEEDLESS = {
    **dict.fromkeys(("-r", "-R", "--recursive"), "directories are checked with all folders in them"),
    **dict.fromkeys(("--eval", "--inference", "--no-train"), "models run in evaluation mode without --train"),
    **dict.fromkeys(("--no-fix", "--check"), "files are changed only by --fix and --add-noqa"),
    "--stdin": "a - stands for standard input, as in `convlint check -`",
}
"""Options of other tools for which none is needed here, and why."""

_COMMANDS = {
    **dict.fromkeys(("explain", "rules", "show", "doc"), "rule"),
    **dict.fromkeys(("lint", "run", "analyze", "test", "verify"), "check"),
    **dict.fromkeys(("table", "info", "count", "profile", "stats"), "summary"),
    **dict.fromkeys(("rewrite", "optimize", "compress", "slim"), "suggest"),
    **dict.fromkeys(("lsp", "language-server", "serve"), "server"),
    "help": "{} --help",
    "version": "--version",
    **dict.fromkeys(("fix", "diff", "watch"), "check {} --{word}"),
}
"""Commands as other tools call them, and what to write here; braces stand for the arguments after them."""

_SETTINGS = ("-c", "--config", "--config-file", "--settings")
_VERSION = ("-V", "--version")

_OLD_NAMES = {option.alias for option in CheckRequest.options().values()}
_COMMAND = re.compile(r"No such command '(?P<word>.*?)'")
_EXTRA = re.compile(r"Got unexpected extra argument\S* \((?P<words>.*)\)")
_NO_VALUE = re.compile(r"Option '(?P<option>\S+)' (?P<needs>requires an|does not take a)")
_VALUE = re.compile(r"Invalid value for '(?P<option>[^']*)'")
_CHOICE = re.compile(
    r"Invalid value for '(?P<option>.*?)':.*?'(?P<value>[^']*)' is not one of (?P<choices>.+)", re.DOTALL
)


def message_of(error: Any) -> str:
    message = " ".join(error.format_message().split())
    command = error.ctx.command_path if error.ctx else " ".join(["convlint", *_used()])
    if match := _CHOICE.match(message):
        choices = tuple(re.findall(r"'([^']*)'", match["choices"]))
        message = f"{match['option']} {_refused_choice(match['option'], match['value'], choices)}"
    elif message.startswith("No such option"):
        message = f"No such option: {error.option_name}{_advice(error.option_name, error.possibilities or (), command)}"
    elif (match := _VALUE.match(message)) and (option := _numeric_option(match["option"])):
        kind = "whole number" if option.kind is int else "number"
        message = f"{option.flag} requires a {kind} of at least {option.minimum or 0:g}"
    elif match := _NO_VALUE.match(message):
        message = _without_value(match["option"], takes=match["needs"].startswith("requires"))
    elif match := _EXTRA.match(message):
        message = _refused_words(match["words"])
    elif message.startswith("Missing argument 'TARGET'"):
        message = f"pass a model: `{command} net.py:Net`"
    elif match := _COMMAND.match(message):
        word = match["word"]
        arguments = _words_after(word)
        if word in _COMMANDS:
            return f"convlint: no command is named {word!r}; did you mean `{_as_here(word, arguments)}`?"
        if _is_target(word):
            return f"convlint: no command is named {word!r}; did you mean `convlint check {word}`?"
    return f"{command}: {message} (see {command} --help)"


def _used() -> list[str]:
    """The command of the command line, or nothing."""
    from convlint.cli.app import COMMANDS

    return [word for word in sys.argv[1:] if word in COMMANDS][:1]


def _options_of(command: Sequence[str]) -> Sequence[Option]:
    from convlint.cli.app import COMMANDS

    return [each for name in command for each in COMMANDS[name][0].options(name).values()]


def _without_value(flag: str, *, takes: bool) -> str:
    """The message about an option that lacks its value, or has one that it does not take."""
    option = next((each for each in _options_of(_used()) if flag in each.flags), None)
    if not takes or option is None:
        return f"{flag} is a switch; write it without a value"
    return f"{flag} requires a value: {flag} {option.metavar}, {option.help[0].lower()}{option.brief_row()[1][1:-1]}"


def _refused_words(words: str) -> str:
    """The message about more arguments than a command takes."""
    from convlint.settings.misread_targets import SHAPE

    arguments = [option.metavar for option in _options_of(_used()) if option.panel == ARGUMENTS]
    if not arguments:
        return f"it takes no arguments: {words}"
    shape = ",".join(words.split())
    if arguments == ["TARGET"] and (SHAPE.fullmatch(shape) or shape.isdecimal()):
        given = sys.argv[sys.argv.index("--input") + 1 :][:1] if "--input" in sys.argv else []
        return f"the numbers of a shape are separated by commas, as in --input {','.join([*given, shape])}"
    if all("=" in word for word in words.split()):
        return f"arguments of a class are written in parentheses, as in 'net.py:Net({shape})'"
    return f"it takes one {arguments[0]}, and {words} is one more; run it once for each"


def _as_here(command: str, arguments: Sequence[str]) -> str:
    """The command line with a command as other tools call it, as it is written here."""
    pattern = _COMMANDS[command]
    pattern = pattern if "{}" in pattern or pattern.startswith("-") else f"{pattern} {{}}"
    return " ".join(f"convlint {pattern.format(' '.join(arguments), word=command)}".split())


def _numeric_option(flag: str) -> Option | None:
    """The option of this flag if its values are numbers."""
    from convlint.cli.app import COMMANDS

    options = [option for request, _ in COMMANDS.values() for option in request.options().values()]
    return next((each for each in options if flag in each.flags and each.kind in (int, float)), None)


def _refused_choice(option: str, value: str, choices: Sequence[str]) -> str:
    from convlint.cli.app import COMMANDS

    if "," in value and set(value.split(",")) <= {*choices}:
        return f"takes one format, not {value}; run convlint once for each"
    for name, (request, _) in COMMANDS.items():
        if any(option in each.flags and value in each.choices for each in request.options(name).values()):
            return f"{value} is a value of `convlint {name}`, not of this command"
    return f"{value!r} is unknown{nearest(value, tuple(choices))}"


def _advice(option: str, possible: Sequence[str], command: str) -> str:
    """Suggest what to write instead of an option that ``command`` does not have."""
    from convlint.cli.app import COMMANDS

    if option in _VERSION:
        return "; did you mean `convlint --version`?"
    if option in _SETTINGS:
        return "; settings are read from pyproject.toml or convlint.toml of the project"
    used = next(iter(_used()), "")
    flags = {flag for each in _options_of(_used()) for flag in each.flags}
    if command == "convlint" and option.lstrip("-") in COMMANDS:
        return f"; commands are written without dashes: `convlint {option.lstrip('-')}`"
    if option in _WRITES and (writes := next((flag for flag in _WRITES if flag in flags), None)):
        return f"; did you mean `{writes}`?"
    if option in _NEEDLESS and used:
        return f"; {_NEEDLESS[option]}"
    if option in _MODELS and used:
        return f"; models and files are passed without an option, as in `convlint {used} net.py:Net`"
    if option in _OPTIONS:
        return f"; did you mean `{_OPTIONS[option].format('...')}`?"
    owners = {name: request.options(name) for name, (request, _) in COMMANDS.items()}
    having = [name for name, options in owners.items() if any(option in each.flags for each in options.values())]
    if command == "convlint" and used in having:
        before = sys.argv[1 : sys.argv.index(used)]
        return f"; options follow the command: `{' '.join(['convlint', used, *_words_after(used), *before])}`"
    if having and command != "convlint":
        return f"; `convlint {having[0]}` has it"
    word = option.lstrip("-")
    for each in _options_of(_used()):
        if each.flag.startswith(f"{option}-") and {*sys.argv} & {*each.choices}:
            return f"; did you mean `{each.flag} {next(value for value in sys.argv if value in each.choices)}`?"
        if value := next((name for name in (word, SYNONYMS.get(word)) if name in each.choices), None):
            return f"; did you mean `{each.flag} {value}`?"
    current = tuple(name.lstrip("-") for name in possible if name not in _OLD_NAMES)
    close = get_close_matches(word, current, n=1, cutoff=0.6)
    return f"; did you mean '--{close[0]}'?" if close else ""


def _words_after(command: str) -> Sequence[str]:
    """The arguments after a command, up to its first option."""
    after = sys.argv[sys.argv.index(command) + 1 :] if command in sys.argv else []
    return [*takewhile(lambda word: not word.startswith("-"), after)]


def _is_target(word: str) -> bool:
    """Return True for a word in the place of a command that is a target of a command."""
    return os.path.exists(word) or word.endswith(".py") or ":" in word
