"""Candidates for the repair of a reshape that merges the batch: the same reshape from the first dimension on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction

from convlint.analysis.batch_merges import causes
from convlint.ir import Edit, Graph
from convlint.repairs.candidates import Candidate
from convlint.repairs.written_numbers import Slicer
from convlint.source_text import call_sites
from convlint.source_text.call_sites import WrittenCall

_METHODS = frozenset({"view", "reshape", "flatten", "ravel"})


def reshape_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits after which the reshape that makes a call fail keeps the batch; empty for other failures."""
    found = []
    for cause in causes(graph):
        layer = graph.layer(cause.reshape.layer)
        site = layer.site if layer is not None and layer.site is not None else cause.reshape.site
        if cause.failing.id == failed and site is not None and slicer.owns(site.path):
            call = call_sites.at(site, slicer.texts)
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
