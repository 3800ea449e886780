"""Insertion of helpers into a file: their definitions and imports, below the imports that they need.

libcst reads the file because it knows which statements share a line, which comments belong to a statement, and in
which scope a name is bound. Nothing but the helpers is generated from a tree: everything is an edit at a position, so
the rest of the file stays byte for byte. libcst's AddImportsVisitor does not fit: it rewrites existing import lines,
inserts above a docstring or ``from __future__`` that shares its line, and takes ``from torch import *`` to bind ``nn``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations

import libcst as cst
from libcst.metadata import BuiltinScope, GlobalScope, MetadataWrapper, ScopeProvider

from convlint.ir import Edit, Site
from convlint.rewriting import layer_class, libcst_file
from convlint.rewriting.base import Draft, Helper, NamedEdit, merged_helpers
from convlint.rewriting.layer_class import EVERY, PAIRS, TUPLES, attribute
from convlint.rewriting.libcst_file import SourceFile, nodes_in, numbered_names
from convlint.support.dataclass import dataclass

_UNTYPED = {
    TUPLES,
    PAIRS,
    "device",
    "dtype",
    *map(attribute, ("weight", "bias")),
}  # options of texts that are not annotated


def edits(path: str, text: str, drafts: Sequence[Draft]) -> list[Edit]:
    """All edits that apply ``drafts`` to the file with this text: their own, and one that inserts what they need.

    A helper that the file already defines, word for word, is reused. A helper or module whose name is taken gets
    another name. Raises ValueError if the text cannot be parsed.
    """
    try:
        file = libcst_file.parse(text)
    except (cst.ParserSyntaxError, RecursionError):
        raise ValueError(f"{path} cannot be parsed") from None
    nn = file.torch_nn()
    helpers = [_defined_already(file, helper, nn.name) for helper in merged_helpers(drafts).values()]
    names = _helper_names(file, helpers, nn.name)
    written = [_definition(file, helper, nn.name, names) for helper in helpers]
    missing = [definition for definition in written if definition not in file.definitions]
    modules = {name: file.module(name) for draft in drafts for name in draft.modules}
    names.update({name: module.name for name, module in modules.items()})
    result = [
        edit.renamed(names.get(edit.name, edit.name)) if isinstance(edit, NamedEdit) else edit
        for draft in drafts
        for edit in draft.edits
    ]
    result = _at_different_places(result)
    needed = [*modules.values(), *([nn] if missing else [])]
    imports = [module.statement for module in needed if module.statement]
    if not missing and not imports:
        return result
    last = max(module.position for module in needed)
    site, inserted = _Insertion(path, file, result).place(last, imports, missing)
    for index, edit in enumerate(result):
        if (edit.site.line, edit.site.column) == (site.line, site.column) == (site.end_line, site.end_column):
            result[index] = Edit(edit.site, inserted + edit.text)
            return result
    return [*result, Edit(site, inserted)]


def _defined_already(file: SourceFile, helper: Helper, nn: str) -> Helper:
    """The helper with further parameters, if the file defines it so."""
    if helper.writer is None or helper.name not in file.taken:
        return helper
    more = sorted((EVERY | {TUPLES}) - helper.parameters)
    for count in range(len(more) + 1):
        for chosen in combinations(more, count):
            wider = Helper.written(helper.name, helper.writer, helper.parameters | set(chosen))
            if _definition(file, wider, nn, {helper.name: helper.name}) in file.definitions:
                return wider
    return helper


def _at_different_places(edits: Sequence[Edit]) -> list[Edit]:
    """The edits; different texts that are inserted at the same place become one edit, in order."""
    merged: dict[Site, list[str]] = {}
    for edit in edits:
        texts = merged.setdefault(edit.site, [])
        if edit.text not in texts:
            texts.append(edit.text)
    return [Edit(site, "".join(texts)) for site, texts in merged.items()]


def _helper_names(file: SourceFile, helpers: Sequence[Helper], nn: str) -> dict[str, str]:
    """The name of each helper in this file: its own, unless the file uses it for something else."""
    names = {helper.name: helper.name for helper in helpers}
    for helper in helpers:
        for name in numbered_names(helper.name):
            names[helper.name] = name
            if name not in file.taken or _definition(file, helper, nn, names) in file.definitions:
                break
    return names


def _definition(file: SourceFile, helper: Helper, nn: str, names: Mapping[str, str]) -> str:
    """The text of a helper with the names and the indentation of this file."""
    text = helper.text
    if file.leaves_out_docstrings:
        text = layer_class.without_docstring(text)
    if file.is_annotated and helper.writer is not None and not _UNTYPED & helper.parameters:
        text = layer_class.annotated(text)
    text = layer_class.in_lines_of(file.line_length, text)
    indent = file.module_node.default_indent
    written = _renamed(text, tuple({**names, "nn": nn}.items()), indent)
    return re.sub(r"^(\t+)    ", r"\1\t", written, flags=re.MULTILINE) if indent == "\t" else written


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
    return wrapper.module.visit(_Renaming(nodes, dict(names))).with_changes(default_indent=indent).code


class _Renaming(cst.CSTTransformer):
    def __init__(self, nodes: set[cst.CSTNode], names: Mapping[str, str]) -> None:
        super().__init__()
        self.nodes = nodes
        self.names = names

    def leave_Name(  # noqa: N802 - libcst calls it so
        self, original_node: cst.Name, updated_node: cst.Name
    ) -> cst.BaseExpression:
        name = self.names.get(original_node.value)
        return updated_node if name is None or original_node not in self.nodes else cst.parse_expression(name)


@dataclass(frozen=True, slots=True)
class _Insertion:
    """The insertion of imports and definitions into a file, before its calls with ``edits``."""

    path: str
    file: SourceFile
    edits: Sequence[Edit]

    def place(self, needed: int, imports: list[str], definitions: list[str]) -> tuple[Site, str]:
        """The place and the text to insert, after the statement ``needed`` and after the preamble."""
        statements = self.file.statements
        in_definitions = bool(definitions) and all(
            _is_definition(each.node) or not self._has_edit(number, alone=True)
            for number, each in enumerate(statements)
        )  # then no statement above the first definition builds an edited layer
        lead = 0
        while lead < len(statements):
            node = statements[lead].node
            is_above = _is_preamble(node) if not in_definitions else not any(map(_is_definition, nodes_in(node)))
            if lead > needed and (not is_above or self._has_edit(lead, alone=True)):
                break
            lead += 1
        if not definitions:  # imports alone go below the other imports
            while lead > 1 and not isinstance(statements[lead - 1].node, cst.Import | cst.ImportFrom):
                lead -= 1
        while self._shares_line(lead) and not self._has_edit(lead):
            lead += 1
        text = "".join(f"{line}\n" for line in imports)
        if not definitions:
            return self._between(lead, text, blanks=0)
        written = "\n\n".join(definitions)
        below = lead > 0 and isinstance(statements[lead - 1].node, cst.Import | cst.ImportFrom)
        if imports and below and not self._shares_line(lead):
            return self._below_imports(lead, text, written)
        return self._between(lead, f"{text}\n\n{written}" if imports else written, blanks=2)

    def _below_imports(self, lead: int, imports: str, written: str) -> tuple[Site, str]:
        """The place directly below the import before ``lead``, and the text with what follows two lines below."""
        line = self.file.positions[self.file.statements[lead - 1].line].end.line + 1
        last = lead == len(self.file.statements)
        missing = 0 if last else max(0, 2 - (self._first_line(lead) - line))
        return Site(self.path, line, 1, line, 1), f"{imports}\n\n{written}" + "\n" * missing

    def _shares_line(self, lead: int) -> bool:
        """Return whether a semicolon separates the statements before and after ``lead``."""
        statements = self.file.statements
        if not 0 < lead < len(statements):
            return False
        return statements[lead - 1].line is statements[lead].line

    def _has_edit(self, lead: int, *, alone: bool = False) -> bool:
        """Return whether anything in the rest of the line, or in this statement ``alone``, is edited."""
        statement = self.file.statements[lead]
        start = self.file.positions[statement.node].start
        end = self.file.positions[statement.node if alone else statement.line].end
        return any(
            (start.line, start.column + 1) <= (edit.site.line, edit.site.column) <= (end.line, end.column + 1)
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


def _is_definition(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.FunctionDef | cst.ClassDef)


def _is_preamble(node: cst.CSTNode) -> bool:
    """Return whether a statement needs no helper: a docstring, an import, a constant."""
    if isinstance(node, cst.SimpleStatementLine | cst.IndentedBlock):
        return all(_is_preamble(part) for part in node.body)
    if isinstance(node, cst.Assign | cst.AnnAssign | cst.If | cst.Try):
        parts = [part for part in node.children if isinstance(part, cst.BaseSuite | cst.If | cst.Try)]
        return not any(isinstance(each, cst.Call) for each in nodes_in(node)) and all(map(_is_preamble, parts))
    if isinstance(node, cst.Expr):
        return isinstance(node.value, cst.SimpleString | cst.ConcatenatedString | cst.Ellipsis)
    return isinstance(node, cst.Import | cst.ImportFrom | cst.Pass)
