"""The files of a project: which module an import means, read when somebody asks for it."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from typing import Any

from convlint.source_text.texts import SourceTexts
from convlint.static.program.parse import Text, UnreadableError, parse
from convlint.static.program.source_module import SourceModule

Looked = tuple[str | None, tuple[str, ...]]  # where a module is, and where it is not before that


Parsed = dict[str, tuple[bytes, Text]]
"""What files held and what that is as a tree, by the paths that findings call them by."""


class Project:
    """The modules below a folder, read when they are needed.

    ``entries`` are the configured models, ``texts`` the files, read from disk if none are given. ``parsed`` keeps what
    is imported for further projects: a file that is the same is not parsed again.
    """

    def __init__(
        self,
        root: str,
        entries: Sequence[Any] = (),
        texts: SourceTexts | None = None,
        parsed: Parsed | None = None,
    ) -> None:
        self.root = os.path.abspath(root)
        self.entries = tuple(entries)
        self.explorations: dict[Any, Any] = {}  # of its classes, functions and files
        self.contracts: dict[Any, Any] = {}  # what its classes take for granted
        self.lines = 0  # of all that was read
        self.texts = texts or SourceTexts()
        self._parsed: Parsed = {} if parsed is None else parsed
        self._modules: dict[str, SourceModule | None] = {}
        self._places: dict[str, bool] = {}
        self._found: dict[tuple[str, str], Looked] = {}

    def add(self, path: str, data: bytes) -> SourceModule:
        """The module of a file whose content is at hand. Raises UnreadableError."""
        key = os.path.abspath(path)
        known = self._modules.get(key)
        if known is not None and (known.path, known.data) == (path, data):
            return known
        module = self._modules[key] = self._made(parse(path, data), data)
        return module

    def _made(self, text: Text, data: bytes) -> SourceModule:
        self.lines += text.length
        name, is_package = _dotted(os.path.abspath(text.path))
        return SourceModule(text, name, is_package, data)

    def reached(self, module: SourceModule) -> Iterator[SourceModule]:
        """A module and all of the project that its imports lead to, those in functions too."""
        seen = {os.path.abspath(module.path)}
        pending = [module]
        while pending:
            importer = pending.pop()
            yield importer
            for name, level in imported_names(importer):
                found = self.find(name, importer, level)
                if found is not None and os.path.abspath(found.path) not in seen:
                    seen.add(os.path.abspath(found.path))
                    pending.append(found)

    def load(self, path: str) -> SourceModule | None:
        """The module at a path, None where it cannot be read or parsed."""
        key = os.path.abspath(path)
        if key not in self._modules:
            self._modules[key] = None  # an import of itself, on the way, finds nothing
            try:
                data = self.texts.data(key)
                self._modules[key] = self._made(self._text(os.path.relpath(key), data), data)
            except (OSError, UnreadableError):
                self._modules[key] = None
        return self._modules[key]

    def _text(self, path: str, data: bytes) -> Text:
        before = self._parsed.get(path)
        if before is None or before[0] != data:
            before = self._parsed[path] = (data, parse(path, data))
        return before[1]

    def find(self, name: str, importer: SourceModule, level: int = 0) -> SourceModule | None:
        """The module that ``importer`` means by a dotted name; None if it is not of the project."""
        path, before = self._path(name, importer, level)
        importer.missing.update(before)
        found = None if path is None else self.load(path)
        if found is not None and found is not importer:
            importer.uses[os.path.abspath(found.path)] = found
        return found

    def files_of(self, module: SourceModule) -> set[str]:
        """The paths of the modules that one imports from, directly or not, and those where a module
        that is not there would be found: what is said of a file hangs on all of them.
        """
        seen: dict[str, SourceModule] = {}
        pending = [module]
        while pending:
            for path, used in pending.pop().uses.items():
                if path not in seen and used is not module:
                    seen[path] = used
                    pending.append(used)
        return set(seen).union(*[one.missing for one in (module, *seen.values())])

    def _path(self, name: str, importer: SourceModule, level: int) -> Looked:
        folder = os.path.dirname(os.path.abspath(importer.path))
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._first([folder], name)
        head = name.split(".", 1)[0]
        if head in _NOT_OF_A_PROJECT:
            return None, ()
        key = (folder, name)
        if key not in self._found:
            self._found[key] = self._search(name, folder)
        return self._found[key]

    def _search(self, name: str, folder: str) -> Looked:
        """A module by its full name: beside the importer, in the folders above it up to the
        project's, and in ``src`` there.
        """
        folders = [folder]
        while folder.startswith(f"{self.root}{os.sep}"):
            folder = os.path.dirname(folder)
            folders.append(folder)
        return self._first([*folders, self.root, os.path.join(self.root, "src")], name)

    def _first(self, folders: Sequence[str], name: str) -> Looked:
        """The first of some folders that has a module, and where it is not before that."""
        missing: list[str] = []
        for folder in dict.fromkeys(folders):
            place = os.path.join(folder, *name.split(".")) if name else folder
            for path in (f"{place}.py", os.path.join(place, "__init__.py")):
                if self._is_file(path):
                    return path, tuple(missing)
                missing.append(path)
        return None, tuple(missing)

    def _is_file(self, path: str) -> bool:
        if path not in self._places:
            self._places[path] = self.texts.has_overlay(path) or os.path.isfile(path)
        return self._places[path]


def imported_names(module: SourceModule) -> Iterator[tuple[str, int]]:
    """The dotted names that a module imports, and how many dots stand before each. The packages
    around an imported module count: they are loaded before it.
    """
    for node in _imports(module.text.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from ((name, 0) for name in _with_packages(alias.name))
            continue
        inner = f"{node.module}." if node.module else ""
        for package in _with_packages(node.module or ""):
            yield package, node.level
        for alias in node.names:  # may be a module, too
            if alias.name != "*":
                yield f"{inner}{alias.name}", node.level


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a file, wherever they stand: no expression holds one."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, block, None)
            if type(inner) is list:
                pending += inner


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


_NOT_OF_A_PROJECT = frozenset(
    {"torch", "numpy", "typing", "functools", "collections", "math", "os"}
)


def _dotted(path: str) -> tuple[str, bool]:
    """A file's dotted module name, from the packages around it, and whether it is a package."""
    folder, file = os.path.split(path)
    stem = file.removesuffix(".py")
    parts = [] if stem == "__init__" else [stem]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        parts.insert(0, name)
        if not name:
            break
    return ".".join(parts) or stem, stem == "__init__"
