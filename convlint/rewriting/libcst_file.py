"""A Python file as libcst reads it: top-level statements, positions, names and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import count

import libcst as cst
from libcst.metadata import GlobalScope, MetadataWrapper, PositionProvider, QualifiedName, ScopeProvider

from convlint.rewriting import call_text
from convlint.rewriting.layer_class import line_length
from convlint.source_text import lines
from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of a module in a file, imported by the statement at ``position`` or by a new ``statement``."""

    name: str
    position: int = -1
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at the top level of a file, and the whole line or block in which it stands."""

    node: cst.BaseSmallStatement | cst.BaseCompoundStatement
    line: cst.SimpleStatementLine | cst.BaseCompoundStatement


def nodes_in(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all nodes in it."""
    pending = [node]
    while pending:
        yield (current := pending.pop())
        pending += current.children


class SourceFile:
    """A parsed file: its top-level statements, their positions, and its names."""

    def __init__(self, text: str) -> None:
        self.lines = lines.split(text)
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        self.module_node = wrapper.module
        self.positions = wrapper.resolve(PositionProvider)
        self.scopes = {scope for scope in wrapper.resolve(ScopeProvider).values() if scope}
        self.statements: list[Statement] = []
        for line in wrapper.module.body:
            nodes = line.body if isinstance(line, cst.SimpleStatementLine) else [line]
            self.statements += (Statement(node, line) for node in nodes)

    @cached_property
    def top(self) -> GlobalScope:
        return next(scope for scope in self.scopes if isinstance(scope, GlobalScope))

    @cached_property
    def taken(self) -> set[str]:
        """Every name that the file binds or reads, in any scope."""
        accesses = [access.node for scope in self.scopes for access in scope.accesses]
        read = {node.value for node in accesses if isinstance(node, cst.Name)}
        return read | {a.name.split(".")[0] for scope in self.scopes for a in scope.assignments}

    @cached_property
    def definitions(self) -> set[str]:
        """The text of every class and function at the top level."""
        found = set()
        for statement in self.statements:
            if isinstance(statement.node, cst.FunctionDef | cst.ClassDef):
                place = self.positions[statement.node]
                text = "".join(self.lines[place.start.line - 1 : place.end.line])
                found.add(text.replace("\r\n", "\n").rstrip("\n") + "\n")
        return found

    @cached_property
    def imports(self) -> dict[str, tuple[str, int]]:
        """The names that only imports at the top level bind: the module or object, and the statement's position."""
        found: dict[str, tuple[str, int]] = {}
        for position, statement in enumerate(self.statements):
            for alias in self._imported_by(statement.node):
                name = alias.evaluated_alias or alias.evaluated_name.split(".")[0]
                meanings: set[QualifiedName] = set()
                for assignment in self.top[name]:
                    meanings |= assignment.get_qualified_names_for(name)
                if len(meanings) == 1:
                    found.setdefault(name, (meanings.pop().name, position))
        return found

    def _imported_by(self, node: cst.CSTNode) -> Iterator[cst.ImportAlias]:
        """The names that a statement imports at run time, unless it fails or its condition is false."""
        if isinstance(node, cst.Import | cst.ImportFrom):
            yield from () if isinstance(node.names, cst.ImportStar) else node.names
        elif isinstance(node, cst.SimpleStatementLine | cst.IndentedBlock):
            for part in node.body:
                yield from self._imported_by(part)
        elif isinstance(node, cst.Try) or (isinstance(node, cst.If) and not self._is_typing(node)):
            yield from self._imported_by(node.body)

    def _is_typing(self, node: cst.If) -> bool:
        return any(name.name == "typing.TYPE_CHECKING" for name in self.top.get_qualified_names_for(node.test))

    def free_name(self, name: str) -> str:
        return next(numbered for numbered in numbered_names(name) if numbered not in self.taken)

    @cached_property
    def line_length(self) -> int:
        """The length that a new line may have: more where lines of the file are longer."""
        return line_length(self.lines)

    @cached_property
    def is_annotated(self) -> bool:
        """Return whether all functions of the file have types, and there are some."""
        return call_text.is_annotated(ast.parse("".join(self.lines)))

    @cached_property
    def leaves_out_docstrings(self) -> bool:
        """Return whether the file has classes, and none of them has a docstring."""
        classes = [node for node in self.module_node.body if isinstance(node, cst.ClassDef)]
        return bool(classes) and not any(node.get_docstring() for node in classes)

    def torch_nn(self) -> Reference:
        """The reference to torch.nn at the top level of the file."""
        for meaning, suffix in (("torch.nn", ""), ("torch", ".nn")):
            for name, (module, position) in self.imports.items():
                if module == meaning:
                    return Reference(f"{name}{suffix}", position)
        if "nn" in self.taken or self._has_star_import("torch"):
            name = self.free_name("torch_nn")
            return Reference(name, statement=f"from torch import nn as {name}")
        return Reference("nn", statement="from torch import nn")

    def _has_star_import(self, module: str) -> bool:
        return any(
            isinstance(node, cst.ImportFrom)
            and isinstance(node.names, cst.ImportStar)
            and isinstance(node.module, cst.Name)
            and node.module.value == module
            for node in nodes_in(self.module_node)
        )

    def module(self, module: str) -> Reference:
        """The reference to a module in every scope of the file."""
        local = {
            assignment.name
            for scope in self.scopes
            if not isinstance(scope, GlobalScope)
            for assignment in scope.assignments
        }
        for name, (meaning, position) in self.imports.items():
            if meaning == module and name not in local:
                return Reference(name, position)
        name = self.free_name(module)
        alias = "" if name == module else f" as {name}"
        return Reference(name, statement=f"import {module}{alias}")


parse = lru_cache(maxsize=8)(SourceFile)


def numbered_names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}{number}" for number in count(2))
