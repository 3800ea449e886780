"""The channels of a concatenation as a sum of what its parts are built with: ``cin + 2 * growth``, ``64 + 16``."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Graph, Node, Site
from convlint.repairs.written_numbers import Slicer, WrittenNumber
from convlint.source_text import call_sites

_COUNTS = (("in_channels", 0), ("out_channels", 1), ("in_features", 0), ("out_features", 1), ("num_features", 0))
"""Arguments that are numbers of channels or features, and their positions."""


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
        yield " + ".join(text if count == 1 else f"{count} * {text}" for text, count in Counter(named).items())


def _text_of(graph: Graph, tensor: int, size: int, number: WrittenNumber, slicer: Slicer) -> str | None:
    """The expression for the channels of one part: that of the layer which outputs it, else of a layer of the scope."""
    maker = graph_queries.source_of(graph, graph.producer(tensor))
    own = {} if maker is None else dict(_written_by(graph, [maker], number, slicer, outputs_only=True))
    if size in own:
        return own[size]
    around = [node for node in graph.nodes if node.op in ops.PROJECTIONS | ops.CHANNEL_NORMS]
    return dict(_written_by(graph, around, number, slicer)).get(size)


def _written_by(
    graph: Graph, nodes: list[Node], number: WrittenNumber, slicer: Slicer, *, outputs_only: bool = False
) -> Iterator[tuple[int, str]]:
    """The names that layers built in the scope of a number write for channels, by the value that they have."""
    frames = _frames(graph, number)
    for node in nodes:
        layer = graph.layer(node.layer)
        if layer is None or layer.site is None or layer.chain != frames or layer.site.path != number.place.path:
            continue
        call = call_sites.at(layer.site, slicer.texts)
        if call is None or call.scope is not number.place.scope:
            continue
        for name, position in _COUNTS:
            value = layer.attrs.get(name)
            if type(value) is int and not (outputs_only and name.startswith("in_")):
                argument = call.argument(name, position)
                if isinstance(argument, ast.Name | ast.Attribute | ast.Subscript):
                    yield value, ast.unparse(argument)


def _frames(graph: Graph, number: WrittenNumber) -> tuple[Site, ...]:
    """The calls around the call in which a number is an argument."""
    return next((layer.chain for layer in graph.layers if layer.site == number.frame), ())
