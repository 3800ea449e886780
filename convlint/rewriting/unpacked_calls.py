"""Calls of a convolution with ``*args``: the first of them get names, so that a condition can be on their values."""

from __future__ import annotations

import ast

from convlint.ir import Edit, Site
from convlint.rewriting import call_text
from convlint.source_text import call_sites, lines
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass


def starred(call: WrittenCall) -> ast.Starred | None:
    """The ``*args`` of a call; None without, or if another positional argument follows."""
    last = call.node.args[-1] if call.node.args else None
    others = call.node.args[:-1]
    alone = not any(isinstance(argument, ast.Starred) for argument in others) and len(others) < call_text.GROUPS
    return last if isinstance(last, ast.Starred) and alone else None


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A call that passes the ``*args`` of its function on, and has no other use for them: they may be named."""

    call: WrittenCall
    function: ast.FunctionDef | ast.AsyncFunctionDef
    vararg: ast.arg
    star: ast.Starred
    base: str

    @classmethod
    def of(cls, call: WrittenCall, base: str) -> PassedOn | None:
        star, function = starred(call), call.scope
        if star is None or not isinstance(star.value, ast.Name) or not isinstance(function, ast.FunctionDef):
            return None
        vararg, kwarg = function.args.vararg, function.args.kwarg
        if vararg is None or vararg.arg != star.value.id or function.args.defaults:
            return None
        unpacked = [keyword.value for keyword in call.node.keywords if keyword.arg is None]
        if kwarg is not None and [value.id for value in unpacked if isinstance(value, ast.Name)] != [kwarg.arg]:
            return None
        read = [node.id for node in ast.walk(function) if isinstance(node, ast.Name)]
        if len(unpacked) > 1 or any(read.count(each.arg) != 1 for each in (vararg, kwarg) if each):
            return None
        return cls(call, function, vararg, star, base)

    def can_name(self, count: int) -> bool:
        """Return whether the first ``count`` parameters of the class can be parameters of the function."""
        names = self._names(count)
        bound = {name for node in ast.walk(self.function) for name in call_sites.bound_names(node)}
        return bool(names) and not bound & {*names} and not {k.arg for k in self.call.node.keywords} & {*names}

    def edits(self, count: int) -> tuple[Edit, Edit]:
        """The edits of the function's parameters and of the call."""
        names = self._names(count)
        types = {"in_channels": ": int", "out_channels": ": int"} if self.vararg.annotation else {}
        path, written = self.call.site.path, self.call.file.lines
        line, column = self.vararg.lineno, self.vararg.col_offset
        column = written[line - 1].encode()[:column].decode().rindex("*")  # the name follows, perhaps after a space
        before = Site(path, line, column + 1, line, column + 1, self.call.site.function)
        span = lines.span(path, self.star, written)
        at = Site(path, span.line, span.column, span.line, span.column, self.call.site.function)
        parameters = "".join(f"{name}{types.get(name, '')}, " for name in names)
        return Edit(before, parameters), Edit(at, "".join(f"{name}, " for name in names))

    def _names(self, count: int) -> tuple[str, ...]:
        return call_text.positions_of(self.base)[len(self.call.node.args) - 1 : count]
