"""Insertion of helpers into a file: their definitions and imports, below the imports that they need.

libcst reads the file because it knows which statements share a line, which comments belong to a statement, and in
which scope a name is bound. Nothing but the helpers is generated from a tree: everything is an edit at a position, so
the rest of the file stays byte for byte. libcst's AddImportsVisitor does not fit: it rewrites existing import lines,
inserts above a docstring or ``from __future__`` that shares its line, and takes ``from torch import *`` to bind ``nn``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count

import libcst as cst
from libcst import matchers
from libcst.metadata import (
    BuiltinScope,
    GlobalScope,
    MetadataWrapper,
    PositionProvider,
    QualifiedName,
    ScopeProvider,
)

from convlint.ir import Edit, Site
from convlint.rewriting.base import Draft, Helper, NamedEdit
from convlint.source_text import lines


def edits(path: str, text: str, drafts: Sequence[Draft]) -> list[Edit]:
    """All edits that apply ``drafts`` to the file with this text: their own, and one that inserts what they need.

    A helper that the file already defines, word for word, is reused. A helper or module whose name is taken gets
    another name. Raises ValueError if the text cannot be parsed.
    """
    try:
        file = _file(text)
    except (cst.ParserSyntaxError, RecursionError):
        raise ValueError(f"{path} cannot be parsed") from None
    helpers = list(dict.fromkeys(helper for draft in drafts for helper in draft.helpers))
    nn = file.torch_nn()
    names = file.helper_names(helpers, nn.name)
    written = [file.written(helper, nn.name, names) for helper in helpers]
    missing = [definition for definition in written if definition not in file.definitions]
    modules = {name: file.module(name) for draft in drafts for name in draft.modules}
    names.update({name: module.name for name, module in modules.items()})
    result = [
        edit.renamed(names[edit.name]) if isinstance(edit, NamedEdit) else edit
        for draft in drafts
        for edit in draft.edits
    ]
    needed = [*modules.values(), *([nn] if missing else [])]
    imports = [module.statement for module in needed if module.statement]
    if not missing and not imports:
        return result
    last = max(module.position for module in needed)
    site, inserted = _Insertion(path, file, result).place(last, imports, missing)
    for index, edit in enumerate(result):
        if (edit.site.line, edit.site.column) == (site.line, site.column) == _end(site):
            result[index] = Edit(edit.site, inserted + edit.text)
            return result
    return [*result, Edit(site, inserted)]


def _end(site: Site) -> tuple[int, int]:
    return site.end_line, site.end_column


@lru_cache(maxsize=512)
def _renamed(text: str, names: tuple[tuple[str, str], ...], indent: str) -> str:
    """The text of a helper with other names for what it defines and for what it does not bind itself."""
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    nodes: set[cst.CSTNode] = set()
    for scope in set(wrapper.resolve(ScopeProvider).values()):
        if isinstance(scope, GlobalScope):
            for statement in wrapper.module.body:
                if isinstance(statement, cst.FunctionDef | cst.ClassDef):
                    nodes.add(statement.name)
        for access in scope.accesses if scope else ():
            if all(isinstance(a.scope, GlobalScope | BuiltinScope) for a in access.referents):
                nodes.add(access.node)
    module = wrapper.module.visit(_Renaming(nodes, dict(names)))
    return module.with_changes(default_indent=indent).code


class _Renaming(cst.CSTTransformer):
    def __init__(self, nodes: set[cst.CSTNode], names: Mapping[str, str]) -> None:
        super().__init__()
        self.nodes = nodes
        self.names = names

    def leave_Name(  # noqa: N802 - libcst calls it so
        self, original_node: cst.Name, updated_node: cst.Name
    ) -> cst.BaseExpression:
        name = self.names.get(original_node.value)
        if name is None or original_node not in self.nodes:
            return updated_node
        return cst.parse_expression(name)


# --- files


@dataclass(frozen=True, slots=True)
class _Reference:
    """The name of a module in a file, imported by the statement at ``position`` or by a new ``statement``."""

    name: str
    position: int = -1
    statement: str = ""


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement at the top level of a file, and the whole line or block in which it stands."""

    node: cst.BaseSmallStatement | cst.BaseCompoundStatement
    line: cst.SimpleStatementLine | cst.BaseCompoundStatement


class _File:
    """A parsed file: its top-level statements, their positions, and its names."""

    def __init__(self, text: str) -> None:
        self.lines = lines.split(text)
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        self.module_node = wrapper.module
        self.positions = wrapper.resolve(PositionProvider)
        self.scopes = {scope for scope in wrapper.resolve(ScopeProvider).values() if scope}
        self.statements: list[_Statement] = []
        for line in wrapper.module.body:
            nodes = line.body if isinstance(line, cst.SimpleStatementLine) else [line]
            self.statements += (_Statement(node, line) for node in nodes)

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
        names = self.top.get_qualified_names_for(node.test)
        return any(name.name == "typing.TYPE_CHECKING" for name in names)

    def torch_nn(self) -> _Reference:
        """The reference to torch.nn at the top level of the file."""
        for meaning, suffix in (("torch.nn", ""), ("torch", ".nn")):
            for name, (module, position) in self.imports.items():
                if module == meaning:
                    return _Reference(f"{name}{suffix}", position)
        if "nn" in self.taken or self._has_star_import("torch"):
            return _Reference("torch_nn", statement="from torch import nn as torch_nn")
        return _Reference("nn", statement="from torch import nn")

    def _has_star_import(self, module: str) -> bool:
        star = matchers.ImportFrom(module=matchers.Name(module), names=matchers.ImportStar())
        return bool(matchers.findall(self.module_node, star))

    def module(self, module: str) -> _Reference:
        """The reference to a module in every scope of the file."""
        local = {
            assignment.name
            for scope in self.scopes
            if not isinstance(scope, GlobalScope)
            for assignment in scope.assignments
        }
        for name, (meaning, position) in self.imports.items():
            if meaning == module and name not in local:
                return _Reference(name, position)
        name = next(name for name in _numbered(module) if name not in self.taken)
        alias = "" if name == module else f" as {name}"
        return _Reference(name, statement=f"import {module}{alias}")

    def helper_names(self, helpers: Sequence[Helper], nn: str) -> dict[str, str]:
        """The name of each helper in this file: its own, unless the file uses it for something else."""
        names = {helper.name: helper.name for helper in helpers}
        for helper in helpers:
            for name in _numbered(helper.name):
                names[helper.name] = name
                if name not in self.taken or self.written(helper, nn, names) in self.definitions:
                    break
        return names

    def written(self, helper: Helper, nn: str, names: Mapping[str, str]) -> str:
        """The text of a helper with the names and the indentation of this file."""
        mapping = {**names, "nn": nn}
        return _renamed(helper.text, tuple(mapping.items()), self.module_node.default_indent)


_file = lru_cache(maxsize=8)(_File)


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}{number}" for number in count(2))


# --- places


@dataclass(frozen=True, slots=True)
class _Insertion:
    """The insertion of imports and definitions into a file, before its calls with ``edits``."""

    path: str
    file: _File
    edits: Sequence[Edit]

    def place(self, needed: int, imports: list[str], definitions: list[str]) -> tuple[Site, str]:
        """The place and the text to insert, after the statement ``needed`` and after the preamble."""
        statements = self.file.statements
        lead = 0
        while lead < len(statements) and (lead <= needed or _is_preamble(statements[lead].node)):
            lead += 1
        if not definitions:  # imports alone go below the other imports
            while lead > 1 and not _is_import(statements[lead - 1].node):
                lead -= 1
        while self._shares_line(lead) and not self._has_edit(lead):
            lead += 1
        text = "".join(f"{line}\n" for line in imports)
        if not definitions:
            return self._between(lead, text, blanks=0)
        text += "\n\n" if imports else ""
        return self._between(lead, text + "\n\n".join(definitions), blanks=2)

    def _shares_line(self, lead: int) -> bool:
        """Return whether a semicolon separates the statements before and after ``lead``."""
        statements = self.file.statements
        if not 0 < lead < len(statements):
            return False
        return statements[lead - 1].line is statements[lead].line

    def _has_edit(self, lead: int) -> bool:
        """Return whether a call in the rest of the line is edited."""
        statement = self.file.statements[lead]
        start = self.file.positions[statement.node].start
        end = self.file.positions[statement.line].end
        return any(
            (start.line, start.column + 1)
            <= (edit.site.line, edit.site.column)
            <= (end.line, end.column + 1)
            for edit in self.edits
        )

    def _between(self, lead: int, text: str, *, blanks: int) -> tuple[Site, str]:
        """The place before the statement at ``lead``, and the text with blank lines around it."""
        statements, positions = self.file.statements, self.file.positions
        after = positions[statements[lead - 1].line].end.line if lead else 0
        if self._shares_line(lead):
            start = positions[statements[lead - 1].node].end
            end = positions[statements[lead].node].start
            text = "\n" * (blanks + 1) + text + "\n" * blanks
            return Site(self.path, start.line, start.column + 1, end.line, end.column + 1), text
        if lead == len(statements) or (lead and not blanks):
            line = after + 1
        else:
            line = self._first_line(lead)
            text += "\n" * blanks
        if lead:
            text = "\n" * max(0, blanks - (line - 1 - after)) + text
        return Site(self.path, line, 1, line, 1), text

    def _first_line(self, lead: int) -> int:
        """The line at which a statement begins, with its decorators and the comments directly above it."""
        statement = self.file.statements[lead].line
        start = self.file.positions[statement].start.line
        if isinstance(statement, cst.FunctionDef | cst.ClassDef):
            for decorator in statement.decorators:
                start = min(start, self.file.positions[decorator].start.line)
        for line in reversed(statement.leading_lines):
            if line.comment is None:
                break
            start -= 1
        return start


def _is_import(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Import | cst.ImportFrom)


def _is_preamble(node: cst.CSTNode) -> bool:
    """Return whether a statement cannot need a helper: a docstring, an import, a constant."""
    if isinstance(node, cst.SimpleStatementLine | cst.IndentedBlock):
        return all(map(_is_preamble, node.body))
    if isinstance(node, cst.Assign | cst.AnnAssign | cst.If | cst.Try):
        parts = [
            part for part in node.children if isinstance(part, cst.BaseSuite | cst.If | cst.Try)
        ]
        calls = matchers.findall(node, matchers.Call())
        return not calls and all(map(_is_preamble, parts))
    if isinstance(node, cst.Expr):
        return isinstance(node.value, cst.SimpleString | cst.ConcatenatedString | cst.Ellipsis)
    return isinstance(node, cst.Import | cst.ImportFrom | cst.Pass)
