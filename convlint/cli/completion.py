"""Shell completion of rule codes and of targets. Classes are read from the text of a file; nothing is imported."""

from __future__ import annotations

import ast
import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence

from convlint.rules.codes import codes
from convlint.support.regular_file import read_regular_file

_BREAKS = (":", "=")  # where bash splits words


def complete_code(incomplete: str) -> list[tuple[str, str]]:
    """Codes and names of rules that start so, each with the other as its help; in a list with commas, the last."""
    before, comma, start = incomplete.rpartition(",")
    by_code = [(f"{before}{comma}{code}", name) for code, name in codes().items() if code.startswith(start.upper())]
    by_name = [(f"{before}{comma}{name}", code) for code, name in codes().items() if start and name.startswith(start)]
    return by_code + by_name


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of rewrites."""
    from convlint.rewriting.kinds import kinds

    return sorted(kind for kind in kinds() if kind.startswith(incomplete))


def complete_column(incomplete: str) -> list[str]:
    """Columns of the table of layers; in a list with commas, the last."""
    from convlint.outputs.parts.columns import COLUMNS

    before, comma, start = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in COLUMNS if name.startswith(start)]


def complete_target(incomplete: str) -> list[str]:
    """Python files and directories that start so, or the classes and functions of a file after a colon."""
    path, colon, name = incomplete.rpartition(":")
    if colon:
        return [f"{path}:{each}" for each in _definitions(path, name)]
    return list(_files(incomplete))


def complete_for_bash(run: Callable[[], int]) -> int:
    """Run a completion for bash, which splits words at ``:`` and ``=`` and replaces only the last part.

    ``run`` completes the whole word, ``net.py:Ne``; what bash keeps of it, ``net.py:``, is removed from the answers.
    """
    words, index = os.environ.get("COMP_WORDS", "").split(), int(os.environ.get("COMP_CWORD", "0"))
    joined = _joined(words[: index + 1] + [""] * (index >= len(words)))
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = " ".join(joined), str(len(joined) - 1)
    before, colon, _ = joined[-1].rpartition(":")
    answers = io.StringIO()
    try:
        with contextlib.redirect_stdout(answers):
            return run()
    finally:
        for line in answers.getvalue().splitlines():
            print(line.removeprefix(f"{before}{colon}"))


def _joined(words: Sequence[str]) -> list[str]:
    """The words with those that bash split joined again."""
    joined: list[str] = []
    for word in words:
        if joined and (word in _BREAKS or joined[-1].endswith(_BREAKS)):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _definitions(path: str, start: str) -> Iterator[str]:
    """The classes of a file that have a base, then its public functions, whose names start so."""
    try:
        body = ast.parse(read_regular_file(path)).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    classes = [node.name for node in body if isinstance(node, ast.ClassDef) and node.bases]
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    yield from dict.fromkeys(name for name in classes + functions if name.startswith(start))


def _files(start: str) -> Iterator[str]:
    folder, name = os.path.split(start)
    try:
        entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(name) or (entry.name.startswith(".") and not name):
            continue
        path = os.path.join(folder, entry.name)
        if entry.is_dir():
            yield f"{path}{os.sep}"
        elif entry.name.endswith(".py"):
            yield path
