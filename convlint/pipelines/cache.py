"""What was found in files, kept by content: a file is judged again when it, or a file that it leans on, changed.

There is one file for a project, ``.convlint_cache/<name>.json``, read and written as a whole. It holds digests and
findings as JSON, never pickle, and is thrown away when convlint, Python or the settings that matter are others. It
lies in the project, as the caches of ruff, mypy and pytest do: it goes where the project goes, and nothing is
written anywhere else. Its first line has a digest of the rest: what is broken is not used. What cannot be written is
not kept.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import convlint
from convlint.ir import Finding
from convlint.source_text.texts import SourceTexts

Mark = str | bytes
_Entry = tuple[Mark, dict[str, Mark], Sequence[Finding]]
"""What a file held, what others held, and what was found."""

_README = "*\n"  # as a .gitignore: git leaves the whole folder alone
_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# https://bford.info/cachedir/ is what it says.\n"
)


class Cache:
    """The findings that are known. ``folder`` is None for a cache that lives as long as the process.

    ``about`` is all that findings depend on besides the contents of files: folders and settings.
    """

    def __init__(self, folder: str | None, about: Sequence[object] = ()) -> None:
        self._folder = folder
        self._about = about
        self._known: dict[str, _Entry] = {}
        self._stored: dict[str, Any] = {} if folder is None else self._read(folder)
        self._marks: dict[str, Mark] = {}
        self._changed = False

    def look_again(self) -> None:
        """Forget what files held when they were last looked at."""
        self._marks.clear()

    def get(self, path: str, data: bytes, texts: SourceTexts) -> list[Finding] | None:
        """What was found in a file with this content, None if that is not known. ``texts`` gives all other files."""
        path = os.path.abspath(path)
        entry = self._known.get(path) or self._restored(path)
        if entry is None:
            return None
        mark, files, findings = entry
        if mark != self._mark(data):
            return None
        if any(self._mark_of(file, texts) != known for file, known in files.items()):
            return None
        return list(findings)

    def put(
        self,
        path: str,
        data: bytes,
        texts: SourceTexts,
        files: Iterable[str],
        findings: Sequence[Finding],
    ) -> None:
        """Keep what was found in a file, which depends on the contents of ``files`` too."""
        path = os.path.abspath(path)
        others = {os.path.abspath(file) for file in files} - {path}
        marks = {file: self._mark_of(file, texts) for file in sorted(others)}
        self._known[path] = (self._mark(data), marks, findings)
        self._changed = True

    def _mark(self, data: bytes) -> Mark:
        """What tells contents apart: within one process the contents do."""
        return data if self._folder is None else _digest(data)

    def _mark_of(self, path: str, texts: SourceTexts) -> Mark:
        """The same of a file; that of a file that cannot be read is empty."""
        if path not in self._marks:
            try:
                self._marks[path] = self._mark(texts.data(path))
            except OSError:
                self._marks[path] = ""
        return self._marks[path]

    # on the disk

    def _restored(self, path: str) -> _Entry | None:
        """An entry as it was written by another process; None where there is none, or no such thing."""
        if path not in self._stored:
            return None
        from convlint.ir import serialize

        try:
            mark, files, findings = self._stored[path]
            return mark, dict(files), [serialize.decode(Finding, value) for value in findings]
        except (TypeError, ValueError, AttributeError):
            return None

    def save(self) -> None:
        """Write what is new. Beside another process that does the same the last one wins."""
        if self._folder is None or not self._changed:
            return
        import json

        from convlint.ir import serialize

        kept = {
            path: entry for path, entry in self._read(self._folder).items() if os.path.exists(path)
        }
        entries = json.dumps(kept | serialize.encode(self._known))
        text = json.dumps({"key": self._key, "digest": _digest(entries.encode())}) + f"\n{entries}"
        try:
            self._make_folder(self._folder)
            _put(self._file, text)
        except OSError:
            return  # a folder that cannot be written: the next run judges anew, as this one did

    def _make_folder(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        for name, text in ((".gitignore", _README), ("CACHEDIR.TAG", _TAG)):
            path = os.path.join(folder, name)
            if not os.path.exists(path):
                _put(path, text)

    def _read(self, folder: str) -> dict[str, Any]:
        import json

        name = _digest(repr((os.getcwd(), sys.version_info[:2])).encode())
        self._key = _digest(repr((_version(), self._about)).encode())
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


def _put(path: str, text: str) -> None:
    from convlint.support.atomic_write import replacing

    with replacing(path, durable=False) as beside, open(beside, "x", encoding="ascii") as file:
        file.write(text)


def _digest(data: bytes) -> str:
    from hashlib import blake2b

    return blake2b(data, digest_size=16).hexdigest()


def _version() -> tuple[object, ...]:
    """This convlint, also while it is worked on: its version, and its files by size and time."""
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
