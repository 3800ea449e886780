"""A call as it stands in a file: what is called, its arguments and their spans, what stands around it.

Everything is read from the text (see ``SourceTexts``), for a fix to be written from it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from convlint.source_text import lines
from convlint.source_text.site import Edit, Site
from convlint.source_text.texts import SourceTexts

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Scope = Function | ast.ClassDef | ast.Module

_BEHIND_ARGUMENT = re.compile(r"#[^\n]*|\)")
_CONDITIONAL = (
    *(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar),
    *(ast.ExceptHandler, ast.match_case, ast.BoolOp),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
"""What may run a part of itself once, often or never."""
_NAMING = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.ExceptHandler, ast.MatchAs, ast.MatchStar),
)


def at(site: Site, texts: SourceTexts) -> WrittenCall | None:
    """Find the call whose span is ``site``; None if there is none, or the file cannot be read and parsed."""
    file = _file(texts.text(site.path))
    node = file.calls.get(_key(site)) if file else None
    return WrittenCall(site, node, file) if file and node else None


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call expression in a file. Two of one file can be compared by what stands around them."""

    site: Site
    node: ast.Call
    file: File

    @property
    def callee(self) -> str:
        """What is called, as the file imports it: "torch.nn.Conv2d", however it is spelled there; ""
        where the text does not say.
        """
        return self.file.qualified(self.node.func)

    @property
    def unpacks(self) -> bool:
        """Whether some of its arguments are not written here: ``*args`` or ``**kwargs``."""
        starred = any(isinstance(argument, ast.Starred) for argument in self.node.args)
        return starred or any(keyword.arg is None for keyword in self.node.keywords)

    @property
    def scope(self) -> Scope:
        """The function, class body or module in which it runs."""
        return self.file.scope(self.node)

    def given(self, name: str, position: int) -> ast.expr | None:
        """What is written for a parameter, by its name or at its position; None if nothing is.

        A lazy layer takes all but its first parameter: positions are those of the class it becomes.
        """
        position -= self.callee.rpartition(".")[2].startswith("Lazy")
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return keyword.value
        before = self.node.args[: position + 1]
        if len(before) <= position or any(isinstance(given, ast.Starred) for given in before):
            return None
        return before[position]

    def replaced(self, node: ast.expr, text: str) -> Edit:
        """The edit that puts ``text`` in the place of an expression in the call."""
        return Edit(lines.span(self.site.path, node, self.file.lines, self.site.function), text)

    def added(self, argument: str) -> Edit:
        """The edit that writes one more argument behind the others."""
        given: list[ast.expr | ast.keyword] = [*self.node.args, *self.node.keywords]
        site = self.site
        if not given:
            line, column = site.end_line, site.end_column - 1
            return Edit(Site(site.path, line, column, line, column, site.function), argument)
        last = max(given, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
        end = lines.span(site.path, last, self.file.lines)
        line, column = self._behind_parentheses(end.end_line, end.end_column)
        return Edit(Site(site.path, line, column, line, column, site.function), f", {argument}")

    def _behind_parentheses(self, line: int, column: int) -> tuple[int, int]:
        """The place behind the parentheses that close around an argument: ``(3)`` ends behind its ``)``."""
        closing = [(line, column)]
        for number in range(line, self.site.end_line + 1):
            start = column - 1 if number == line else 0
            stop = self.site.end_column - 1 if number == self.site.end_line else None
            found = _BEHIND_ARGUMENT.finditer(self.file.lines[number - 1][:stop], start)
            closing += [(number, match.end() + 1) for match in found if match[0] == ")"]
        return closing[max(len(closing) - 2, 0)]  # the last one closes the call

    def always_with(self, other: WrittenCall) -> bool:
        """Whether ``other`` runs whenever this call does, as far as the text says: in the same function,
        under no further condition, and with no way out in between.
        """
        if self.scope is not other.scope:
            return False
        first, last = sorted((self.node.lineno, other.node.lineno))
        leaves = any(
            isinstance(node, ast.Return | ast.Break | ast.Continue) and first < node.lineno < last
            for node in ast.walk(self.scope)
        )
        return not leaves and self.file.conditions(other.node) <= self.file.conditions(self.node)


@dataclass(eq=False)
class File:
    """A parsed file, with each node's parent."""

    tree: ast.Module
    lines: list[str]

    def __post_init__(self) -> None:
        self.parents: dict[ast.AST, tuple[ast.AST, str]] = {}
        self.nodes = list(self._walk())

    def _walk(self) -> Iterator[ast.AST]:
        """All nodes but those within f-strings, whose positions are not to be relied on."""
        todo: list[ast.AST] = [self.tree]
        while todo:
            node = todo.pop()
            yield node
            for field, value in () if isinstance(node, ast.JoinedStr) else ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        self.parents[child] = (node, field)
                        todo.append(child)

    @cached_property
    def calls(self) -> dict[tuple[int, int, int, int], ast.Call]:
        found = (node for node in self.nodes if isinstance(node, ast.Call))
        return {_key(lines.span("", node, self.lines)): node for node in found}

    @cached_property
    def imported(self) -> dict[str, str]:
        """What each imported name means; without those that something else in the file is called too."""
        found: dict[str, set[str]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.split(".")[0]
                    found.setdefault(name, set()).add(alias.name if alias.asname else name)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                for alias in node.names:
                    meaning = f"{node.module}.{alias.name}"
                    found.setdefault(alias.asname or alias.name, set()).add(meaning)
            else:
                for name in bound(node):
                    found.setdefault(name, set()).add("")
        return {name: next(iter(all_)) for name, all_ in found.items() if len(all_) == 1}

    def qualified(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            owner = self.qualified(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return self.imported.get(node.id, "") if isinstance(node, ast.Name) else ""

    def _around(self, node: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST]]:
        """What stands around a node up to its scope, innermost first: the node, in which of its
        parts, and that part.
        """
        part = node
        while part in self.parents:
            parent, field = self.parents[part]
            yield parent, field, part
            if isinstance(parent, Scope) and field == "body":
                return
            part = parent

    def scope(self, node: ast.AST) -> Scope:
        for parent, field, _ in self._around(node):
            if isinstance(parent, Scope) and field == "body":
                return parent
        return self.tree

    def conditions(self, node: ast.AST) -> frozenset[tuple[ast.AST, str]]:
        """The parts of conditional statements and expressions that a node stands in."""
        return frozenset(
            (parent, field)
            for parent, field, part in self._around(node)
            if isinstance(parent, _CONDITIONAL)
            and field not in ("test", "iter", "finalbody")
            and not (isinstance(parent, ast.BoolOp) and part is parent.values[0])
        )


def bound(node: ast.AST) -> Iterator[str]:
    """The names that one node, by itself, gives a meaning to; imports apart."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, _NAMING) and node.name:
        yield node.name


@lru_cache(maxsize=8)
def _file(text: str) -> File | None:
    tree = lines.parsed(text)
    return File(tree, lines.split(text)) if tree else None


def _key(site: Site) -> tuple[int, int, int, int]:
    return site.line, site.column, site.end_line, site.end_column
