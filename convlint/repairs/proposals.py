"""The edits that are proposed for a conflict, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Collection

from convlint.analysis import ops
from convlint.analysis.batch_merges import calls_of_merged_batches
from convlint.repairs.argument_candidates import argument_candidates
from convlint.repairs.candidates import Candidate, candidates
from convlint.repairs.class_candidates import class_candidates
from convlint.repairs.reshape_candidates import reshape_candidates, view_candidates
from convlint.repairs.search import Conflict, Place
from convlint.repairs.size_candidates import size_candidates
from convlint.repairs.written_numbers import Slicer


def proposed(conflict: Conflict, slicer: Slicer, suspected: Collection[Place] = ()) -> list[Candidate]:
    """The edits that might settle a conflict, the most likely first.

    ``suspected`` are lines of classes that fail for some arguments.
    """
    graph, node, layer = conflict.graph, conflict.node, conflict.layer
    found: list[Candidate] = []
    if node is not None:
        if node in graph.derived(calls_of_merged_batches):
            return reshape_candidates(graph, node, slicer)
        layer = graph.nodes[node].layer
        if graph.nodes[node].op in ops.FLATTENING:
            return view_candidates(graph, node, slicer)
        found = class_candidates(graph, node, slicer) or [
            *candidates(graph, node, slicer, suspected),
            *size_candidates(graph, node, slicer),
        ]
    if layer is not None and not found:
        found = argument_candidates(graph, layer, slicer)
    return found
