"""The edit that puts one expression in the place of another in a constructor call."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator

from convlint import dims
from convlint.dims import Dim
from convlint.model import Edit, Fix, Scope, Site


def argument_fix(site: Site, scope: Scope, asked: Dim, wanted: Dim) -> Fix:
    """A fix of the call at ``site``: ``wanted`` in the place of its one argument ``asked``.

    It is only shown, not made, unless the call stands in the constructor of ``scope`` itself and
    every name in ``wanted`` means there what it means in the expression.
    """
    text = dims.text(wanted)
    span = _argument(site, scope, dims.text(asked), wanted)
    if span is None:
        return Fix(f"write {text} for {dims.text(asked)}", "display", ())
    return Fix(f"write {text} for {dims.text(asked)}", "safe", (Edit(span, text),))


def _argument(site: Site, scope: Scope, asked: str, wanted: Dim) -> Site | None:
    linecache.checkcache(site.path)
    lines = linecache.getlines(site.path)
    if site.function != f"{scope.kind}.__init__" or not lines:
        return None
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and _span(call, site, lines) == site:
                    return _place(function, call, scope, asked, wanted, site, lines)
    return None


def _place(
    function: ast.FunctionDef,
    call: ast.Call,
    scope: Scope,
    asked: str,
    wanted: Dim,
    site: Site,
    lines: list[str],
) -> Site | None:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    places = [arg for arg in given if ast.unparse(arg) == asked]
    fixed = _parameters(function) - set(_rebound(function))
    known = all(s.scope == scope.id and s.name in fixed for s in wanted.symbols())
    return _span(places[0], site, lines) if len(places) == 1 and known else None


def _parameters(function: ast.FunctionDef) -> set[str]:
    given = function.args
    return {arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)}


def _rebound(function: ast.FunctionDef) -> Iterator[str]:
    """Names that mean something else in some part of a function than what was passed for them."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg) and node not in ast.walk(function.args):
            yield node.arg
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _span(node: ast.expr, site: Site, lines: list[str]) -> Site:
    """Where an expression stands, its columns in characters from 1."""
    end_line, end_column = node.end_lineno or 0, node.end_col_offset or 0
    return Site(
        site.path,
        node.lineno,
        _characters(lines[node.lineno - 1], node.col_offset),
        end_line,
        _characters(lines[end_line - 1], end_column),
        site.function,
    )


def _characters(line: str, column: int) -> int:
    return len(line.encode()[:column].decode(errors="replace")) + 1
