"""Find the files to check: Python files in directories, except those that are excluded or that git ignores.

A file that is passed itself is checked whatever its name is and even if it is excluded, unless ``force`` is set, as in
ruff. Links to directories are not followed, because they may form a loop.
"""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from math import comb
from typing import TYPE_CHECKING

from convlint.ir import Problem
from convlint.support.dataclass import dataclass, field, replace
from convlint.support.errors import UsageError, nearest_file
from convlint.support.regular_file import read_regular_file

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

DEFAULT_EXCLUDE = (
    *(".git", ".hg", ".svn", ".bzr", ".venv", "venv", ".direnv", ".eggs", ".tox", ".nox"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".convlint_cache", "__pycache__"),
    *(".ipynb_checkpoints", ".idea", ".vscode", "__pypackages__", "node_modules", "site-packages"),
    *("_build", "build", "buck-out", "dist"),
    ".#*",  # the lock of an Emacs that edits the file, a link to nothing
)
"""Directories and files that are skipped in a directory: those of ruff, and the usual caches."""


MOST_PATTERNS = 10_000
"""Exclusions, and lines of a .gitignore file: more would take seconds."""
_MOST_PATTERN_BYTES = 200_000  # of all exclusions, and of a .gitignore file
_MOST_STEPS = 10_000_000  # to match a path with the patterns of all .gitignore files: a tenth of a second


@dataclass(frozen=True, repr=False)
class DiscoveredFiles:
    """The files to check, in order, each once, and the problems of those that cannot be read."""

    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def find(
    targets: Iterable[str], *, exclude: Sequence[str] = (), root: str = ".", force: bool = False
) -> DiscoveredFiles:
    """Find the Python files of ``targets``, which are files and directories.

    ``exclude`` adds globs to the default ones: without a slash they match a name at any depth, with a slash a path
    relative to ``root``. ``force`` applies them to the targets too. A path that is missing or cannot be read, and a
    directory without Python files, is a problem. Raises UsageError for too many exclusions.
    """
    if len(exclude) > MOST_PATTERNS:
        raise UsageError(f"{len(exclude):,} patterns are excluded; the limit is {MOST_PATTERNS:,}")
    if (size := sum(map(len, exclude))) > _MOST_PATTERN_BYTES:
        raise UsageError(f"the excluded patterns have {size:,} characters; the limit is {_MOST_PATTERN_BYTES:,}")
    excluded = _Exclusions((*DEFAULT_EXCLUDE, *exclude), os.path.abspath(root))
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for target in targets:
        if force and any(excluded(path) for path in _upwards(os.path.abspath(target))):
            continue
        if not os.path.isdir(target):
            problem = _unreadable(target) or _endless(target)
            if problem is None:
                files.setdefault(os.path.realpath(target), display_path(target))
            else:
                problems.append(problem)
            continue
        walk = _Walk(excluded)
        below = list(walk.files(target))
        problems += walk.problems
        if not below and not walk.problems:
            text = f"no Python files to check in {target}"
            if any(excluded(path) for path in _upwards(os.path.abspath(target))):
                text += ": it is excluded; name the files"
            problems.append(Problem("no-files", text, path=target))
        for path in below:
            files.setdefault(os.path.realpath(path), display_path(path))
    return DiscoveredFiles(tuple(files.values()), tuple(problems))


def display_path(path: str) -> str:
    """A path as in reports: relative to the working directory if it is inside."""
    below = os.path.join(os.getcwd(), "")
    absolute = os.path.abspath(path)
    return absolute[len(below) :] if absolute.startswith(below) else path


def cache_folder(root: str) -> str | None:
    """The cache directory of the project in ``root``; None if ``root`` is not a project, or the directory a link."""
    marks = (".git", "pyproject.toml", "convlint.toml", "setup.py", "setup.cfg")
    folder = os.path.join(root, ".convlint_cache")
    if os.path.islink(folder) or not any(os.path.exists(os.path.join(root, mark)) for mark in marks):
        return None
    return folder


def _unreadable(path: str) -> Problem | None:
    """The problem of a path that is missing or not accessible."""
    try:
        os.stat(path)
    except FileNotFoundError:
        what = "is a broken link" if os.path.islink(path) else f"does not exist{nearest_file(path)}"
        return Problem("missing-file", f"{path} {what}", path=path)
    except OSError as error:
        return unreadable(path, error)
    return None


def _endless(path: str) -> Problem | None:
    """The problem of a pipe or device, which might never end.

    Pipes that this process has open, as in ``<(git show ...)``, do end.
    """
    if os.path.isfile(path) or path.startswith(("/dev/stdin", "/dev/fd/", "/proc/self/fd/")):
        return None
    return Problem("unreadable-file", f"{path} cannot be read: it is a pipe or a device", path=path)


def unreadable(path: str, error: OSError) -> Problem:
    """The problem of a file or directory that cannot be read."""
    reason = error.strerror or type(error).__name__
    return Problem("unreadable-file", f"{path} cannot be read: {reason}", path=path)


# --- what is excluded


class _Exclusions:
    """Matches names and paths with the globs of exclusions."""

    def __init__(self, patterns: Iterable[str], root: str) -> None:
        self._patterns = tuple(patterns)
        self._root = root

    def __call__(self, path: str) -> bool:
        names, paths = self._compiled
        return bool(names.match(os.path.basename(path)) or (paths and paths.match(path)))

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
        """The patterns of names and of paths; compiled for the first directory."""
        from fnmatch import translate
        from glob import escape

        names, paths = [], []
        for pattern in self._patterns:
            if os.sep in pattern.rstrip(os.sep):
                paths.append(translate(os.path.join(escape(self._root), os.path.normpath(pattern))))
            else:
                names.append(translate(pattern.rstrip(os.sep)))
        return re.compile("|".join(names)), re.compile("|".join(paths)) if paths else None


def _upwards(path: str) -> Iterator[str]:
    """A path and the directories above it."""
    while path != os.path.dirname(path):
        yield path
        path = os.path.dirname(path)


@dataclass(frozen=True, repr=False)
class _Ignores:
    """The rules in the .gitignore files of a directory and of those above it, the outermost first."""

    specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()
    wildcards: Counter[int] = field(default_factory=Counter)  # the number of patterns by that of their wildcards
    problems: tuple[Problem, ...] = ()

    def __call__(self, path: str, *, folder: bool) -> bool:
        """Return whether a path is ignored. Raises OSError if that takes long."""
        if self.wildcards:
            length = len(path) - len(self.specs[0][0])
            if sum(times * comb(length, count) for count, times in self.wildcards.items()) > _MOST_STEPS:
                reason = "the patterns of .gitignore have too many wildcards for so long a path"
                raise OSError(errno.EINVAL, reason, path)
        for base, spec in reversed(self.specs):
            relative = os.path.relpath(path, base).replace(os.sep, "/")
            verdict = spec.check_file(relative + "/" if folder else relative).include
            if verdict is not None:
                return verdict
        return False

    def within(self, folder: str, file: str = ".gitignore") -> _Ignores:
        """These rules and those of ``file`` in a directory."""
        path = os.path.join(folder, file)
        if not os.path.lexists(path):  # an error would cost as much as a line of patterns
            return self
        try:
            lines = read_regular_file(path, _MOST_PATTERN_BYTES).decode(errors="replace").splitlines()
            spec = _spec(path, lines)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return self
        except OSError as error:
            return replace(self, problems=(*self.problems, unreadable(display_path(path), error)))
        counts = [len(re.findall(r"\*+", line)) for line in lines if not line.startswith("#")]
        several = Counter(count for count in counts if count > 1)
        return replace(self, specs=(*self.specs, (folder, spec)), wildcards=self.wildcards + several)


def _spec(path: str, lines: Sequence[str]) -> GitIgnoreSpec:
    """The rules of a .gitignore file; git ignores those that are not valid. Raises OSError for too many."""
    from pathspec import GitIgnoreSpec

    if len(lines) > MOST_PATTERNS:
        raise OSError(errno.EFBIG, f"it has more than {MOST_PATTERNS:,} lines", path)
    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error):  # re.error: of `[z-a]`
        return GitIgnoreSpec.from_lines([line for line in lines if _is_valid(line)])


def _is_valid(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):  # re.error: of `[z-a]`
        return False
    return True


def _above(folder: str) -> _Ignores | None:
    """The rules of the .gitignore files above a directory, up to the root of its repository; None if they ignore it."""
    over = []
    for above in _upwards(folder):
        over.append(above)
        if os.path.exists(os.path.join(above, ".git")):
            break
    else:
        return _Ignores()
    ignores = _Ignores().within(over[-1], os.path.join(".git", "info", "exclude"))
    for above, below in zip(reversed(over[1:]), reversed(over[:-1]), strict=True):
        ignores = ignores.within(above)
        if ignores(below, folder=True):
            return None
    return ignores


# --- walking


@dataclass(repr=False)
class _Walk:
    """One walk through a directory."""

    excluded: _Exclusions
    problems: list[Problem] = field(default_factory=list)

    def files(self, top: str) -> Iterator[str]:
        """The Python files in ``top``, sorted by name."""
        try:
            above = _above(os.path.abspath(top))
        except OSError as error:
            self.problems.append(unreadable(error.filename or top, error))
            return
        if above is None:
            return
        self.problems += above.problems
        pending = [(top, above)]
        while pending:
            path, ignores = pending.pop()
            if path is not top and path.endswith(".py") and not os.path.isdir(path):
                if os.path.isfile(path):
                    yield path
                elif (problem := _unreadable(path)) is not None:
                    self.problems.append(problem)
                continue
            try:
                ignores = replace(ignores, problems=()).within(os.path.abspath(path))
                self.problems += ignores.problems
                entries = sorted(os.scandir(path), key=lambda entry: entry.name, reverse=True)
            except OSError as error:
                self.problems.append(unreadable(path, error))
                continue
            pending += [(entry.path, ignores) for entry in entries if self._kept(entry, ignores)]

    def _kept(self, entry: os.DirEntry[str], ignores: _Ignores) -> bool:
        folder = entry.is_dir(follow_symlinks=False)
        if not folder and not entry.name.endswith(".py"):
            return False
        try:
            if not folder and entry.is_dir():
                return False
        except OSError:  # a link to itself: a problem when it is read
            return True
        path = os.path.abspath(entry.path)
        try:
            return not self.excluded(path) and not ignores(path, folder=folder)
        except OSError as error:
            self.problems.append(unreadable(display_path(path), error))
            return False
