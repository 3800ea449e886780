"""The outcome of a run: what fails, in the order of execution, and what is known to work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convlint.analysis import graph_queries
from convlint.ir import Finding, Graph
from convlint.repairs.conflict import Conflict, Operation, Outcome, construction, operation

_FALLBACK = "CVL190"  # also reports exceptions that no recorded call raised


def is_failing(graph: Graph) -> bool:
    """Return whether something in a graph could not run."""
    return (
        graph.failure is not None
        or any(node.error for node in graph.nodes)
        or any(layer.error for layer in graph.layers)
    )


def outcome(graph: Graph, findings: Iterable[Finding]) -> Outcome:
    """The outcome of a run. ``findings`` are those of the rules in its graph.

    An operation that reads the stand-in of one that failed is not known to work.
    """
    sites = [*(node.site for node in graph.nodes), *(layer.site for layer in graph.layers)]
    failed = [node for node in graph.nodes if node.error]
    unknown = graph_queries.downstream_tensors(graph, failed)
    found: dict[Operation, Conflict] = {}
    for finding in findings:
        for conflict in conflicts(graph, finding):
            found.setdefault(conflict.operation, conflict)
    return Outcome(
        conflicts=tuple(sorted(found.values(), key=position)),
        reached=frozenset((site.path, site.line) for site in sites if site is not None),
        unknown=frozenset(operation(node) for node in graph.nodes if not unknown.isdisjoint(node.inputs)),
        working=frozenset(_working(graph, unknown)),
        partial=graph.failure is not None,
    )


def _working(graph: Graph, unknown: set[int]) -> Iterator[Operation]:
    """The calls and constructors that work, and read no tensor of ``unknown``."""
    yield from (operation(node) for node in graph.nodes if not node.error and unknown.isdisjoint(node.inputs))
    yield from (construction(layer) for layer in graph.layers if not layer.error)


def position(conflict: Conflict) -> tuple[bool, int]:
    """Constructors in the order of the layers, then calls."""
    if conflict.node is not None:
        return (True, conflict.node)
    order = conflict.graph.derived(_order_of_layers)
    return (False, order.get(conflict.layer, len(order)))


def _order_of_layers(graph: Graph) -> dict[str | None, int]:
    """The place of each layer, by its name."""
    return {layer.name: place for place, layer in enumerate(graph.layers)}


def conflicts(graph: Graph, finding: Finding) -> list[Conflict]:
    """The operations that failed and that a finding is about."""
    refused = [
        layer.name
        for name in dict.fromkeys((finding.module, *finding.instances))
        for layer in [graph.layer(name)]
        if layer is not None and layer.error
    ]
    if refused:
        return [Conflict(finding, graph, layer=name) for name in refused]
    if finding.code == _FALLBACK and not finding.nodes:
        return [Conflict(finding, graph)]
    return [Conflict(finding, graph, id) for id in finding.nodes]
