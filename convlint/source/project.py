"""The files of a project as modules: who imports what from where, and what a module's names mean.

Nothing is imported. A name of a module is looked up when somebody asks for it, and only the
statements that bind it are followed.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from convlint.source.reading import Text, UnreadableError, children, parse, walk

Looked = tuple[str | None, tuple[str, ...]]  # where a module is, and where it is not before that


class SourceModule:
    """One file. ``bindings`` are the statements at its top level that bind each name, in order."""

    def __init__(self, text: Text, name: str, is_package: bool, data: bytes = b"") -> None:
        self.text = text
        self.data = data
        self.name = name
        self.is_package = is_package
        self.values: dict[str, Any] = {}
        self.pending: set[str] = set()
        self.ran = False  # whether the top level was run from start to end
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.stars: list[ast.ImportFrom] = []
        self.main: list[ast.stmt] = []  # what runs at the top level and is no definition
        self.uses: dict[str, SourceModule] = {}  # other modules that it imports from, by path
        self.missing: set[str] = set()  # where a module that it imports would be found first
        self._index(text.tree.body)

    @property
    def path(self) -> str:
        return self.text.path

    def _index(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self._bind(statement.name, statement)
                case ast.ImportFrom() if any(alias.name == "*" for alias in statement.names):
                    self.stars.append(statement)
                case ast.Import() | ast.ImportFrom():
                    for alias in statement.names:
                        self._bind(alias.asname or alias.name.split(".")[0], statement)
                case ast.If(test=test) if is_main_guard(test):
                    self.main.append(statement)
                case ast.If(test=test) if is_type_checking(test):
                    self._index(statement.body)
                    self._index(statement.orelse)
                case ast.Try():
                    # What it raises is caught.
                    self._index([s for s in statement.body if not isinstance(s, ast.Raise)])
                    for handler in statement.handlers:
                        self._index_missing(handler.body)
                case _:
                    self.main.append(statement)
                    for name in self._named_by(statement):
                        self._bind(name, statement)

    def _named_by(self, statement: ast.stmt) -> set[str]:
        """The names that a statement binds, and those whose objects it changes: no modules."""
        if isinstance(statement, ast.Assign) and all(
            isinstance(target, ast.Name) for target in statement.targets
        ):  # most of all statements, and some hold tables of a thousand lines
            return {target.id for target in statement.targets if isinstance(target, ast.Name)}
        changed = [
            name
            for name in changed_names(statement)
            if not isinstance(self.bindings.get(name, [None])[0], ast.Import | ast.ImportFrom)
        ]
        return {*bound_names(statement), *changed}

    @cached_property
    def unsteady(self) -> frozenset[str]:
        """Names that the top level binds or changes more than once: what they mean depends on when
        somebody asks.
        """
        counts: dict[str, int] = {}
        for statement in self.main:
            for name in self._named_by(statement):
                counts[name] = counts.get(name, 0) + 1
        return frozenset([name for name, count in counts.items() if count > 1])

    def depends_on_order(self, name: str) -> bool:
        """Whether the value of a name can only be had by running the top level from its start."""
        if not self.unsteady:
            return False
        read = {
            node.id
            for statement in self.bindings[name]
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
            for node in walk(statement)
            if isinstance(node, ast.Name)
        }
        return name in self.unsteady or not read.isdisjoint(self.unsteady)

    def _index_missing(self, body: Sequence[ast.stmt]) -> None:
        """What a handler binds counts only where nothing else binds it."""
        for statement in body:
            for name in bound_names(statement):
                if name not in self.bindings:
                    self._bind(name, statement)

    def _bind(self, name: str, statement: ast.stmt) -> None:
        self.bindings.setdefault(name, []).append(statement)


def is_main_guard(test: ast.expr) -> bool:
    """Whether a condition is ``__name__ == "__main__"``."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING``."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def bound_names(statement: ast.AST) -> Iterator[str]:
    """The names that a statement binds in its own scope."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
                continue
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    yield alias.asname or alias.name.split(".")[0]
            case (
                ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp()
            ):
                continue
            case ast.ExceptHandler(name=str(name)):
                yield name
        pending += children(node)


CHANGING = frozenset(
    {"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "clear"}
    | {"add_module", "register_module", "reverse", "sort"}
)
"""Methods that change the object they are called on."""


def changed_names(statement: ast.stmt) -> Iterator[str]:
    """The names whose objects a statement changes: ``layers.append(...)``, ``sizes[0] = 1``."""
    for node in walk(statement):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)):
                if attr in CHANGING:
                    yield name
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()):
                yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
                yield name


Parsed = dict[str, tuple[bytes, Text]]
"""What files held and what that is as a tree, by the paths that findings call them by."""


def _module(text: Text, data: bytes) -> SourceModule:
    name, is_package = _dotted(os.path.abspath(text.path))
    return SourceModule(text, name, is_package, data)


class Project:
    """The modules below a folder, read when they are needed.

    ``entries`` are the configured models. ``texts`` are contents that stand for a file on the disk:
    standard input, or a text that was just mended. ``parsed`` keeps what is imported for further
    projects: a file that is the same is not parsed again.
    """

    def __init__(
        self,
        root: str,
        entries: Sequence[Any] = (),
        texts: Mapping[str, bytes] | None = None,
        parsed: Parsed | None = None,
    ) -> None:
        self.root = os.path.abspath(root)
        self.entries = tuple(entries)
        self.explorations: dict[Any, Any] = {}  # of its classes, functions and files
        self.contracts: dict[Any, Any] = {}  # what its classes take for granted
        self._texts = {os.path.abspath(path): data for path, data in (texts or {}).items()}
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
        module = _module(parse(path, data), data)
        self._modules[key] = module
        return module

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
                data = self._texts.get(key)
                if data is None:
                    with open(key, "rb") as file:
                        data = file.read()
                self._modules[key] = _module(self._text(os.path.relpath(key), data), data)
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
            self._places[path] = path in self._texts or os.path.isfile(path)
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
