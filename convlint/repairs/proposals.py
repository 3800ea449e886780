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
from convlint.repairs.dimension_candidates import dimension_candidates, expects_other_dimension, part_candidates
from convlint.repairs.joined_dimension import joined_dimension
from convlint.repairs.parameter_candidates import UNUSUAL, parameter_candidates
from convlint.repairs.reshape_candidates import kept_batch_candidates, reshape_candidates, view_candidates
from convlint.repairs.shortcut_candidates import shortcut_candidates
from convlint.repairs.size_candidates import size_candidates
from convlint.repairs.slicer import Slicer
from convlint.repairs.value_candidates import forgotten_values, other_values
from convlint.repairs.view_sizes import view_size_candidates
from convlint.repairs.width_candidates import width_candidates
from convlint.support.dataclass import replace

_MOST_LIKELY = 40  # widths that are tried before conditions of a shortcut


def proposed(conflict: Conflict, slicer: Slicer, suspected: Collection[Place] = ()) -> list[Candidate]:
    """The edits that might settle a conflict, the most likely first.

    ``suspected`` are lines of classes that fail for some arguments.
    """
    graph, node = conflict.graph, conflict.node
    if node is None:
        return _of_a_constructor(graph, conflict.layer, slicer, suspected)
    call = graph.nodes[node]
    arguments = [] if call.layer is None else argument_candidates(graph, call.layer, slicer)
    numbers = arguments or _of_a_call(graph, call, slicer, suspected)
    return [*forgotten_values(graph, node, slicer), *numbers, *other_values(graph, node, slicer)]


def _of_a_constructor(graph: Graph, name: str | None, slicer: Slicer, suspected: Collection[Place]) -> list[Candidate]:
    """The edits for a layer that cannot be built: what it receives says more than what its arguments may be. Without
    one, for a forward that cannot unpack a tensor.
    """
    calls = [call.id for call in graph.nodes_of(name) if call.error][:1] if name is not None else []
    widths = [each for call in calls for each in width_candidates(graph, call, slicer, suspected)]
    arguments = [] if name is None else argument_candidates(graph, name, slicer)
    parts = unpacked(graph)
    if parts is not None and not widths and not arguments:
        widths = width_candidates(graph, parts, slicer)
    return [*(replace(each, vote=None) for each in widths), *arguments]


def _of_a_call(graph: Graph, call: Node, slicer: Slicer, suspected: Collection[Place]) -> list[Candidate]:
    """The edits for a call whose layer has valid arguments."""
    node = call.id
    if call.op == "unpack":
        widths = [replace(each, vote=None) for each in width_candidates(graph, node, slicer)]
        return [*widths, *part_candidates(graph, node, slicer), *dimension_candidates(graph, node, slicer)]
    if node in graph.derived(calls_of_merged_batches):
        return reshape_candidates(graph, node, slicer)
    if call.op in ops.FLATTENING:
        others = width_candidates(graph, node, slicer)
        return [
            *view_candidates(graph, node, slicer),
            *(replace(each, vote=None) for each in others),
            *view_size_candidates(graph, node, slicer),
            *dimension_candidates(graph, node, slicer),
        ]
    if classes := class_candidates(graph, node, slicer):
        return classes
    widths = width_candidates(graph, node, slicer, {*suspected, *_inconsistent(graph, call)})
    shortcuts = shortcut_candidates(graph, node, slicer)
    before = _MOST_LIKELY if merges.differs_in_channels(graph, call) else 0
    is_turned = call.layer is not None and expects_other_dimension(graph, node)
    is_width = call.layer is not None and not is_turned
    dimensions = [replace(each, only_better=is_width) for each in dimension_candidates(graph, node, slicer)]
    parameters = list(parameter_candidates(graph, node, slicer))
    return [
        *(dimensions if is_turned else ()),
        *joined_dimension(graph, node, slicer),
        *kept_batch_candidates(graph, node, slicer),
        *widths[:before],
        *shortcuts,
        *widths[before:],
        *size_candidates(graph, node, slicer),
        *(each for each in parameters if each.cost < UNUSUAL),
        *(() if is_turned else dimensions),
        *(each for each in parameters if each.cost >= UNUSUAL),
    ]


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
