"""``convlint init``: proposes the first settings of a project, and writes them into pyproject.toml or convlint.toml."""

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
from convlint.outputs.parts.terminal import number_of
from convlint.settings import config, discovery
from convlint.settings.schema import KEYS, MODEL_KEYS
from convlint.source_text import edits
from convlint.static.project_models import Detected, detect
from convlint.support.errors import UsageError

SHARED, OWN = "pyproject.toml", "convlint.toml"
_OF_TESTS = ("test_*.py", "*_test.py", "tests.py", "conftest.py")
_FOLDERS_OF_TESTS = ("tests", "test", "testing")
_SHOWN_KEYS = ("ignore", "exclude", "fail-on")
_SHOWN_OF_A_MODEL = ("target", "input")
_FACTORIES = 3
"""Functions proposed of those that build the same class."""


def init(paths: Sequence[str], *, yes: bool, dry_run: bool) -> int:
    """Propose settings for the project in the working directory, and give the exit code. Raises UsageError.

    Without ``yes`` it asks before it writes, unless nobody is there to answer. ``dry_run`` prints what it would write.
    """
    name = SHARED if os.path.isfile(SHARED) else OWN
    before = _before(name)
    found = _found(paths)
    proposed, others = _chosen(found)
    text = _text(proposed, shared=name == SHARED)
    after = _extended(before, text, name)
    if dry_run:
        print(text, end="")
        _tell(f"Would write this to {name}.")
    else:
        if not yes and sys.stdin.isatty() and sys.stderr.isatty():
            _tell(text)
            if not _agreed(f"Write this to {name}? [Y/n] "):
                _tell("Nothing was written.")
                return 0
        _write(name, after)
        print(f"Wrote {number_of(len(proposed), 'model')} to {name}.")
    _explain(proposed, others, name)
    return 0


def _before(name: str) -> str:
    """The text of the file that gets the settings. Raises UsageError where some are there already."""
    for there in (OWN, SHARED):
        if not os.path.isfile(there):
            continue
        table, text = _read(there)
        if there == OWN or "convlint" in table.get("tool", {}):
            what = "exists" if there == OWN else f"has [tool.convlint] already{_line_of(text)}"
            raise UsageError(f"{there} {what}; edit it, or take it away for a new one")
    return _read(name)[1] if os.path.isfile(name) else ""


def _read(path: str) -> tuple[dict[str, Any], str]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        return tomllib.loads(text.replace("\r\n", "\n")), text
    except RecursionError:
        raise UsageError(f"{path}: it is nested too deep") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None


def _line_of(text: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[+\s*tool\s*\.\s*[\"']?convlint\b", line):
            return f" (line {number})"
    return ""


# --- what is proposed


def _found(paths: Sequence[str]) -> list[Detected]:
    looked = discovery.find(paths or ["."], root=os.getcwd())
    for problem in looked.problems:
        if problem.kind != "no-files":
            raise UsageError(problem.message)
    own = [path for path in looked.files if paths or not _is_test(path)]
    with Progress().during(f"following {number_of(len(own), 'file')}"):
        return detect(own, os.getcwd())


def _is_test(path: str) -> bool:
    *folders, name = path.split(os.sep)
    return any(fnmatch(name, pattern) for pattern in _OF_TESTS) or any(
        folder in _FOLDERS_OF_TESTS for folder in folders
    )


def _chosen(found: Sequence[Detected]) -> tuple[list[Detected], list[Detected]]:
    """The models to configure, and the others: of those that build one class the class itself, or else the first few
    functions.
    """
    counts: dict[object, int] = {}
    classes = {one.family for one in found if _is_class(one) and not one.missing}
    proposed, others = [], []
    for one in found:
        mine = _is_class(one) if one.family in classes else counts.get(one.family, 0) < _FACTORIES
        if one.missing or not mine:
            others.append(one)
            continue
        counts[one.family] = counts.get(one.family, 0) + 1
        proposed.append(one)
    return proposed, others


def _is_class(one: Detected) -> bool:
    name = one.target.partition(":")[2].partition("(")[0]
    return one.target.startswith(f"{one.family[0]}:") and name == one.family[1]


def _text(proposed: Sequence[Detected], *, shared: bool) -> str:
    """The settings as TOML."""
    head = ["[tool.convlint]"] if shared else []
    head += [f"# {key.name} = {key.example}" for key in KEYS if key.name in _SHOWN_KEYS]
    table = "[[tool.convlint.models]]" if shared else "[[models]]"
    blocks = ["\n".join(head)]
    for one in proposed:
        lines = [table, f"target = {_quoted(one.target)}"]
        why = one.why or "its input is found when it runs"
        if one.inputs:
            value = ", ".join(map(_quoted, one.inputs))
            lines.append(f"input = {value if len(one.inputs) == 1 else f'[{value}]'}  # {why}")
        else:
            lines[-1] += f"  # {why}"
        blocks.append("\n".join(lines))
    if not proposed:
        own = [f"{key.name} = {key.example}" for key in MODEL_KEYS if key.name in _SHOWN_OF_A_MODEL]
        blocks.append("\n".join(f"# {line}" for line in (table, *own)))
    return "\n\n".join(blocks) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- writing


def _extended(before: str, text: str, name: str) -> str:
    """The file with the settings behind what it has. Raises UsageError where TOML does not allow that."""
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
    try:
        edits.write_atomically(name, text.encode())
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {error.strerror or error}") from None


def _agreed(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    answer = sys.stdin.readline()  # "" where the terminal was closed
    return answer.strip().lower() in ("y", "yes") or answer == "\n"


def _explain(proposed: Sequence[Detected], others: Sequence[Detected], name: str) -> None:
    """What could not be proposed, and what to do next."""
    families = {one.family for one in proposed}
    lacking = [one for one in others if one.missing and one.family not in families]
    for one in lacking[:5]:
        _tell(f"Left out {one.target}: {one.missing}.")
    if len(lacking) > 5:
        _tell(f"Left out {number_of(len(lacking) - 5, 'class')} more for the same reason.")
    built = [one.target for one in others if not one.missing]
    if built:
        more = f" and {len(built) - 5} more" if len(built) > 5 else ""
        _tell(f"Left out what builds the same classes: {', '.join(built[:5])}{more}.")
    if proposed:
        _tell("`convlint check` runs these models.")
    else:
        _tell(f"No model was found that can be built; name one in {name}, and its input.")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
