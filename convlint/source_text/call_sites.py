"""Calls as they are written in a file: the callee, the arguments with their spans, and the code around the call.

Everything is read from the text (see ``SourceTexts``), so that fixes can be made from it.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache

from convlint.source_text import lines
from convlint.source_text.site import Edit, Site
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Scope = Function | ast.ClassDef | ast.Module

_COMMENT_OR_PARENTHESIS = re.compile(r"#[^\n]*|\)")
_CONDITIONAL = (  # a part of these may run once, many times or never
    ast.If | ast.IfExp | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.TryStar
    | ast.ExceptHandler | ast.match_case | ast.BoolOp
    | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
)  # fmt: skip
_NAMED = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    | ast.ExceptHandler | ast.MatchAs | ast.MatchStar
)  # fmt: skip


def at(site: Site, texts: SourceTexts) -> WrittenCall | None:
    """Find the call whose span is ``site``; None if there is none, or the file cannot be read and parsed."""
    file = _file(texts.text(site.path))
    node = file.calls.get(_key(site)) if file else None
    return WrittenCall(site, node, file) if file and node else None


def parsed_file(path: str, texts: SourceTexts) -> ParsedFile | None:
    """Parse a file; None if it cannot be read and parsed."""
    return _file(texts.text(path))


def of_text(text: str) -> ParsedFile | None:
    """Parse the text of a file; None if it cannot be parsed."""
    return _file(text)


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call expression in a file. Calls in one file can be compared by the code around them."""

    site: Site
    node: ast.Call
    file: ParsedFile

    @property
    def callee(self) -> str:
        """The qualified name of the callee, such as "torch.nn.Conv2d"; "" if the file's imports do not define it."""
        return self.file.qualified(self.node.func)

    @property
    def unpacks(self) -> bool:
        """True for a call with ``*args`` or ``**kwargs``."""
        starred = any(isinstance(argument, ast.Starred) for argument in self.node.args)
        return starred or any(keyword.arg is None for keyword in self.node.keywords)

    @property
    def scope(self) -> Scope:
        """The function, class body or module that contains it."""
        return self.file.scope(self.node)

    def argument(self, name: str, position: int) -> ast.expr | None:
        """Return the argument for a parameter, passed by name or position; None if there is none.

        ``position`` is that in the class that a lazy layer becomes: the lazy layer lacks the first parameter.
        """
        position -= self.callee.rpartition(".")[2].startswith("Lazy")
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return keyword.value
        before = self.node.args[: position + 1]
        if len(before) <= position or any(isinstance(argument, ast.Starred) for argument in before):
            return None
        return before[position]

    def replacing(self, node: ast.expr, text: str) -> Edit:
        """Return the edit that replaces an expression in the call with ``text``."""
        return Edit(lines.span(self.site.path, node, self.file.lines, self.site.function), text)

    def adding(self, argument: str) -> Edit:
        """Return the edit that appends an argument."""
        arguments: list[ast.expr | ast.keyword] = [*self.node.args, *self.node.keywords]
        site = self.site
        if not arguments:
            line, column = site.end_line, site.end_column - 1
            return Edit(Site(site.path, line, column, line, column, site.function), argument)
        last = max(arguments, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
        end = lines.span(site.path, last, self.file.lines)
        line, column = self._after_parentheses(end.end_line, end.end_column)
        return Edit(Site(site.path, line, column, line, column, site.function), f", {argument}")

    def removing(self, keyword: ast.keyword) -> Edit:
        """Return the edit that removes an argument that is passed by name, and the comma next to it."""
        arguments: list[ast.expr | ast.keyword] = [*self.node.args, *self.node.keywords]
        arguments.sort(key=lambda node: (node.lineno, node.col_offset))
        at = arguments.index(keyword)
        spans = [lines.span(self.site.path, each, self.file.lines) for each in arguments]
        start, end = (spans[at].line, spans[at].column), (spans[at].end_line, spans[at].end_column)
        if at:
            start = self._end_before(spans[at - 1], start)
        elif len(spans) > 1:
            end = (spans[1].line, spans[1].column)
        else:  # with a comma after it
            end = (self.site.end_line, self.site.end_column - 1)
        return Edit(Site(self.site.path, *start, *end, self.site.function), "")

    def _end_before(self, argument: Site, stop: tuple[int, int]) -> tuple[int, int]:
        """Return the place after an argument and its closing parentheses, before ``stop``."""
        place = argument.end_line, argument.end_column
        for number in range(argument.end_line, stop[0] + 1):
            first = argument.end_column - 1 if number == argument.end_line else 0
            last = stop[1] - 1 if number == stop[0] else None
            found = _COMMENT_OR_PARENTHESIS.finditer(self.file.lines[number - 1][:last], first)
            place = max([place, *((number, match.end() + 1) for match in found if match[0] == ")")])
        return place

    def _after_parentheses(self, line: int, column: int) -> tuple[int, int]:
        """Return the place after the closing parentheses of an argument such as ``(3)``."""
        closing = [(line, column)]
        for number in range(line, self.site.end_line + 1):
            start = column - 1 if number == line else 0
            stop = self.site.end_column - 1 if number == self.site.end_line else None
            matches = _COMMENT_OR_PARENTHESIS.finditer(self.file.lines[number - 1][:stop], start)
            closing += [(number, match.end() + 1) for match in matches if match[0] == ")"]
        return closing[max(len(closing) - 2, 0)]  # the last parenthesis closes the call

    def implies(self, other: WrittenCall) -> bool:
        """Check whether ``other`` always runs if this call does, according to the text.

        It must be in the same function, under no further condition, with no return or break in between.
        """
        if self.scope is not other.scope:
            return False
        first, last = sorted((self.node.lineno, other.node.lineno))
        exits = self.file.exits(self.scope)
        leaves = bisect_left(exits, last) > bisect_right(exits, first)
        return not leaves and self.file.conditions(other.node) <= self.file.conditions(self.node)


@dataclass(eq=False)
class ParsedFile:
    """A syntax tree with the parent of each node."""

    tree: ast.Module
    lines: list[str]

    def __post_init__(self) -> None:
        self.parents: dict[ast.AST, tuple[ast.AST, str]] = {}
        self.nodes = list(self._walk())
        self._exits: dict[Scope, list[int]] = {}

    def _walk(self) -> Iterator[ast.AST]:
        """Yield all nodes except those in f-strings, whose positions are unreliable."""
        pending: list[ast.AST] = [self.tree]
        while pending:
            node = pending.pop()
            yield node
            for field, value in () if isinstance(node, ast.JoinedStr) else ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        self.parents[child] = (node, field)
                        pending.append(child)

    def exits(self, scope: Scope) -> list[int]:
        """The lines of the statements in a scope that leave it or a loop, in order."""
        if scope not in self._exits:
            leaving = (node for node in ast.walk(scope) if isinstance(node, ast.Return | ast.Break | ast.Continue))
            self._exits[scope] = sorted(node.lineno for node in leaving)
        return self._exits[scope]

    @cached_property
    def calls(self) -> dict[tuple[int, int, int, int], ast.Call]:
        calls = (node for node in self.nodes if isinstance(node, ast.Call))
        return {_key(lines.span("", node, self.lines)): node for node in calls}

    @cached_property
    def imported(self) -> dict[str, str]:
        """The qualified names of imported names; without names that the file also gives to something else."""
        meanings: dict[str, set[str]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.split(".")[0]
                    meanings.setdefault(name, set()).add(alias.name if alias.asname else name)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                for alias in node.names:
                    meaning = f"{node.module}.{alias.name}"
                    meanings.setdefault(alias.asname or alias.name, set()).add(meaning)
            else:
                for name in bound_names(node):
                    meanings.setdefault(name, set()).add("")
        return {name: next(iter(found)) for name, found in meanings.items() if len(found) == 1}

    def qualified(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            owner = self.qualified(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return self.imported.get(node.id, "") if isinstance(node, ast.Name) else ""

    def _around(self, node: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST]]:
        """Yield (parent, field, child) from a node up to its scope, innermost first."""
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
        """Return the (statement or expression, field) pairs around a node that run only under a condition."""
        return frozenset(
            (parent, field)
            for parent, field, part in self._around(node)
            if isinstance(parent, _CONDITIONAL)
            and field not in ("test", "iter", "finalbody")
            and not (isinstance(parent, ast.BoolOp) and part is parent.values[0])
        )


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node itself binds, except imports."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, _NAMED) and node.name:
        yield node.name


@lru_cache(maxsize=8)
def _file(text: str) -> ParsedFile | None:
    tree = lines.parse(text)
    return ParsedFile(tree, lines.split(text)) if tree else None


def _key(site: Site) -> tuple[int, int, int, int]:
    return site.line, site.column, site.end_line, site.end_column
