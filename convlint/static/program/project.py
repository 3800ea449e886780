"""The files of a project, read when an import needs them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from convlint.settings.config import ModelEntry
from convlint.source_text.texts import SourceTexts
from convlint.static.domain.budget import Work
from convlint.static.program.import_graph import ImportGraph, Parsed
from convlint.static.program.parse import Text, parse
from convlint.static.program.source_module import SourceModule
from convlint.support.regular_file import read_regular_file

__all__ = ["Parsed", "Project"]


class Project:
    """The modules below a folder, read when they are needed.

    ``entries`` are the configured models, and ``texts`` the contents of files, read from disk if none are given.
    ``parsed`` keeps files for further projects, so that unchanged ones are not parsed again, and ``work`` counts the
    steps of the executions in all of them.
    """

    def __init__(
        self,
        root: str,
        entries: Sequence[ModelEntry] = (),
        texts: SourceTexts | None = None,
        parsed: Parsed | None = None,
        work: Work | None = None,
    ) -> None:
        self.root = os.path.abspath(root)
        self.entries = tuple(entries)
        self.explorations: dict[object, Any] = {}  # by class, or by other entry point
        self.contracts: dict[object, Any] = {}  # the equalities that each class assumes
        self.checked: SourceModule | None = None  # the file under check
        # The number of files that were searched for definitions filed in a registry, by its module and name.
        self.registries: dict[tuple[SourceModule, str], int] = {}
        self.lines = 0  # of all files whose trees are in memory
        self.texts = texts or SourceTexts()
        self._parsed: Parsed = {} if parsed is None else parsed
        self.work = Work() if work is None else work
        self.imports = ImportGraph(self.root, self.texts, self._parsed)
        self._imported: dict[str, None] = {}
        self._given: dict[str, str] = {}  # the paths of files as they were added, by absolute path
        self._modules: dict[str, SourceModule | None] = {}

    def with_texts(self, texts: SourceTexts) -> Project:
        """The same project with other contents of files; files that are unchanged are not parsed again."""
        project = Project(self.root, self.entries, texts, self._parsed, self.work)
        project._given = self._given
        return project

    def without_trees(self) -> Project:
        """The same project without its modules in memory: they are parsed again when they are needed."""
        project = self.with_texts(self.texts)
        project.imports = self.imports
        project.imports.forget_texts()
        return project

    def is_followed(self, path: str, data: bytes) -> bool:
        """Return whether a file with this content, or one that it imports, directly or not, imports torch.

        Raises UnreadableError.
        """
        key = os.path.abspath(path)
        self.imports.add(key, data)
        return self.imports.uses_torch(key)

    def add(self, path: str, data: bytes) -> SourceModule:
        """Return the module of a file with a given content. Raises UnreadableError."""
        key = os.path.abspath(path)
        known = self._modules.get(key)
        if known is not None and (known.path, known.data) == (path, data):
            return known
        self.imports.add(key, data)
        text = self.imports.text(key)
        assert text is not None  # otherwise it would have raised
        self._given[key] = path
        module = self._modules[key] = self._module(text.at(path), key, data)
        return module

    def load(self, path: str) -> SourceModule | None:
        """Return the module at a path; None if it cannot be read or parsed."""
        key = os.path.abspath(path)
        if key not in self._modules:
            self._modules[key] = None  # it finds nothing if it imports itself meanwhile
            text = self.imports.text(key)
            if text is not None:
                text = text.at(self._given.get(key, text.path))
                self._modules[key] = self._module(text, key, self.imports.data(key))
        return self._modules[key]

    def imported(self) -> list[str]:
        """Return the paths of the files that the files checked so far import, directly or not, themselves included."""
        pending = [] if self.checked is None else [os.path.abspath(self.checked.path)]
        while pending:
            path = pending.pop()
            if path not in self._imported:
                self._imported[path] = None
                pending += self.imports.imported(path)
        return list(self._imported)

    def library_text(self, path: str) -> SourceModule:
        """Return the text at ``path`` that stands for a library, as a module."""
        module = self._modules.get(path)
        if module is None:
            name = os.path.splitext(os.path.basename(path))[0]
            module = self._modules[path] = SourceModule(_library_text(path), name, is_package=False)
            module.is_library = True
        return module

    def _module(self, text: Text, key: str, data: bytes) -> SourceModule:
        self.lines += text.length
        return SourceModule(text, *_dotted(key), data)

    def find(self, name: str, importer: SourceModule, level: int = 0) -> SourceModule | None:
        """Return the module that a dotted name means in ``importer``; None if it is outside of the project."""
        path = self.imports.resolve(name, os.path.abspath(importer.path), level)
        return None if path is None else self.load(path)


@cache
def _library_text(path: str) -> Text:
    return parse(path, read_regular_file(path))


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
