"""The occurrences of a defect: its modules, the lines that build them, and its place in the execution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from convlint.ir import Finding, Occurrence

if TYPE_CHECKING:
    from convlint.ir import Graph


def with_occurrences(finding: Finding, graph: Graph) -> Finding:
    """Return the finding with its occurrences in a graph."""
    return finding.with_(occurrences=tuple(dict.fromkeys(_occurrences(finding, graph))))


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


def position(graph: Graph, module: str | None, nodes: Sequence[int]) -> tuple[bool, int]:
    """Sort errors of one graph by execution: constructors that raise, in the order of layers, then failing calls."""
    layer = graph.layer(module)
    if layer is not None and layer.error:
        return (False, graph.layers.index(layer))
    is_built = graph.failure is None or graph.failure.phase == "forward" or bool(nodes)
    return (is_built, min(nodes, default=len(graph.nodes)))
