"""The occurrences of a defect: its modules, the lines that build them, and its place in the execution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convlint.ir import Finding, Occurrence, distinct_occurrences

if TYPE_CHECKING:
    from convlint.ir import Graph


def with_occurrences(finding: Finding, graph: Graph) -> Finding:
    """Return the finding with its occurrences in a graph."""
    return finding.with_(occurrences=distinct_occurrences(_occurrences(finding, graph)))


def _occurrences(finding: Finding, graph: Graph) -> Iterator[Occurrence]:
    """Yield each module with the outermost call that builds it; without a module, the line of the finding."""
    target = graph.target or None
    names = finding.instances or ((finding.module,) if finding.module is not None else ())
    for name in names:
        layer = graph.layer(name)
        frames = () if layer is None or layer.site is None else (layer.site, *layer.chain)
        site = frames[-1] if frames else finding.site
        if site is not None:
            yield Occurrence(site.path, site.line, name, target)
    if not names and finding.site is not None:
        yield Occurrence(finding.site.path, finding.site.line, None, target)


def in_order(findings: list[Finding], graph: Graph) -> list[Finding]:
    """Sort errors of one graph by execution: constructors that raise, in the order of layers, then failing calls."""
    layers = {layer.name: number for number, layer in enumerate(graph.layers)}

    def position(finding: Finding) -> tuple[bool, int]:
        layer = graph.layer(finding.module)
        if layer is not None and layer.error:
            return (False, layers.get(layer.name, 0))
        is_built = graph.failure is None or graph.failure.phase == "forward" or bool(finding.nodes)
        return (is_built, min(finding.nodes, default=len(graph.nodes)))

    return sorted(findings, key=position)
