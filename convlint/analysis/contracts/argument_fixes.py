"""The edit that puts one expression in the place of another in a constructor call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint import symbolic
from convlint.ir import Edit, Fix, Scope, Site
from convlint.source_text import call_sites
from convlint.source_text.texts import SourceTexts
from convlint.symbolic import Dim


def argument_fix(site: Site, scope: Scope, asked: Dim, wanted: Dim, texts: SourceTexts) -> Fix:
    """A fix of the call at ``site``: ``wanted`` in the place of its one argument ``asked``.

    It is only shown, not made, unless the call stands in the constructor of ``scope`` itself and
    every name in ``wanted`` means there what it means in the expression.
    """
    title = f"replace `{symbolic.text(asked)}` with `{symbolic.text(wanted)}`"
    edit = _edit(site, scope, symbolic.text(asked), wanted, texts)
    return Fix(title, "display", ()) if edit is None else Fix(title, "safe", (edit,))


def _edit(site: Site, scope: Scope, asked: str, wanted: Dim, texts: SourceTexts) -> Edit | None:
    call = call_sites.at(site, texts) if site.function == f"{scope.kind}.__init__" else None
    if call is None or not isinstance(call.scope, ast.FunctionDef):
        return None
    given = [*call.node.args, *(keyword.value for keyword in call.node.keywords)]
    places = [argument for argument in given if ast.unparse(argument) == asked]
    fixed = _parameters(call.scope) - set(_rebound(call.scope))
    known = all(s.scope == scope.id and s.name in fixed for s in wanted.symbols())
    return call.replaced(places[0], symbolic.text(wanted)) if len(places) == 1 and known else None


def _parameters(function: ast.FunctionDef) -> set[str]:
    given = function.args
    return {arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)}


def _rebound(function: ast.FunctionDef) -> Iterator[str]:
    """Names that mean something else in some part of a function than what was passed for them."""
    own = set(ast.walk(function.args))
    for node in ast.walk(function):
        if node in own or node is function:
            continue
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        else:
            yield from call_sites.bound(node)
