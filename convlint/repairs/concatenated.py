"""The channels of a concatenation as a sum of what its parts are built with: ``cin + 2 * growth``, ``64 + 16``."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from convlint.analysis import graph_queries
from convlint.ir import Graph
from convlint.repairs import same_scope
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.trees import expression, nodes_of


def sum_texts(graph: Graph, failed: int, number: WrittenNumber, slicer: Slicer) -> Iterator[str]:
    """The texts for the argument ``number`` of a layer that reads a concatenation, if all its parts have a text."""
    joined = graph_queries.concatenation_before(graph, graph.nodes[failed])
    if joined is None:
        return
    along = joined.attrs["dim"]
    parts = [graph.tensor(id).shape[along] for id in joined.inputs]
    written = number.text.split(" + ")
    if all(term.isdecimal() for term in written):
        if len(written) == len(parts) > 1:
            yield " + ".join(map(str, parts))
        return
    texts = [_text_of(graph, id, size, number, slicer) for id, size in zip(joined.inputs, parts, strict=True)]
    own = number.change.value
    if own is not None and own in parts and number.literal is None:  # the other parts were forgotten
        texts[parts.index(int(own))] = number.text
    named = [text for text in texts if text is not None]
    if len(named) == len(parts):
        counted: Counter[str] = Counter()
        for text in named:
            factor, base = _factor(text)
            counted[base] += factor
        for text in _counted_by(number.place.scope) if max(counted.values()) > 1 else ():
            yield _sum(counted, text)
        yield _sum(counted)


def _sum(counted: Counter[str], number: str = "") -> str:
    """Terms with their factors; ``number`` is written for the largest."""
    (most, _), *_ = counted.most_common(1)
    factors = {base: number if number and base == most else str(count) for base, count in counted.items()}
    return " + ".join(base if factors[base] == "1" else f"{factors[base]} * {_operand(base)}" for base in counted)


def _counted_by(scope: ast.AST) -> Iterator[str]:
    """The names that may say how often something is repeated: of ``range``, and those named a number of it."""
    names: dict[str, None] = {}
    for node in nodes_of(scope):
        if isinstance(node, ast.Call):
            is_range = isinstance(node.func, ast.Name) and node.func.id == "range"
            passed = [*node.args, *(keyword.value for keyword in node.keywords)]
            given = [each.id for each in passed if isinstance(each, ast.Name)]
            names |= dict.fromkeys(name for name in given if is_range or _COUNT.search(name))
    yield from list(names)[:_MOST_COUNTS]


_COUNT = re.compile(r"^n$|^(n|num|number)_.*(layer|block|unit|conv|step|stage|repeat)|depth$|repeats?$")
_MOST_COUNTS = 3


def _factor(text: str) -> tuple[int, str]:
    """A literal factor of an expression, and the rest: 2 and ``width`` of ``2 * width``."""
    match expression(text):
        case ast.BinOp(left=ast.Constant(value=int(factor)), op=ast.Mult(), right=rest):
            return factor, ast.unparse(rest)
        case ast.BinOp(left=rest, op=ast.Mult(), right=ast.Constant(value=int(factor))):
            return factor, ast.unparse(rest)
    return 1, text


def _operand(text: str) -> str:
    """A text that can stand after ``*``."""
    node = expression(text)
    return f"({text})" if isinstance(node, ast.BinOp | ast.IfExp | ast.BoolOp) else text


def _text_of(graph: Graph, tensor: int, size: int, number: WrittenNumber, slicer: Slicer) -> str | None:
    """The expression for the channels of one part: of the layer that outputs it, or of another one that reads it.

    Else a name that the argument already contains and that has this value.
    """
    maker = graph_queries.source_of(graph, graph.producer(tensor))
    for text in () if maker is None else same_scope.expressions(graph, maker, "out", size, number, slicer):
        return text
    for node in graph.consumers(tensor):
        for text in same_scope.expressions(graph, node, "in", size, number, slicer):
            return text
    own = {node.id for node in ast.walk(number.node) if isinstance(node, ast.Name)}
    near = same_scope.near(graph, graph.producer(tensor).id, size, number, slicer)
    return next((text for text in near if text in own), None)
