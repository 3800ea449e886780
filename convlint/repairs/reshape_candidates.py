"""Candidates for the repair of reshapes: those that merge the batch, and those whose sizes do not fit."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.analysis.batch_merges import causes
from convlint.ir import Edit, Graph, Node
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict_ends import declared_votes
from convlint.repairs.slicer import Slicer
from convlint.source_text.call_sites import WrittenCall

_METHODS = frozenset({"view", "reshape", "flatten", "ravel"})


def reshape_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits after which the reshape that makes a call fail keeps the batch; empty for other failures."""
    found = []
    for cause in causes(graph):
        layer = graph.layer(cause.reshape.layer)
        site = layer.site if layer is not None and layer.site is not None else cause.reshape.site
        if cause.failing.id == failed and site is not None and slicer.owns(site.path):
            call = slicer.call(site)
            found += [] if call is None else list(_texts(call))
    return found


def _texts(call: WrittenCall) -> Iterator[Candidate]:
    func, text = call.node.func, None
    match func:
        case ast.Attribute(value=receiver, attr=name) if name in _METHODS:
            args = call.node.args
            is_function = isinstance(receiver, ast.Name) and receiver.id == "torch"
            if is_function and args:
                text = f"torch.flatten({ast.unparse(args[0])}, 1)"
            elif not is_function:
                text = f"{ast.unparse(receiver)}.flatten(1)"
        case ast.Attribute(attr="Flatten") | ast.Name(id="Flatten"):
            text = f"{ast.unparse(func)}()"
    if text is not None:
        edit, cost = Edit(call.site, text), (0,)
        yield Candidate(edit, None, None, Fraction(0), cost, cost, call.site, f"use `{text}`")


def kept_batch_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edit after which a view before a failing layer returns what this expects of each sample: it splits samples
    now, or leaves dimensions that a linear layer expects flattened.
    """
    node, expected = graph.nodes[failed], next((vote.number for vote, _ in declared_votes(graph, failed)), 0)
    view = next((each for each in graph_queries.producers(graph, node) if each.op not in ops.CHANNEL_PRESERVING), node)
    if view.op not in ops.FLATTENING or view.error or view.site is None or not slicer.owns(view.site.path):
        return []
    before, after = graph.tensor(view.inputs[0]).shape, view.outputs[0].shape
    is_split = len(before) > 1 and len(after) > len(("batch", "channels")) and before[0] not in (0, after[0])
    call = slicer.call(view.site) if view.site else None
    if call is not None and node.op == "linear" and before[2:] and after[2:]:
        return list(_texts(call)) if prod(before[1:]) == expected else []  # all of a sample is expected
    if call is None or not is_split or prod(before[1:]) != expected * prod(after[2:]):
        return []
    edits = [call.replacing(size, str(expected)) for size in sizes_of(call)[1:2]]
    words = f"use {expected} channels in the view, which keeps the batch"
    return [Candidate(edit, None, None, Fraction(expected), (0,), (0,), call.site, words) for edit in edits]


# --- sizes that do not fit


def view_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits after which the sizes of a view fit: of the linear layer before it, or of itself and the one after."""
    node = graph.nodes[failed]
    wanted = node.attrs.get("shape", ())
    before = graph.tensor(node.inputs[0]).shape if node.inputs else ()
    if node.op != "reshape" or len(wanted) < 2 or len(before) < 2 or not all(type(size) is int for size in wanted):
        return []
    if wanted[0] not in (-1, before[0]) or min(wanted[1:]) < 1:
        return []
    if len(wanted) == 2:
        return list(_by_view(graph, node, wanted[1], before[1:], slicer))
    maker = graph_queries.maker_of_channels(graph, node.inputs[0])
    return list(_by_output(graph, maker, wanted[1:], slicer)) if maker.op == "linear" and len(before) == 2 else []


def _by_view(graph: Graph, view: Node, features: int, image: Sequence[int], slicer: Slicer) -> Iterator[Candidate]:
    """Write the features of the map in the view, and in the linear layer that expects those of the view."""
    call = None if view.site is None else slicer.call(view.site)
    reader = _linear_after(graph, view)
    if call is None or not slicer.owns(call.site.path):
        return
    layer, written = None if reader is None else graph.layer(reader.layer), sizes_of(call)[-1:]
    if reader is None or layer is None or layer.site is None or not written or not _is_constant(written[0]):
        return
    number = slicer.argument((layer.site, *layer.chain), "in_features", 0)
    text, edit, cost = _product(image), call.replacing(written[0], _product(image)), (0,)
    if reader.attrs["in_features"] == prod(image):
        words = f"use {text} in the view"
        yield Candidate(edit, None, None, Fraction(0), cost, cost, call.site, words)
    elif reader.attrs["in_features"] == features and number is not None and _is_constant(number.node):
        words = f"use {text} in the view and in Linear `{layer.name}`"
        yield Candidate(edit, None, None, Fraction(0), cost, cost, call.site, words, (Edit(number.site, text),))


def _by_output(graph: Graph, maker: Node, wanted: Sequence[int], slicer: Slicer) -> Iterator[Candidate]:
    """Let the linear layer before a view output what the view expects."""
    layer = graph.layer(maker.layer)
    if layer is None or layer.site is None:
        return
    number = slicer.argument((layer.site, *layer.chain), "out_features", 1)
    if number is not None and slicer.owns(number.place.path):
        edit, cost = Edit(number.site, _product(wanted)), (0,)
        yield Candidate(edit, number, None, Fraction(prod(wanted)), cost, cost)


def _linear_after(graph: Graph, node: Node) -> Node | None:
    """The linear layer that reads the output of a call, after activations at most."""
    after = graph_queries.only_consumer(graph, node)
    while after is not None and after.op in ops.ACTIVATIONS:
        after = graph_queries.only_consumer(graph, after)
    return after if after is not None and after.op == "linear" else None


def sizes_of(call: WrittenCall) -> list[ast.expr]:
    """The sizes that a call of ``view`` or ``reshape`` names."""
    args = call.node.args
    is_function = isinstance(call.node.func, ast.Attribute) and ast.unparse(call.node.func.value) == "torch"
    args = args[1:] if is_function else args
    if len(args) == 1 and isinstance(args[0], ast.Tuple | ast.List):
        return args[0].elts
    return args


def _is_constant(node: ast.expr) -> bool:
    return not any(isinstance(part, ast.Name | ast.Attribute | ast.Call | ast.Starred) for part in ast.walk(node))


def _product(sizes: Sequence[int]) -> str:
    return " * ".join(map(str, sizes))
