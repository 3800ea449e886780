"""Candidates for the repair of a norm of the wrong dimension: the same norm of the right one."""

from __future__ import annotations

import ast
from fractions import Fraction

from convlint.analysis import norm_dimensions
from convlint.ir import Graph
from convlint.repairs.candidate import Candidate
from convlint.repairs.slicer import Slicer
from convlint.source_text.call_sites import WrittenCall


def class_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edit that replaces the class of a norm in its constructor call; empty for other failures."""
    node = graph.nodes[failed]
    layer = graph.layer(node.layer)
    if norm_dimensions.accepted(node) is None or layer is None or layer.site is None:
        return []
    fitting = norm_dimensions.fitting_class(graph, node)
    call = slicer.call(layer.site) if slicer.owns(layer.site.path) else None
    if fitting is None or call is None:
        return []
    written = ast.unparse(call.node.func)
    prefix, dot, name = written.rpartition(".")
    if name != layer.base or not (dot or _is_imported(call, fitting)):
        return []  # a class of the program, a variable, or a name that the file does not have
    text = f"{prefix}{dot}{fitting}"
    edit, cost = call.replacing(call.node.func, text), (0,)
    return [Candidate(edit, None, None, Fraction(0), cost, cost, call.site, f"replace `{written}` with `{text}`")]


def _is_imported(call: WrittenCall, name: str) -> bool:
    imports = (node for node in call.file.nodes if isinstance(node, ast.ImportFrom))
    return any(alias.name == name and alias.asname is None for node in imports for alias in node.names)
