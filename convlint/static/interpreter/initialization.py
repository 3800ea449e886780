"""Loops and functions that set weights, on which no shape depends.

Nearly every model ends its constructor with a loop over ``self.modules()`` that initializes them. Following it would
take longer than following the rest of the model, so a loop whose effects cannot reach a shape is skipped, and so are
``trunc_normal_(self.weight)`` and ``named_apply(init_weights, self)``.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import partial

from convlint.static.domain.objects import Function, Instance
from convlint.static.domain.values import Bound, Partial, Tensor, Value
from convlint.static.program.parse import cached, children, positional, walk

_WALKS = frozenset({"modules", "named_modules", "parameters", "named_parameters", "buffers", "named_buffers"})
_WEIGHTS = frozenset({"data", "requires_grad", "grad", "inplace", "eps", "momentum", "training", "track_running_stats"})
_HARMLESS = ("init", "reset_parameters", "weight_norm", "spectral_norm", "print", "eval", "train", "no_grad", "info")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def is_initialization(loop: ast.For | ast.AsyncFor, function: FunctionNode | None) -> bool:
    """Return whether a loop over the modules or parameters of a module only sets weights."""
    return cached(loop, "initializes", partial(_is_initialization, loop, function))


def _is_initialization(loop: ast.For | ast.AsyncFor, function: FunctionNode | None) -> bool:
    if not any(isinstance(n, ast.Call) and _attribute(n.func) in _WALKS for n in walk(loop.iter)):
        return False
    if not _only_set_weights(loop.body):
        return False
    bound = {n.id for s in loop.body for n in walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return not bound or (function is not None and bound.isdisjoint(_read_outside(function, loop)))


def is_initializer(function: FunctionNode) -> bool:
    """Return whether a function, passed to ``apply``, only sets weights."""
    body = [ast.Expr(function.body)] if isinstance(function, ast.Lambda) else function.body
    return cached(function, "initializes", partial(_only_set_weights, body))


def initialized(function: Function, values: Sequence[Value]) -> Value:
    """Return the tensor or module that a call of a function of the program only initializes, None for any other call.

    That is the first argument of a function whose name ends with an underscore and that returns it, if it is a tensor,
    and the module that is passed with an initializer, which is then applied to all modules in it.
    """
    if function.owner is not None or isinstance(function.node, ast.Lambda) or not values:
        return None
    if function.node.name.endswith("_"):
        is_same = type(values[0]) is Tensor and cached(function.node, "in_place", partial(_is_in_place, function.node))
        return values[0] if is_same else None
    if not any(map(_initializes, values)):
        return None
    return next((value for value in values if type(value) is Instance and value.is_module), None)


def _is_in_place(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function returns nothing but its first argument, or what another such function makes of it."""
    parameters = positional(function.args)
    returned = [node.value for node in walk(function) if isinstance(node, ast.Return) and node.value is not None]
    return bool(parameters) and all(_is_argument(value, parameters[0].arg) for value in returned)


def _is_argument(value: ast.expr, name: str) -> bool:
    if isinstance(value, ast.Call) and value.args:
        called = _attribute(value.func) or getattr(value.func, "id", "")
        return called.endswith("_") and (_is_argument(value.args[0], name) or _is_argument(value.func, name))
    if isinstance(value, ast.Attribute) and value.attr.endswith("_"):
        return _is_argument(value.value, name)
    return isinstance(value, ast.Name) and value.id == name


def _initializes(value: Value) -> bool:
    while type(value) in (Partial, Bound):
        value = value.function
    return type(value) is Function and is_initializer(value.node)


def _attribute(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""


def _read_outside(function: FunctionNode, loop: ast.AST) -> set[str]:
    """Return the names that a function reads outside of a loop in it."""
    names: set[str] = set()
    pending: list[ast.AST] = [function]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        pending += [child for child in children(node) if child is not loop]
    return names


def _only_set_weights(body: Sequence[ast.stmt]) -> bool:
    return all(map(_only_sets_weights, body))


def _only_sets_weights(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Break() | ast.Raise() | ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Return(value=value):
            return value is None
        case ast.If() | ast.For() | ast.While():
            return _only_set_weights(statement.body) and _only_set_weights(statement.orelse)
        case ast.With():
            return _only_set_weights(statement.body)
        case ast.Expr(value=ast.Call(func=func)):
            return _is_harmless(func)
        case ast.Expr(value=value):
            return not any(isinstance(node, ast.Call) for node in walk(value))
        case ast.Assign(targets=targets):
            return all(map(_is_weight, targets))
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return _is_weight(target)
    return False


def _is_weight(target: ast.expr) -> bool:
    """Return whether an assignment changes no shape: to a local name, or to the numbers of a tensor."""
    if isinstance(target, ast.Tuple):
        return all(map(_is_weight, target.elts))
    if isinstance(target, ast.Subscript):
        return any(isinstance(node, ast.Attribute) and node.attr == "data" for node in walk(target.value))
    return isinstance(target, ast.Name) or (isinstance(target, ast.Attribute) and target.attr in _WEIGHTS)


def _is_harmless(func: ast.expr) -> bool:
    """Return whether a call, by its name, initializes, changes in place, or prints."""
    name = _attribute(func) or getattr(func, "id", "")
    text = ast.unparse(func).lower()
    return name.endswith("_") or any(word in text for word in _HARMLESS)
