"""Expressions for the numbers of other layers that are written in the scope of a number, in the same call of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction

from convlint.analysis import ops
from convlint.analysis.constructor_parameters import parameter_of
from convlint.ir import Graph, Node
from convlint.repairs.changes import Change
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import assigned, parameters
from convlint.source_text.call_sites import Function

_MOST_LAYERS = 16  # of one number, those nearest to the layer that fails


def expressions(
    graph: Graph, node: Node, label: str, value: int, number: WrittenNumber, slicer: Slicer
) -> Iterator[str]:
    """The arguments that give a layer one of its numbers and are written where ``number`` is, if it is ``value``; no
    literals.
    """
    layer = graph.layer(node.layer)
    if layer is None or layer.site is None or _value(node, label) != value:
        return
    frames = (layer.site, *layer.chain)
    if all(site.path != number.place.path for site in frames):
        return
    change = Change.between(Fraction(value), Fraction(value))
    for other in slicer.numbers(node.op, label, frames, change):
        is_call = any(isinstance(part, ast.Call) for part in ast.walk(other.node))  # which may return another one again
        is_here = not is_call and other.place.scope is number.place.scope and other.callers == number.callers
        if is_here and other.role == "argument" and other.literal is None and other.change.value == value:
            text = _there(other, number.node)
            if text is not None:
                yield text


def _there(number: WrittenNumber, place: ast.expr) -> str | None:
    """The text of an argument at another place of the function: of a variable that is assigned in between, the
    parameter that it was assigned last.
    """
    node, scope = number.node, number.place.scope
    values = [value for value, _ in assigned(scope, node.id)] if isinstance(node, ast.Name) else []
    if not isinstance(scope, Function) or not any(node.lineno <= each.lineno < place.lineno for each in values):
        return number.text
    last = max((each for each in values if each.lineno < node.lineno), key=lambda each: each.lineno, default=None)
    return last.id if isinstance(last, ast.Name) and last.id in parameters(scope) else None


def near(graph: Graph, id: int, value: int, number: WrittenNumber, slicer: Slicer) -> Iterator[str]:
    """The expressions for a value, of the layers that are called nearest to a node."""
    layers = [
        (abs(node.id - id), node, label)
        for node in graph.nodes
        if node.op in _LAYERS
        for label in ("in", "out")
        if _value(node, label) == value
    ]
    found: dict[str, None] = {}
    for _, node, label in sorted(layers, key=lambda each: each[0])[:_MOST_LAYERS]:
        found |= dict.fromkeys(expressions(graph, node, label, value, number, slicer))
    yield from found


_LAYERS = ops.PROJECTIONS | ops.CHANNEL_NORMS | {"layer_norm"}


def _value(node: Node, label: str) -> int | None:
    """The number of a layer."""
    name = parameter_of(node.op, label)
    value = node.attrs.get(name) if name else None
    if isinstance(value, tuple) and len(value) == 1:
        (value,) = value
    return value if type(value) is int else None
