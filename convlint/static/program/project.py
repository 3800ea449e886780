"""The files of a project, read when an import needs them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from convlint.settings.config import ModelEntry
from convlint.source_text.texts import SourceTexts
from convlint.static.program.parse import Text, UnreadableError, parse
from convlint.static.program.source_module import SourceModule

Search = tuple[str | None, tuple[str, ...]]  # the file of a module, and those searched before it
Parsed = dict[str, tuple[bytes, Text]]  # content and tree of files, by their paths in findings


class Project:
    """The modules below a folder, read when they are needed.

    ``entries`` are the configured models, and ``texts`` the contents of files, read from disk if none are given.
    ``parsed`` keeps imported files for further projects, so that unchanged ones are not parsed again.
    """

    def __init__(
        self,
        root: str,
        entries: Sequence[ModelEntry] = (),
        texts: SourceTexts | None = None,
        parsed: Parsed | None = None,
    ) -> None:
        self.root = os.path.abspath(root)
        self.entries = tuple(entries)
        self.explorations: dict[object, Any] = {}  # by class, or by other entry point
        self.contracts: dict[object, Any] = {}  # the equalities that each class assumes
        self.lines = 0  # of all files that were read
        self.texts = texts or SourceTexts()
        self._parsed: Parsed = {} if parsed is None else parsed
        self._modules: dict[str, SourceModule | None] = {}
        self._exists: dict[str, bool] = {}
        self._searches: dict[tuple[str, str], Search] = {}

    def with_texts(self, texts: SourceTexts) -> Project:
        """The same project with other contents of files; files that are unchanged are not parsed again."""
        return Project(self.root, self.entries, texts, self._parsed)

    def add(self, path: str, data: bytes) -> SourceModule:
        """Return the module of a file with a given content. Raises UnreadableError."""
        key = os.path.abspath(path)
        known = self._modules.get(key)
        if known is not None and (known.path, known.data) == (path, data):
            return known
        module = self._modules[key] = self._module(parse(path, data), data)
        return module

    def _module(self, text: Text, data: bytes) -> SourceModule:
        self.lines += text.length
        name, is_package = _dotted(os.path.abspath(text.path))
        return SourceModule(text, name, is_package, data)

    def reached(self, module: SourceModule) -> Iterator[SourceModule]:
        """Yield a module and the modules of the project that it imports, directly or not, in functions too."""
        seen = {os.path.abspath(module.path)}
        pending = [module]
        while pending:
            importer = pending.pop()
            yield importer
            for name, level in imported_names(importer):
                imported = self.find(name, importer, level)
                if imported is not None and os.path.abspath(imported.path) not in seen:
                    seen.add(os.path.abspath(imported.path))
                    pending.append(imported)

    def load(self, path: str) -> SourceModule | None:
        """Return the module at a path; None if it cannot be read or parsed."""
        key = os.path.abspath(path)
        if key not in self._modules:
            self._modules[key] = None  # it finds nothing if it imports itself meanwhile
            try:
                data = self.texts.data(key)
                self._modules[key] = self._module(self._text(os.path.relpath(key), data), data)
            except (OSError, UnreadableError):
                self._modules[key] = None
        return self._modules[key]

    def library_text(self, path: str) -> SourceModule:
        """Return the text at ``path`` that stands for a library, as a module."""
        module = self._modules.get(path)
        if module is None:
            module = self._modules[path] = SourceModule(_library_text(path), "", is_package=False)
            module.is_library = True
        return module

    def _text(self, path: str, data: bytes) -> Text:
        earlier = self._parsed.get(path)
        if earlier is None or earlier[0] != data:
            earlier = self._parsed[path] = (data, parse(path, data))
        return earlier[1]

    def find(self, name: str, importer: SourceModule, level: int = 0) -> SourceModule | None:
        """Return the module that a dotted name means in ``importer``; None if it is outside of the project."""
        path, missing = self._path(name, importer, level)
        importer.missing.update(missing)
        module = None if path is None else self.load(path)
        if module is not None and module is not importer:
            importer.uses[os.path.abspath(module.path)] = module
        return module

    def files_of(self, module: SourceModule) -> set[str]:
        """Return the paths on which findings in a module depend: all imported files, and paths tried before them."""
        seen: dict[str, SourceModule] = {}
        pending = [module]
        while pending:
            for path, used in pending.pop().uses.items():
                if path not in seen and used is not module:
                    seen[path] = used
                    pending.append(used)
        return set(seen).union(*[used.missing for used in (module, *seen.values())])

    def _path(self, name: str, importer: SourceModule, level: int) -> Search:
        folder = os.path.dirname(os.path.abspath(importer.path))
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._first([folder], name)
        if name.split(".", 1)[0] in _LIBRARIES:
            return None, ()
        if (folder, name) not in self._searches:
            self._searches[folder, name] = self._search(name, folder)
        return self._searches[folder, name]

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
            self._exists[path] = self.texts.has_overlay(path) or os.path.isfile(path)
        return self._exists[path]


@cache
def _library_text(path: str) -> Text:
    with open(path, "rb") as file:
        return parse(path, file.read())


def imported_names(module: SourceModule) -> Iterator[tuple[str, int]]:
    """Yield the names that a module imports, packages included, each with its number of leading dots."""
    for node in _imports(module.text.tree):
        if isinstance(node, ast.Import):
            yield from ((name, 0) for alias in node.names for name in _with_packages(alias.name))
            continue
        inner = f"{node.module}." if node.module else ""
        yield from ((package, node.level) for package in _with_packages(node.module or ""))
        # Each of the names may be a module as well.
        yield from ((f"{inner}{alias.name}", node.level) for alias in node.names if alias.name != "*")


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of a file, at any level."""
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


_LIBRARIES = frozenset({"torch", "numpy", "typing", "functools", "collections", "math", "os"})


def _dotted(path: str) -> tuple[str, bool]:
    """Return the dotted module name of a file, and whether it is a package."""
    folder, file = os.path.split(path)
    stem = file.removesuffix(".py")
    parts = [] if stem == "__init__" else [stem]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        parts.insert(0, name)
        if not name:
            break
    return ".".join(parts) or stem, stem == "__init__"
