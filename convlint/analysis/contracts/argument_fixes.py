"""Fixes that replace one expression by another in a constructor call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint import symbolic
from convlint.ir import Edit, Fix, Scope, Site
from convlint.source_text import call_sites
from convlint.source_text.texts import SourceTexts
from convlint.symbolic import Dim


def argument_fix(site: Site, scope: Scope, old: Dim, new: Dim, texts: SourceTexts) -> Fix:
    """Replace the one argument ``old`` of the call at ``site`` with ``new``.

    The fix is only displayed unless the call is in the constructor of ``scope`` itself, and every name in ``new`` means
    there what it means in the expression.
    """
    title = f"replace `{symbolic.text(old)}` with `{symbolic.text(new)}`"
    edit = _edit(site, scope, symbolic.text(old), new, texts)
    return Fix(title, "display", ()) if edit is None else Fix(title, "safe", (edit,))


def _edit(site: Site, scope: Scope, old: str, new: Dim, texts: SourceTexts) -> Edit | None:
    call = call_sites.at(site, texts) if site.function == f"{scope.kind}.__init__" else None
    if call is None or not isinstance(call.scope, ast.FunctionDef):
        return None
    arguments = [*call.node.args, *(keyword.value for keyword in call.node.keywords)]
    matching = [argument for argument in arguments if ast.unparse(argument) == old]
    unchanged = _parameters(call.scope) - set(_rebound(call.scope))
    if len(matching) != 1 or any(s.scope != scope.id or s.name not in unchanged for s in new.symbols()):
        return None
    return call.replacing(matching[0], symbolic.text(new))


def _parameters(function: ast.FunctionDef) -> set[str]:
    arguments = function.args
    return {arg.arg for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def _rebound(function: ast.FunctionDef) -> Iterator[str]:
    """Names that a function binds again, so they may not have the value that was passed for them."""
    own = set(ast.walk(function.args))
    for node in ast.walk(function):
        if node in own or node is function:
            continue
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        else:
            yield from call_sites.bound_names(node)
