"""Candidates for a concatenation along the wrong dimension: of maps that differ in their channels only."""

from __future__ import annotations

from fractions import Fraction

from convlint.analysis import merges
from convlint.ir import Graph
from convlint.repairs.candidate import Candidate
from convlint.repairs.slicer import Slicer

_NAMES = ("dim", "axis")


def joined_dimension(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edit that joins maps along their channels; empty for other failures."""
    node = graph.nodes[failed]
    channels = merges.channel_dim(graph, node)
    if node.op != "cat" or channels is None or not merges.differs_in_channels(graph, node) or node.site is None:
        return []
    call = slicer.call(node.site) if slicer.owns(node.site.path) else None
    if call is None or call.callee not in ("torch.cat", "torch.concat", "torch.concatenate"):
        return []
    written = next((each for name in _NAMES if (each := call.argument(name, 1)) is not None), None)
    edit = call.adding(f"dim={channels}") if written is None else call.replacing(written, str(channels))
    words = f"concatenate along dimension {channels}"
    return [Candidate(edit, None, None, Fraction(channels), (0,), (0,), call.site, words)]
