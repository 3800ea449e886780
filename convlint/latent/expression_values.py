"""The values of expressions in an execution of a class."""

from __future__ import annotations

import ast

from convlint.latent.following import Followed
from convlint.latent.numbers import LayerNumber
from convlint.repairs.written_number import WrittenNumber
from convlint.static.domain.objects import Instance, Scope
from convlint.static.domain.values import Value


def own_value(failed: Followed, number: LayerNumber, written: WrittenNumber) -> Value:
    """The value of an expression in the failing execution."""
    return value_of(failed, written.node, scope_of(failed, number.layer, written))


def scope_of(failed: Followed, layer: Instance, written: WrittenNumber) -> Scope | None:
    """The names at the call that an expression is an argument of."""
    if written.place.depth == 0:
        built = failed.path.interpreter.built_at.get(layer)
        return None if built is None else built[1]
    frames = layer.frames
    return frames[-written.place.depth].scope if written.place.depth <= len(frames) else None


def value_of(failed: Followed, node: ast.expr, scope: Scope | None) -> Value:
    if scope is None:
        return None
    interpreter = failed.path.interpreter
    interpreter.steps = 2000
    try:
        value = _evaluated(failed, node, scope)
        return None if type(value) in (bool, list, tuple) else failed.path.execution.reduced(value)
    except Exception:  # noqa: BLE001 - an expression may have no value here
        return None


def _evaluated(failed: Followed, node: ast.expr, scope: Scope) -> Value:
    if isinstance(node, ast.Name) and not hasattr(node, "lineno"):
        return scope.names.get(node.id)
    return failed.path.interpreter.evaluate(node, scope)
