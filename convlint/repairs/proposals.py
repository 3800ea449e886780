"""The edits that are proposed for a conflict, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Collection

from convlint.repairs.argument_candidates import argument_candidates
from convlint.repairs.candidates import Candidate, candidates
from convlint.repairs.search import Conflict, Place
from convlint.repairs.written_numbers import Slicer


def proposed(conflict: Conflict, slicer: Slicer, suspected: Collection[Place] = ()) -> list[Candidate]:
    """The edits that might settle a conflict, the most likely first.

    ``suspected`` are lines of classes that fail for some arguments.
    """
    layer, found = conflict.layer, []
    if conflict.node is not None:
        layer = conflict.graph.nodes[conflict.node].layer
        found = candidates(conflict.graph, conflict.node, slicer, suspected)
    if layer is not None and not found:
        found = argument_candidates(conflict.graph, layer, slicer)
    return found
