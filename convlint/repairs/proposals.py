"""The edits that are proposed for a conflict, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from convlint.analysis import graph_queries, merges, ops
from convlint.analysis.batch_merges import calls_of_merged_batches
from convlint.ir import Graph, Node
from convlint.repairs.argument_candidates import argument_candidates
from convlint.repairs.candidate import Candidate
from convlint.repairs.class_candidates import class_candidates
from convlint.repairs.conflict import Conflict, Place
from convlint.repairs.conflict_ends import unpacked
from convlint.repairs.joined_dimension import joined_dimension
from convlint.repairs.parameter_candidates import parameter_candidates
from convlint.repairs.reshape_candidates import kept_batch_candidates, reshape_candidates, view_candidates
from convlint.repairs.shortcut_candidates import shortcut_candidates
from convlint.repairs.size_candidates import size_candidates
from convlint.repairs.slicer import Slicer
from convlint.repairs.width_candidates import width_candidates
from convlint.support.dataclass import replace


def proposed(conflict: Conflict, slicer: Slicer, suspected: Collection[Place] = ()) -> list[Candidate]:
    """The edits that might settle a conflict, the most likely first.

    ``suspected`` are lines of classes that fail for some arguments.
    """
    graph, node = conflict.graph, conflict.node
    layer = conflict.layer if node is None else graph.nodes[node].layer
    found = [] if layer is None else argument_candidates(graph, layer, slicer)
    if node is None and layer is not None:  # what it receives says more than what its arguments may be
        calls = [call.id for call in graph.nodes_of(layer) if call.error]
        widths = [each for call in calls[:1] for each in width_candidates(graph, call, slicer, suspected)]
        found = [*(replace(each, vote=None) for each in widths), *found]
    parts = unpacked(graph) if node is None else node if graph.nodes[node].op == "unpack" else None
    if parts is not None and not found:
        return [replace(candidate, vote=None) for candidate in width_candidates(graph, parts, slicer)]
    if node is not None and not found:
        if node in graph.derived(calls_of_merged_batches):
            return reshape_candidates(graph, node, slicer)
        if graph.nodes[node].op in ops.FLATTENING:
            others = width_candidates(graph, node, slicer)
            return [*view_candidates(graph, node, slicer), *(replace(each, vote=None) for each in others)]
        widths = width_candidates(graph, node, slicer, {*suspected, *_inconsistent(graph, graph.nodes[node])})
        shortcuts = shortcut_candidates(graph, node, slicer)
        ordered = (
            [*widths, *shortcuts] if merges.differs_in_channels(graph, graph.nodes[node]) else [*shortcuts, *widths]
        )
        others = [*size_candidates(graph, node, slicer), *parameter_candidates(graph, node, slicer)]
        first = [*joined_dimension(graph, node, slicer), *kept_batch_candidates(graph, node, slicer)]
        found = class_candidates(graph, node, slicer) or [*first, *ordered, *others]
    return found


def _inconsistent(graph: Graph, node: Node) -> Iterator[Place]:
    """The line of a layer that contradicts another one of the same class, built by the same call of that class.

    Another argument of the call settles it for that call only, so the class is suspected.
    """
    layer, source = graph.layer(node.layer), graph_queries.source_layer(graph, node)
    before = None if source is None else graph.layer(source.layer)
    if layer is None or before is None or layer.site is None or before.site is None:
        return
    if layer.chain and layer.chain == before.chain and layer.site.function == before.site.function:
        yield layer.site.path, layer.site.line
