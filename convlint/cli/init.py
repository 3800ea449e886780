"""``convlint init``: write an initial configuration into pyproject.toml or convlint.toml."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any

from convlint.cli.progress import Progress
from convlint.outputs.parts.terminal import message, number_of
from convlint.pipelines.requests import InitRequest
from convlint.settings import config, discovery
from convlint.settings.schema import KEYS, MODEL_KEYS
from convlint.source_text import edits
from convlint.static.project_models import Detected, detect
from convlint.support import links
from convlint.support.errors import UsageError
from convlint.support.regular_file import read_regular_file

SHARED, OWN = "pyproject.toml", "convlint.toml"
_TEST_FILES = ("test_*.py", "*_test.py", "tests.py", "conftest.py")
_TEST_FOLDERS = ("tests", "test", "testing")
_COMMENTED_KEYS = ("ignore", "exclude", "fail-on")
_COMMENTED_MODEL_KEYS = ("target", "input")
_MAX_FACTORIES = 3  # functions to propose of those that build the same class


def run(request: InitRequest, _: object = None) -> int:
    """Propose a configuration for the project in the working directory, and return the exit code.

    Asks on a terminal before it writes, unless ``--yes`` is given. Raises UsageError.
    """
    name = SHARED if os.path.isfile(SHARED) else OWN
    before = _current_text(name)
    proposed, others = _select(_detect(request.paths))
    text = _toml(proposed, shared=name == SHARED)
    after = _appended(before, text, name)
    if request.dry_run:
        print(text, end="")
        _print_error(f"Would write this to {name}.")
    else:
        if not request.yes and sys.stdin.isatty() and sys.stderr.isatty():
            print(text, file=sys.stderr)
            if not _confirm(f"Write this to {name}? [Y/n] "):
                _print_error("Nothing was written.")
                return 0
        _write(name, after)
        print(f"Wrote {number_of(len(proposed), 'model')} to {name}.")
    _explain(proposed, others, name)
    return 0


def _current_text(name: str) -> str:
    """The text of the file to write to. Raises UsageError if there is a configuration already."""
    for path in (OWN, SHARED):
        if not os.path.isfile(path):
            continue
        table, text = _read(path)
        if path == OWN or "convlint" in table.get("tool", {}):
            state = "exists" if path == OWN else f"has [tool.convlint] already{_line_of(text)}"
            raise UsageError(f"{path} {state}; edit it, or delete it to write a new one")
    return _read(name)[1] if os.path.isfile(name) else ""


def _read(path: str) -> tuple[dict[str, Any], str]:
    try:
        text = read_regular_file(path).decode()
        return tomllib.loads(text.replace("\r\n", "\n")), text
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _line_of(text: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[+\s*tool\s*\.\s*[\"']?convlint\b", line):
            return f" (line {number})"
    return ""


# --- models


def _detect(paths: Sequence[str]) -> list[Detected]:
    found = discovery.find(paths or ["."], root=os.getcwd())
    for problem in found.problems:
        if problem.kind != "no-files":
            raise UsageError(problem.message)
    own = [path for path in found.files if paths or not _is_test(path)]
    with Progress().during(f"analyzing {number_of(len(own), 'file')}"):
        return detect(own, os.getcwd())


def _is_test(path: str) -> bool:
    *folders, name = path.split(os.sep)
    return any(fnmatch(name, pattern) for pattern in _TEST_FILES) or any(folder in _TEST_FOLDERS for folder in folders)


def _select(detected: Sequence[Detected]) -> tuple[list[Detected], list[Detected]]:
    """The models to configure and the others.

    Of the targets that build one class, the class itself is configured, or else the first few functions.
    """
    counts: dict[object, int] = {}
    classes = {model.family for model in detected if _is_class(model) and not model.missing}
    proposed, others = [], []
    for model in detected:
        count = counts.get(model.family, 0)
        wanted = _is_class(model) if model.family in classes else count < _MAX_FACTORIES
        if model.missing or not wanted:
            others.append(model)
            continue
        counts[model.family] = count + 1
        proposed.append(model)
    return proposed, others


def _is_class(model: Detected) -> bool:
    name = model.target.partition(":")[2].partition("(")[0]
    return model.target.startswith(f"{model.family[0]}:") and name == model.family[1]


def _toml(proposed: Sequence[Detected], *, shared: bool) -> str:
    """The configuration as TOML, for pyproject.toml if ``shared``."""
    head = ["[tool.convlint]"] if shared else []
    head += [f"# {key.name} = {key.example}" for key in KEYS if key.name in _COMMENTED_KEYS]
    table = "[[tool.convlint.models]]" if shared else "[[models]]"
    blocks = ["\n".join(head)]
    for model in proposed:
        lines = [table, f"target = {_quoted(model.target)}"]
        why = message(model.why) or "the input is determined by a run"
        if model.inputs:
            value = ", ".join(map(_quoted, model.inputs))
            lines.append(f"input = {value if len(model.inputs) == 1 else f'[{value}]'}  # {why}")
        else:
            lines[-1] += f"  # {why}"
        blocks.append("\n".join(lines))
    if not proposed:
        keys = [key for key in MODEL_KEYS if key.name in _COMMENTED_MODEL_KEYS]
        lines = [table, *(f"{key.name} = {key.example}" for key in keys)]
        blocks.append("\n".join(f"# {line}" for line in lines))
    return "\n\n".join(blocks) + "\n"


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False).replace("##", "#\\u0023")  # which runners of CI systems execute
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


# --- writing


def _appended(before: str, text: str, name: str) -> str:
    """The file with the configuration appended. Raises UsageError if the result is not valid TOML."""
    ends = "\r\n" if "\r\n" in before else "\n"
    own = before.rstrip()
    after = f"{own}{ends * 2 if own else ''}" + text.replace("\n", ends)
    try:
        table = tomllib.loads(after.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: [tool.convlint] cannot be added at its end: {error}") from None
    config.parse(table["tool"]["convlint"] if name == SHARED else table, name)
    return after


def _write(name: str, text: str) -> None:
    if links.leads_out(name):
        raise UsageError(links.refusal(name))
    try:
        edits.write_atomically(name, text.encode())
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {error.strerror or error}") from None


def _confirm(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    answer = sys.stdin.readline()  # "" if the terminal was closed
    return answer.strip().lower() in ("y", "yes") or answer == "\n"


def _explain(proposed: Sequence[Detected], others: Sequence[Detected], name: str) -> None:
    """Print which models were left out, and what to do next."""
    families = {model.family for model in proposed}
    incomplete = [model for model in others if model.missing and model.family not in families]
    for model in incomplete[:5]:
        _print_error(f"Skipped {model.target}: {model.missing}.")
    if len(incomplete) > 5:
        _print_error(f"Skipped {number_of(len(incomplete) - 5, 'class')} more for the same reason.")
    targets = [model.target for model in others if not model.missing]
    if targets:
        more = f" and {len(targets) - 5} more" if len(targets) > 5 else ""
        _print_error(f"Skipped targets of the same classes: {', '.join(targets[:5])}{more}.")
    if proposed:
        _print_error("Run `convlint check` to check these models.")
    else:
        _print_error(f"No model is complete; add one with its arguments and inputs to {name}.")


def _print_error(text: str) -> None:
    print(message(text), file=sys.stderr)
