"""The import graph of a project: the files that each file imports, directly or not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from convlint.settings.data_files import SUFFIXES
from convlint.source_text.texts import SourceTexts
from convlint.static.program.import_scan import Name, scanned_imports
from convlint.static.program.parse import Text, UnreadableError, decoded, parse
from convlint.support.dataclass import dataclass
from convlint.support.reachability import Reachability

Search = tuple[str | None, tuple[str, ...]]  # the file of a module, and those searched before it


@dataclass(eq=False, repr=False)
class ParsedFile:
    """A file, with its ``text`` once it was parsed, and what it imports."""

    data: bytes
    text: Text | None
    names: tuple[Name, ...]

    @cached_property
    def has_torch(self) -> bool:
        """True if it imports torch, or a library with torch in its name."""
        if b"torch" not in self.data:
            return False
        is_imported = any("torch" in name or any("torch" in m for m in members) for name, members, _ in self.names)
        return is_imported or b"import_module" in self.data or b"__import__" in self.data

    @cached_property
    def may_build_layers(self) -> bool:
        """True if those that import it may get layers from it, and not only tensors and numbers."""
        if not self.has_torch:
            return False
        packages = [name.partition(".")[0] for name, _, level in self.names if not level]
        return any("torch" in each != "torch" for each in packages) or bool(_LAYERS.search(self.data))


_LAYERS = re.compile(rb"\bnn\b|Module\b")

Parsed = dict[str, ParsedFile]
"""Parsed files by absolute path."""


class ImportGraph:
    """The files below a folder and what they import, in functions too. Files are parsed when they are needed.

    All paths are absolute. ``texts`` gives the contents of files.
    """

    def __init__(self, root: str, texts: SourceTexts, parsed: Parsed) -> None:
        self.root = root
        self._reaches_layers = Reachability(self.imported, self._may_build_layers)
        self._texts = texts
        self._parsed = parsed
        self._files: dict[str, ParsedFile | None] = {}  # as this project has them
        self._uses: dict[str, set[str]] = {}  # what each file imports, and the paths that were tried before
        self._changed: set[str] = set()  # files whose uses were not reported yet
        self._exists: dict[str, bool] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._searches: dict[tuple[str, str], Search] = {}

    def add(self, path: str, data: bytes) -> None:
        """Use this content for a file. Raises UnreadableError."""
        known = self._files.get(path)
        self._files[path] = file = self._parse(path, data)
        if not file.has_torch:
            file.text = None
        if known is not None and known.data != data:
            self._reaches_layers.clear()

    def uses_torch(self, path: str) -> bool:
        """Return True for a file that imports torch, or that may get layers from the files that it imports."""
        file = self._file(path)
        return file is not None and (file.has_torch or self._reaches_layers(path))

    def text(self, path: str) -> Text | None:
        """Return the text of a file; None if it cannot be read or parsed."""
        file = self._file(path)
        try:
            return None if file is None else self._parse(path, file.data).text
        except UnreadableError:
            return None

    def data(self, path: str) -> bytes:
        file = self._file(path)
        return b"" if file is None else file.data

    def forget_texts(self) -> None:
        """Free the trees of all files; they are parsed again if they are needed."""
        for file in self._files.values():
            if file is not None:
                file.text = None

    def resolve(self, name: str, importer: str, level: int = 0) -> str | None:
        """Return the file that a dotted name means in ``importer``; None if it is outside of the project."""
        folder = os.path.dirname(importer)
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            path, missing = self._first([folder], name)
        elif name.split(".", 1)[0] in _LIBRARIES:
            return None
        else:
            if (folder, name) not in self._searches:
                self._searches[folder, name] = self._search(name, folder)
            path, missing = self._searches[folder, name]
        self.add_uses(importer, missing if path is None else (*missing, path))
        return path

    def reached(self, path: str) -> Iterator[str]:
        """Yield a file and the files that it imports, directly or not."""
        seen = {path}
        pending = [path]
        while pending:
            importer = pending.pop()
            yield importer
            new = set(self.imported(importer)) - seen
            seen |= new
            pending += new

    def add_uses(self, importer: str, paths: Sequence[str]) -> None:
        """Record that what is found in ``importer`` depends on these files, or on their absence."""
        uses = self._uses.setdefault(importer, set())
        if not uses.issuperset(paths):
            uses.update(paths)
            self._changed.add(importer)

    def read_files(self) -> list[str]:
        """Return the data files that the files of the program read."""
        return sorted({path for uses in self._uses.values() for path in uses if path.endswith(SUFFIXES)})

    def new_uses(self) -> dict[str, tuple[str, ...]]:
        """Return the files on which files depend directly, for those where that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {path: tuple(sorted(self._uses[path])) for path in changed}

    # --- files

    def _file(self, path: str) -> ParsedFile | None:
        if path not in self._files:
            self._files[path] = None
            try:
                self._files[path] = self._scan(path, self._texts.data(path))
            except (OSError, SyntaxError, UnicodeError, LookupError):
                return None
        return self._files[path]

    def _scan(self, path: str, data: bytes) -> ParsedFile:
        """Return a file, of which only the imports are read unless it was parsed before."""
        known = self._parsed.get(path)
        if known is None or known.data != data:
            known = self._parsed[path] = ParsedFile(data, None, tuple(scanned_imports(decoded(data))))
        return known

    def _parse(self, path: str, data: bytes) -> ParsedFile:
        """Return a parsed file. Raises UnreadableError."""
        known = self._parsed.get(path)
        if known is None or known.data != data or known.text is None:
            text = parse(os.path.relpath(path), data)
            known = self._scan(path, data)
            known.text = text
        return known

    def _may_build_layers(self, path: str) -> bool:
        file = self._file(path)
        return file is not None and file.may_build_layers

    def imported(self, path: str) -> Iterator[str]:
        """Yield the files that a file imports directly."""
        file = self._file(path)
        for name, members, level in () if file is None else file.names:
            parts = name.split(".") if name else []
            module = None
            for end in range(0 if level else 1, len(parts) + 1):
                module = self.resolve(".".join(parts[:end]), path, level)
                if module is not None and module != path:
                    yield module
            if module is not None and os.path.basename(module) != "__init__.py":
                continue  # its members are not modules
            for member in members:
                inner = self.resolve(".".join([*parts, member]), path, level)
                if inner is not None and inner != path:
                    yield inner

    # --- the search for modules

    def _search(self, name: str, folder: str) -> Search:
        """Search a module in the folder of the importer, in its parents up to the root, and in ``src`` there."""
        folders = [folder]
        while folder.startswith(f"{self.root}{os.sep}"):
            folder = os.path.dirname(folder)
            folders.append(folder)
        return self._first([*folders, self.root, os.path.join(self.root, "src")], name)

    def _first(self, folders: Sequence[str], name: str) -> Search:
        """Search a module in folders: its file, and the paths that were tried before."""
        missing: list[str] = []
        for folder in dict.fromkeys(folders):
            place = os.path.join(folder, *name.split(".")) if name else folder
            for path in (f"{place}.py", os.path.join(place, "__init__.py")):
                if self._is_file(path):
                    return path, tuple(missing)
                missing.append(path)
        return None, tuple(missing)

    def _is_file(self, path: str) -> bool:
        if path not in self._exists:
            folder, _, name = path.rpartition(os.sep)
            is_listed = name in self._listing(folder) and os.path.isfile(path)
            self._exists[path] = is_listed or self._texts.has_overlay(path)
        return self._exists[path]

    def _listing(self, folder: str) -> frozenset[str]:
        """The names in a folder: one call of the system instead of one for each module that is looked for."""
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._listings[folder] = frozenset()
        return self._listings[folder]


_LIBRARIES = frozenset({"torch", "numpy", "typing", "functools", "collections", "math", "os"})
