"""The channels of a concatenation as a sum of what its parts are built with: ``cin + 2 * growth``, ``64 + 16``."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Graph, Node, Site
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text import call_sites

Arguments = tuple[tuple[str, int], ...]
"""Arguments of constructors, and their positions."""
_INPUTS: Arguments = (("in_channels", 0), ("in_features", 0))
_OUTPUTS: Arguments = (("out_channels", 1), ("out_features", 1), ("num_features", 0))


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
    named = [text for text in texts if text is not None]
    if len(named) == len(parts):
        counted: Counter[str] = Counter()
        for text in named:
            factor, base = _factor(text)
            counted[base] += factor
        yield " + ".join(base if count == 1 else f"{count} * {_operand(base)}" for base, count in counted.items())


def _factor(text: str) -> tuple[int, str]:
    """A literal factor of an expression, and the rest: 2 and ``width`` of ``2 * width``."""
    match ast.parse(text, mode="eval").body:
        case ast.BinOp(left=ast.Constant(value=int(factor)), op=ast.Mult(), right=rest):
            return factor, ast.unparse(rest)
        case ast.BinOp(left=rest, op=ast.Mult(), right=ast.Constant(value=int(factor))):
            return factor, ast.unparse(rest)
    return 1, text


def _operand(text: str) -> str:
    """A text that can stand after ``*``."""
    node = ast.parse(text, mode="eval").body
    return f"({text})" if isinstance(node, ast.BinOp | ast.IfExp | ast.BoolOp) else text


def _text_of(graph: Graph, tensor: int, size: int, number: WrittenNumber, slicer: Slicer) -> str | None:
    """The expression for the channels of one part: of the layer that outputs it, or of another one that reads it.

    Else a name that the argument already contains and that has this value.
    """
    maker = graph_queries.source_of(graph, graph.producer(tensor))
    makers = [] if maker is None else [maker]
    for nodes, names in ((makers, _OUTPUTS), (graph.consumers(tensor), _INPUTS)):
        written = dict(_written_by(graph, nodes, names, number, slicer))
        if size in written:
            return written[size]
    around = [node for node in graph.nodes if node.op in ops.PROJECTIONS | ops.CHANNEL_NORMS]
    known = dict(_written_by(graph, around, (*_INPUTS, *_OUTPUTS), number, slicer))
    own = {node.id for node in ast.walk(number.node) if isinstance(node, ast.Name)}
    return known[size] if known.get(size) in own else None


def _written_by(
    graph: Graph, nodes: Iterable[Node], names: Arguments, number: WrittenNumber, slicer: Slicer
) -> Iterator[tuple[int, str]]:
    """Expressions for channels that layers built in the scope of a number write, by the value that it has."""
    frames = _frames(graph, number)
    for node in nodes:
        layer = graph.layer(node.layer)
        if layer is None or layer.site is None or layer.chain != frames or layer.site.path != number.place.path:
            continue
        call = call_sites.at(layer.site, slicer.texts)
        if call is None or call.scope is not number.place.scope:
            continue
        for name, position in names:
            value, argument = layer.attrs.get(name), call.argument(name, position)
            if type(value) is int and argument is not None and not isinstance(argument, ast.Constant):
                yield value, ast.unparse(argument)


def _frames(graph: Graph, number: WrittenNumber) -> tuple[Site, ...]:
    """The calls around the call in which a number is an argument."""
    return next((layer.chain for layer in graph.layers if layer.site == number.frame), ())
