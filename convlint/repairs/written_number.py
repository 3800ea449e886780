"""Written numbers: the expressions in the user's files that a number of a layer comes from."""

from __future__ import annotations

import ast
import builtins
import os
from functools import cached_property

from convlint.ir import Site
from convlint.repairs.changes import Change
from convlint.source_text import call_sites, lines
from convlint.source_text.bindings import parameters
from convlint.source_text.call_sites import Function, ParsedFile
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass


@dataclass(frozen=True)
class Place:
    """The file and scope of an expression, and ``depth``, the calls between it and the layer's constructor."""

    path: str
    file: ParsedFile
    scope: ast.AST
    depth: int

    @property
    def is_parameterized(self) -> bool:
        """True inside a function with parameters, which several calls may share."""
        return isinstance(self.scope, Function) and bool(parameters(self.scope))


@dataclass(frozen=True)
class WrittenNumber:
    """An expression that evaluates to a number, and how it would have to change.

    ``role`` says how it is written: as "argument", "operand", "assignment", "default", "element", "attribute" or
    "unpacked". ``frame`` is the call that it is part of, and ``callers`` are the calls around that, innermost first.
    """

    node: ast.expr
    place: Place
    change: Change
    role: str
    frame: Site
    callers: tuple[Site, ...]

    @property
    def site(self) -> Site:
        return lines.span(self.place.path, self.node, self.place.file.lines)

    @cached_property
    def text(self) -> str:
        return ast.unparse(self.node)

    @property
    def has_callers(self) -> bool:
        """True if a call of the function around it is known."""
        return bool(self.callers)

    @property
    def is_in_the_call(self) -> bool:
        """True for an argument of the call, or a part of one: not a part of what a variable was assigned before."""
        if self.role != "operand":
            return self.role == "argument"
        site, frame = self.site, self.frame
        return site.path == frame.path and frame.line <= site.line and site.end_line <= frame.end_line

    @property
    def is_alternative(self) -> bool:
        """True in ``a or b`` and ``a if x else b``, where the other part may be the value."""
        parent, _ = self.place.file.parents.get(self.node, (None, ""))
        return isinstance(parent, ast.BoolOp | ast.IfExp)

    @property
    def is_factor(self) -> bool:
        """True in ``a * b`` and ``a // b``."""
        parent, _ = self.place.file.parents.get(self.node, (None, ""))
        return isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult | ast.FloorDiv)

    @property
    def literal(self) -> int | None:
        """The number of an integer literal, None for other expressions."""
        is_int = isinstance(self.node, ast.Constant) and type(self.node.value) is int
        return int(self.text, 0) if is_int else None


def imported(texts: SourceTexts, importer: str, statement: ast.ImportFrom, name: str = "") -> Place | None:
    """The top level of the file that an import names: next to its importer, or in a folder above it.

    The imported ``name`` may be a module itself.
    """
    folder = os.path.dirname(os.path.abspath(importer))
    for _ in range(statement.level - 1):
        folder = os.path.dirname(folder)
    while True:
        stem = os.path.join(folder, *(statement.module or "").split("."))
        modules = (os.path.join(stem, f"{name}.py"),) if name else ()
        for path in (*modules, f"{stem}.py", os.path.join(stem, "__init__.py")):
            if os.path.isfile(path):
                parsed = call_sites.parsed_file(path := os.path.relpath(path), texts)
                return Place(path, parsed, parsed.tree, 0) if parsed else None
        if statement.level or folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)


def may_be_number(node: ast.expr, role: str) -> bool:
    """Return whether an expression may be a number."""
    match node:
        case ast.UnaryOp(operand=ast.Constant()):
            return role != "element"  # of a list: a place in another one
        case ast.Constant(value=value):
            return type(value) is int
        case ast.Name(id=name):
            return not hasattr(builtins, name)
    return not isinstance(node, ast.Dict | ast.Set | ast.JoinedStr | ast.ListComp | ast.DictComp | ast.Compare)
