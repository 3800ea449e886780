"""Functions of libraries that build what a dict describes: ``MODELS.build(cfg)``, ``build_norm_layer(cfg, 64)``."""

from __future__ import annotations

import ast

from convlint.source_text.bindings import argument_for, arguments, assigned, default_of, parameters
from convlint.source_text.call_sites import Function, WrittenCall


def unpacks(call: WrittenCall, function: Function, owner: ast.AST | None = None) -> bool:
    """Return whether a call reaches a function of the program through one that unpacks a dict that it gets.

    ``owner`` is what contains the function, for a constructor its class.
    """
    if call.unpacks or _names(call, function, owner):
        return False
    required = [name for name in parameters(function) if default_of(function, name) is None]
    if any(argument_for(call, function, name) is None for name in required):
        return True
    return any(_holds_mapping(call, node) for node in call.node.args)


def _names(call: WrittenCall, function: Function, owner: ast.AST | None) -> bool:
    """Return whether a call names a function, or the class whose constructor it is."""
    callee = ast.unparse(call.node.func).rpartition(".")[2]
    return callee in (getattr(function, "name", None), getattr(owner, "name", None))


def is_helper(call: WrittenCall) -> bool:
    """Return whether a call names a function that builds a layer by the name of its type, not the layer's class."""
    return ast.unparse(call.node.func).rpartition(".")[2].startswith("build_")


def numbers(call: WrittenCall) -> list[ast.expr]:
    """The arguments of a call that may be numbers: none of a dict."""
    return [node for node in arguments(call) if not _holds_mapping(call, node)]


def is_computed_in(scope: Function, node: ast.expr) -> bool:
    """Return whether what a call unpacks is written in the function around it: a dict, or a variable with one."""
    passed_on = scope.args.kwarg.arg if scope.args.kwarg else ""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - {"dict", passed_on}
    return bool(names) and all(assigned(scope, name) for name in names)


def _holds_mapping(call: WrittenCall, node: ast.expr) -> bool:
    values = [node]
    if isinstance(node, ast.Name):
        values = [value for value, _ in assigned(call.scope, node.id)]
        if isinstance(call.scope, Function) and node.id in parameters(call.scope):
            values += [default for default in [default_of(call.scope, node.id)] if default is not None]
    return any(
        isinstance(value, ast.Dict) or (isinstance(value, ast.Call) and ast.unparse(value.func) == "dict")
        for value in values
    )
