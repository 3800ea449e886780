"""The statement around a call of a convolution, in which another class is chosen."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from convlint.ir import Edit, Site
from convlint.rewriting import call_text
from convlint.rewriting.base import NamedEdit
from convlint.source_text import call_sites
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass, replace


@dataclass(frozen=True, slots=True)
class Place:
    """The statement in which a call stands, which begins its line in a function."""

    call: WrittenCall
    statement: ast.stmt
    indent: str
    name: str  # of a new variable; "" where names of the call are bound within the statement

    @classmethod
    def of(cls, call: WrittenCall) -> Place | None:
        node: ast.AST = call.node
        inner = False
        while not isinstance(node, ast.stmt):
            if node not in call.file.parents:
                return None
            node, _ = call.file.parents[node]
            comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda
            inner = inner or isinstance(node, comprehension | ast.NamedExpr)
        indent = call.file.lines[node.lineno - 1][: node.col_offset]
        function = call.scope
        simple = isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Expr | ast.AugAssign)
        if not simple or indent.strip() or not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        if ";" in "".join(call.file.lines[node.lineno - 1 : node.end_lineno]):
            return None
        taken = {name for part in ast.walk(function) for name in call_sites.bound_names(part)}
        taken |= {part.id for part in ast.walk(function) if isinstance(part, ast.Name)}
        earlier = [part for part in _calls_in(node) if _before(part, call.node)]
        names = [f"{name}{len(earlier) + 1 if earlier else ''}" for name in ("conv", "conv_class", "layer_class")]
        free = next((name for name in names if name not in taken), "")
        return cls(call, node, indent, "" if inner else free)

    def with_name(self, *names: str) -> Place | None:
        """The same place for a variable with the first of these names that its function does not use."""
        function = ast.walk(self.call.scope)
        taken = {each for node in function for each in (*call_sites.bound_names(node), getattr(node, "id", ""))}
        free = next((name for name in names if name not in taken), None)
        return replace(self, name=free) if free else None

    @property
    def is_value(self) -> bool:
        """Return whether the statement assigns or returns the result of the call."""
        if not isinstance(self.statement, ast.Assign | ast.Return) or self.statement.value is not self.call.node:
            return False
        return self.statement.end_col_offset == self.call.node.end_col_offset  # and not in parentheses

    def chosen_class(self, helper: str, condition: str, called: WrittenCall | None = None) -> tuple[Edit, ...]:
        """A variable with the class, before the statement, and the call of it, here or ``called`` further below."""
        called = called or self.call
        callee = called.replacing(called.node.func, self.name)
        assigned = self.assignment(self.name, helper, condition, call_text.source(self.call, self.call.node.func))
        return assigned, callee, *call_text.realigned(called, self.name)

    def assignment(self, variable: str, helper: str, condition: str, dense: str) -> Edit:
        """The edit that sets a variable to the class of a helper under a condition, before the statement."""
        line = self.statement.lineno
        site = Site(self.call.site.path, line, 1, line, 1, self.call.site.function)
        start = f"{self.indent}{variable} = "
        return NamedEdit(site, f"{start}{helper} if {condition} else {dense}\n", helper, len(start))

    def comes_before(self, node: ast.AST) -> bool:
        """Return whether the statement has run whenever a later part of its function runs."""
        block = self.call.file.parents[self.statement]
        while node in self.call.file.parents:
            if self.call.file.parents[node] == block:
                return True
            node, _ = self.call.file.parents[node]
        return False

    @property
    def is_in_loop(self) -> bool:
        """Return whether the statement may run more than once in a call of its function."""
        node: ast.AST = self.statement
        while node is not self.call.scope:
            node, _ = self.call.file.parents[node]
            if isinstance(node, ast.For | ast.AsyncFor | ast.While):
                return True
        return False

    def branches(self, helper: str, condition: str, more: Sequence[str] = ()) -> Edit:
        """The statement with the other class if the condition holds, else as it is."""
        source = "".join(self.call.file.lines)
        old = ast.get_source_segment(source, self.statement) or ""
        call = ast.get_source_segment(source, self.call.node) or ""
        head = old[: len(old) - len(call)]
        module = call_text.source(self.call, self.call.node.func).rpartition(".")[0]
        alone = isinstance(self.statement, ast.Assign) and len(self.statement.targets) == 1
        if alone and module and call_text.is_annotated(self.call.file.tree):
            head = head.replace(" =", f": {module}.Module =", 1)  # the branches assign objects of two classes
        step = call_text.step_of(self.indent)
        new = f"if {condition}:\n{self.indent}{step}{head}"
        site = self.call.site
        line, column = self.statement.lineno, len(self.indent) + 1
        span = Site(site.path, line, column, site.end_line, site.end_column, site.function)
        start, inner = len(new), self.indent + step
        new += call_text.other_class(self.call, helper, inner + head, inner, more)
        if isinstance(self.statement, ast.Return):
            text = f"{new}\n{self.indent}{old}"
        else:
            moved = old.replace("\n", f"\n{step}")
            text = f"{new}\n{self.indent}else:\n{inner}{moved}"
        return NamedEdit(span, text, helper, start)


def _calls_in(statement: ast.stmt) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _before(first: ast.Call, second: ast.Call) -> bool:
    """Return whether a call to the same class stands before another one, and not around it."""
    same = ast.unparse(first.func) == ast.unparse(second.func)
    return same and (first.lineno, first.col_offset) < (second.lineno, second.col_offset)
