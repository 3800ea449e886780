"""Cache findings by content: a file is linted again when it, or a file that it depends on, has changed.

A project has one cache file, ``.convlint_cache/<name>.json``, which is read and written as a whole. It holds digests
and findings as JSON, never pickle, and is invalid if ``cache_key`` is another. It is inside the project, as are the
caches of ruff, mypy and pytest. Its first line has a digest of the rest, so that a damaged file is ignored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import convlint
from convlint.ir import Coverage, Finding
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass, field
from convlint.support.reachability import Reachability
from convlint.support.regular_file import read_regular_file

Content = str | bytes
"""The digest of a file's content, or within one process the content itself; empty for a file that does not exist."""

_MOST_BYTES = 1 << 30  # of the cache file
_GITIGNORE = "*\n"  # git ignores the whole directory
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# https://bford.info/cachedir/ is what it says.\n"


@dataclass(slots=True)
class _Entries:
    """Findings by file, the contents of files for which they hold, and the files on which each file depends directly.

    All paths are absolute. The files that findings depend on are those that are reached from their file.
    """

    findings: dict[str, Any] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    uses: dict[str, list[str]] = field(default_factory=dict)

    def update(
        self, findings: Mapping[str, Any], contents: Mapping[str, Content], uses: Mapping[str, list[str]]
    ) -> None:
        """Add new findings, and forget those that depend on a file whose content was another."""
        changed = {path for path, content in contents.items() if self.contents.get(path, "") != content}
        for path in self._users(changed):
            self.findings.pop(path, None)
        for path, used in uses.items():  # of a file that is unchanged, other findings may have needed other imports
            self.uses[path] = used if path in changed else sorted({*used, *self.uses.get(path, ())})
        self.contents |= contents
        self.findings |= findings

    def forget(self, gone: Collection[str]) -> None:
        for path in gone:
            self.findings.pop(path, None)

    def _users(self, files: Iterable[str]) -> set[str]:
        """These files, and those that depend on them, directly or not."""
        users: dict[str, list[str]] = {}
        for user, used in self.uses.items():
            for path in used:
                users.setdefault(path, []).append(user)
        found = set(files)
        pending = [*found]
        while pending:
            new = set(users.get(pending.pop(), ())) - found
            found |= new
            pending += new
        return found


class Checked(NamedTuple):
    """The findings of a file, and the coverage of its classes."""

    findings: Sequence[Finding]
    coverage: tuple[Coverage, ...]


class Cache:
    """Findings of files by their contents.

    ``folder`` is None for a cache in memory. ``context`` is everything that findings depend on except the contents of
    files: directories and configuration.
    """

    def __init__(self, folder: str | None, context: Sequence[object] = ()) -> None:
        self._folder = folder
        self._context = context
        self._entries = _Entries() if folder is None else self._read(folder)
        self._contents: dict[str, Content] = {}
        self._texts = SourceTexts()
        self._is_stale = Reachability(lambda path: self._entries.uses.get(path, ()), self._has_changed)

    def forget(self, path: str) -> None:
        """Free what is kept of a file, unless another one depends on it. The cache on disk stays as it is."""
        path, uses = os.path.abspath(path), self._entries.uses
        if any(path in used for user, used in uses.items() if user != path):
            return
        self._entries.findings.pop(path, None)
        used = uses.pop(path, [])
        for each in {path, *used}.difference(self._entries.findings, *uses.values()):
            self._entries.contents.pop(each, None)

    def forget_files(self) -> None:
        """Read files again that findings depend on: they may have changed since the last call."""
        self._contents.clear()
        self._is_stale.clear()

    def get(self, path: str, texts: SourceTexts) -> Checked | None:
        """The findings and coverage of a file, None if they are unknown. ``texts`` gives the contents of all files."""
        path = os.path.abspath(path)
        self._texts = texts
        found = self._entries.findings.get(path)
        if found is None or self._is_stale(path):
            return None
        try:
            return self._decoded(found)
        except (TypeError, ValueError, AttributeError):
            return None

    def put(self, checked: Mapping[str, Checked], uses: Mapping[str, Iterable[str]], texts: SourceTexts) -> None:
        """Store the findings and coverage of files, and the files on which each depends directly, in absolute paths.

        If several processes write the cache file at the same time, the last one wins.
        """
        if not checked:
            return
        self._texts = texts
        new = {os.path.abspath(path): self._encoded(found) for path, found in checked.items()}
        all_uses = {path: sorted(used) for path, used in uses.items()}
        files = {*new, *all_uses, *(used for each in all_uses.values() for used in each)}
        contents = {
            path: content for path in files if (content := self._content_of(path)) or path in self._entries.contents
        }
        if self._folder is not None:
            self._entries = self._read(self._folder)
        self._entries.update(new, contents, all_uses)
        self._is_stale.clear()
        if self._folder is not None:
            self._save(self._folder)

    def _has_changed(self, path: str) -> bool:
        return self._content_of(path) != self._entries.contents.get(path, "")

    def _content_of(self, path: str) -> Content:
        """The content of a file; empty for a file that cannot be read."""
        if path not in self._contents:
            try:
                data = self._texts.data(path)
                self._contents[path] = data if self._folder is None else _digest(data)
            except OSError:
                self._contents[path] = ""
        return self._contents[path]

    # --- the cache file

    def _encoded(self, checked: Checked) -> Any:
        if self._folder is None:
            return checked
        from convlint.ir import serialize

        return [serialize.encode(tuple(checked.findings)), serialize.encode(tuple(checked.coverage))]

    def _decoded(self, found: Any) -> Checked:
        if self._folder is None:
            return found  # type: ignore[no-any-return]
        from convlint.ir import serialize

        findings, coverage = found
        return Checked(
            [serialize.decode(Finding, value) for value in findings],
            tuple(serialize.decode(Coverage, value) for value in coverage),
        )

    def _save(self, folder: str) -> None:
        import json

        self._entries.forget([path for path in self._entries.findings if not os.path.exists(path)])
        entries = json.dumps([self._entries.findings, self._entries.contents, self._entries.uses])
        text = json.dumps({"key": self._key, "digest": _digest(entries.encode())}) + f"\n{entries}"
        try:
            self._make_folder(folder)
            _write(self._file, text)
        except OSError:
            return  # without a cache the next command lints all files again

    def _make_folder(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        for name, text in ((".gitignore", _GITIGNORE), ("CACHEDIR.TAG", _TAG)):
            path = os.path.join(folder, name)
            if not os.path.exists(path):
                _write(path, text)

    def _read(self, folder: str) -> _Entries:
        import json

        name = _digest(repr((os.getcwd(), sys.version_info[:2])).encode())
        self._key = cache_key(self._context)
        self._file = os.path.join(folder, f"{name}.json")
        try:
            first, _, text = read_regular_file(self._file, _MOST_BYTES).partition(b"\n")
            head = json.loads(first)
            if head != {"key": self._key, "digest": _digest(text)}:
                return _Entries()
            entries = json.loads(text)
        except (OSError, ValueError, RecursionError):
            return _Entries()
        return _entries(entries)


def _entries(value: Any) -> _Entries:
    """Entries from JSON; none if the value does not have their form."""
    match value:
        case [dict(findings), dict(contents), dict(uses)] if (
            all(isinstance(found, list) for found in findings.values())
            and all(isinstance(content, str) for content in contents.values())
            and all(isinstance(used, list) and all(isinstance(p, str) for p in used) for used in uses.values())
        ):
            return _Entries(findings, contents, uses)
    return _Entries()


def _write(path: str, text: str) -> None:
    from convlint.support.atomic_write import atomic_replacement

    # A stranger's project may contain links in the place of these files.
    with (
        atomic_replacement(path, durable=False, follow_links=False) as temporary,
        open(temporary, "x", encoding="ascii") as file,
    ):
        file.write(text)


def _digest(data: bytes) -> str:
    from hashlib import blake2b

    return blake2b(data, digest_size=16).hexdigest()


def cache_key(context: Sequence[object]) -> str:
    """The key under which findings are valid: of convlint itself, and of directories and configuration."""
    return _digest(repr((_version(), context)).encode())


def _version() -> tuple[object, ...]:
    """The version of convlint, and the sizes and times of its files, which change during development."""
    files = []
    pending = list(convlint.__path__)
    while pending:
        for entry in os.scandir(pending.pop()):
            if entry.is_dir():
                pending.append(entry.path)
            elif entry.name.endswith(".py"):
                status = entry.stat()
                files.append((entry.path, status.st_size, status.st_mtime_ns))
    return (convlint.__version__, *sorted(files))
