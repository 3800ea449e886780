"""Candidates for the sizes that a view names: one of them is another expression of the function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction
from math import prod

from convlint.ir import Graph, Node
from convlint.repairs.candidate import Candidate
from convlint.repairs.dimension_candidates import replacing
from convlint.repairs.reshape_candidates import sizes_of
from convlint.repairs.slicer import Slicer

_MOST = 16


def view_size_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits of one size after which a view holds all elements of its input, those with names before numbers."""
    view = graph.nodes[failed]
    call = slicer.call(view.site) if view.site is not None and slicer.owns(view.site.path) else None
    sizes = [] if call is None else sizes_of(call)
    wanted = view.attrs.get("shape", ())
    shape = graph.tensor(view.inputs[0]).shape if view.inputs else ()
    if call is None or not shape or len(sizes) != len(wanted) or not all(type(size) is int for size in wanted):
        return []
    if min(wanted) < 1 or prod(shape) < 1 or any(isinstance(size, ast.Starred) for size in sizes):
        return []
    known = _written_sizes(graph, view, slicer)
    found: list[tuple[int, int, Candidate]] = []
    for position, (node, size) in enumerate(zip(sizes, wanted, strict=True)):
        needed = Fraction(size * prod(shape), prod(wanted))
        for order, text in _texts(node, size, needed, known):
            found.append((order, -position, replacing(call, node, text, order)))
    return [candidate for *_, candidate in sorted(found, key=lambda each: each[:2])][:_MOST]


def _written_sizes(graph: Graph, view: Node, slicer: Slicer) -> dict[str, int]:
    """The sizes that views of the same function name, with their values."""
    known: dict[str, int] = {}
    for other in graph.nodes:
        if other.op != "reshape" or other.site is None or view.site is None or other.module != view.module:
            continue
        call = slicer.call(other.site) if other.site.path == view.site.path else None
        sizes, values = [] if call is None else sizes_of(call), other.attrs.get("shape", ())
        if len(sizes) == len(values):
            for node, value in zip(sizes, values, strict=True):
                if type(value) is int and value > 1 and isinstance(node, ast.Name | ast.Attribute | ast.BinOp):
                    known.setdefault(ast.unparse(node), value)
    return known


def _texts(node: ast.expr, size: int, needed: Fraction, known: dict[str, int]) -> Iterator[tuple[int, str]]:
    """Texts for a size that must be ``needed``, each with its order."""
    if needed.denominator != 1 or needed < 1:
        return
    own = ast.unparse(node)
    if isinstance(node, ast.Constant):
        yield 0, str(needed)
        return
    yield from ((0, text) for text, value in known.items() if value == needed and text != own)
    operand = own if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({own})"
    for text, value in known.items():
        if text == own:
            continue
        other = text if text.replace(".", "").isidentifier() else f"({text})"
        if size == needed * value:
            yield 1, f"{operand} // {other}"
        if needed == size * value:
            yield 1, f"{own} * {other}" if operand == own else f"{operand} * {other}"
