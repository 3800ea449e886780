"""Cache findings by content: a file is linted again when it, or a file that it depends on, has changed.

A project has one cache file, ``.convlint_cache/<name>.json``, which is read and written as a whole. It holds digests
and findings as JSON, never pickle, and is invalid if ``cache_key`` is another. It is inside the project, as are the
caches of ruff, mypy and pytest. Its first line has a digest of the rest, so that a damaged file is ignored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import convlint
from convlint.ir import Finding
from convlint.source_text.texts import SourceTexts

Content = str | bytes
"""The digest of a file's content, or within one process the content itself."""
_Entry = tuple[Content, dict[str, Content], Sequence[Finding]]
"""The content of a file, of the files that it depends on, and its findings."""

_GITIGNORE = "*\n"  # git ignores the whole directory
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# https://bford.info/cachedir/ is what it says.\n"


class Cache:
    """Findings of files by their contents.

    ``folder`` is None for a cache in memory. ``context`` is everything that findings depend on except the contents of
    files: directories and configuration.
    """

    def __init__(self, folder: str | None, context: Sequence[object] = ()) -> None:
        self._folder = folder
        self._context = context
        self._known: dict[str, _Entry] = {}
        self._stored: dict[str, Any] = {} if folder is None else self._read(folder)
        self._contents: dict[str, Content] = {}
        self._changed = False

    def forget_files(self) -> None:
        """Read files again that entries depend on: they may have changed since the last call."""
        self._contents.clear()

    def get(self, path: str, data: bytes, texts: SourceTexts) -> list[Finding] | None:
        """The findings of a file with this content, None if they are unknown. ``texts`` gives all other files."""
        path = os.path.abspath(path)
        entry = self._known.get(path) or self._restored(path)
        if entry is None:
            return None
        content, files, findings = entry
        if content != self._content(data):
            return None
        if any(self._content_of(file, texts) != known for file, known in files.items()):
            return None
        return list(findings)

    def put(
        self, path: str, data: bytes, texts: SourceTexts, files: Iterable[str], findings: Sequence[Finding]
    ) -> None:
        """Store the findings of a file, which depend on the contents of ``files`` too."""
        path = os.path.abspath(path)
        others = {os.path.abspath(file) for file in files} - {path}
        contents = {file: self._content_of(file, texts) for file in sorted(others)}
        self._known[path] = (self._content(data), contents, findings)
        self._changed = True

    def _content(self, data: bytes) -> Content:
        return data if self._folder is None else _digest(data)

    def _content_of(self, path: str, texts: SourceTexts) -> Content:
        """The content of a file; empty for a file that cannot be read."""
        if path not in self._contents:
            try:
                self._contents[path] = self._content(texts.data(path))
            except OSError:
                self._contents[path] = ""
        return self._contents[path]

    # --- the cache file

    def _restored(self, path: str) -> _Entry | None:
        """An entry of the cache file; None if there is none or it is not valid."""
        if path not in self._stored:
            return None
        from convlint.ir import serialize

        try:
            content, files, findings = self._stored[path]
            return content, dict(files), [serialize.decode(Finding, value) for value in findings]
        except (TypeError, ValueError, AttributeError):
            return None

    def save(self) -> None:
        """Write new entries. If several processes write at the same time, the last one wins."""
        if self._folder is None or not self._changed:
            return
        import json

        from convlint.ir import serialize

        current = {path: entry for path, entry in self._read(self._folder).items() if os.path.exists(path)}
        entries = json.dumps(current | serialize.encode(self._known))
        text = json.dumps({"key": self._key, "digest": _digest(entries.encode())}) + f"\n{entries}"
        try:
            self._make_folder(self._folder)
            _write(self._file, text)
        except OSError:
            return  # without a cache the next command lints all files again

    def _make_folder(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        for name, text in ((".gitignore", _GITIGNORE), ("CACHEDIR.TAG", _TAG)):
            path = os.path.join(folder, name)
            if not os.path.exists(path):
                _write(path, text)

    def _read(self, folder: str) -> dict[str, Any]:
        import json

        name = _digest(repr((os.getcwd(), sys.version_info[:2])).encode())
        self._key = cache_key(self._context)
        self._file = os.path.join(folder, f"{name}.json")
        try:
            with open(self._file, "rb") as file:
                head, text = json.loads(file.readline()), file.read()
            if head != {"key": self._key, "digest": _digest(text)}:
                return {}
            entries = json.loads(text)
        except (OSError, ValueError, RecursionError):
            return {}
        return entries if isinstance(entries, dict) else {}


def _write(path: str, text: str) -> None:
    from convlint.support.atomic_write import atomic_replacement

    with atomic_replacement(path, durable=False) as temporary, open(temporary, "x", encoding="ascii") as file:
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
