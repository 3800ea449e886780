"""One file as a module: the statements that bind each of its names.

A name is evaluated when it is first used, and only the statements that bind it are executed.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from convlint.static.program.parse import Text, children, walk


class SourceModule:
    """One file. ``bindings`` are the top-level statements that bind each name, in order."""

    def __init__(self, text: Text, name: str, is_package: bool, data: bytes = b"") -> None:
        self.text = text
        self.data = data
        self.name = name
        self.is_package = is_package
        self.values: dict[str, Any] = {}  # of the names evaluated so far
        self.pending: set[str] = set()  # names that are being evaluated
        self.ran = False  # whether the whole top level was executed
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.fallbacks: dict[str, ast.stmt] = {}  # what binds a name where an import fails
        self.stars: list[ast.ImportFrom] = []
        self.main: list[ast.stmt] = []  # the top level without definitions and imports
        self.tried: set[ast.stmt] = set()  # statements of the top level after which handlers take exceptions
        self.is_library = False  # whether its text stands for a library
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
                    # The handlers catch what it raises.
                    self.tried.update(statement.body)
                    self._index([s for s in statement.body if not isinstance(s, ast.Raise)])
                    for handler in statement.handlers:
                        self._index_missing(handler.body)
                case _:
                    self.main.append(statement)
                    for name in self._named_by(statement):
                        self._bind(name, statement)

    def _named_by(self, statement: ast.stmt) -> set[str]:
        """Return the names that a statement binds, and those whose objects it changes, except modules."""
        if isinstance(statement, ast.Assign) and all(
            isinstance(target, ast.Name) for target in statement.targets
        ):  # most statements; some contain tables of a thousand lines
            return {target.id for target in statement.targets if isinstance(target, ast.Name)}
        changed = [
            name
            for name in changed_names(statement)
            if not isinstance(self.bindings.get(name, [None])[0], ast.Import | ast.ImportFrom)
        ]
        return {*bound_names(statement), *changed}

    @cached_property
    def unsteady(self) -> frozenset[str]:
        """Names that the top level binds or changes more than once: their value depends on the time."""
        counts = Counter(name for statement in self.main for name in self._named_by(statement))
        return frozenset([name for name, count in counts.items() if count > 1])

    @cached_property
    def rebound(self) -> frozenset[str]:
        """Names that the top level binds more than once."""
        counts = Counter(name for statement in self.main for name in set(bound_names(statement)))
        return frozenset([name for name, count in counts.items() if count > 1])

    def depends_on_order(self, name: str) -> bool:
        """Return whether the value of a name requires executing the top level from its start."""
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
        """Index the bindings of a handler, for names that nothing else binds."""
        for statement in body:
            for name in bound_names(statement):
                if name in self.bindings:
                    self.fallbacks.setdefault(name, statement)
                else:
                    self._bind(name, statement)

    def _bind(self, name: str, statement: ast.stmt) -> None:
        self.bindings.setdefault(name, []).append(statement)


def is_main_guard(test: ast.expr) -> bool:
    """Return whether a condition is ``__name__ == "__main__"``."""
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def is_type_checking(test: ast.expr) -> bool:
    """Return whether a condition is ``TYPE_CHECKING``."""
    return (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) == "TYPE_CHECKING"


def bound_names(statement: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds in its own scope."""
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
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                continue
            case ast.ExceptHandler(name=str(name)):
                yield name
        pending += children(node)


# Methods that change the object on which they are called.
CHANGING = frozenset(
    {"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "clear"}
    | {"add_module", "register_module", "reverse", "sort", "register"}
    | {"add_argument", "add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "set_defaults"}
    | {"merge_from_file", "merge_from_list", "merge_from_other_cfg", "merge_from_dict"}
)


def changed_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names whose objects a statement changes: ``layers.append(...)``, ``sizes[0] = 1``."""
    for node in walk(statement):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in CHANGING:
                yield from root_name(owner)
            case ast.Attribute(value=owner, ctx=ast.Store()) | ast.Subscript(value=owner, ctx=ast.Store()):
                yield from root_name(owner)


def root_name(node: ast.expr) -> Iterator[str]:
    """Yield the name that an expression begins with: ``cfg`` of ``cfg.model["width"]``; nothing if it has none."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
