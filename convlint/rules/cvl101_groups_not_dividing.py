from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd
from typing import Any

from convlint.analysis import diagnosis, graph_queries, ops
from convlint.ir import Finding, Graph, Related
from convlint.rules.base import Rule


class GroupsNotDividing(Rule):
    """The groups of a convolution do not divide its input or output channels.

    ## Why is this bad?

    `groups=g` splits the input channels into g equal parts and computes an equal share of the output channels from
    each part. If g does not divide both channel counts, PyTorch raises an error while the layer is built, before
    the model exists. Often the number was copied from a layer of another width, or was meant to be
    `groups=in_channels` of a layer that was widened later.

    ## Use instead

    A common divisor of both channel counts, which the message lists, or channel counts that are multiples of the
    groups.
    """

    code = "CVL101"
    name = "groups-not-dividing"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for refusal in diagnosis.refusals(graph):
            layer = refusal.layers[0]
            callers = [site for site in layer.chain if site != refusal.site][:2]
            inner = [layer.site] if layer.site and layer.site != refusal.site else []
            through = f"`{layer.name}` is built through this call"
            yield self.finding(
                f"{layer.kind} `{layer.name}`: {_why(layer.attrs)}",
                refusal.site,
                module=layer.name,
                related=tuple([Related(through, site) for site in (*inner, *callers)]),
                nodes=refusal.nodes,
            ).with_(instances=tuple([layer.name for layer in refusal.layers]))
        for node in graph.nodes:
            if node.error is None or node.op not in ops.ALL_CONVS:
                continue
            owner = graph.layer(node.layer)
            if (owner is not None and owner.error is not None) or "out_channels" not in node.attrs:
                continue
            groups = node.attrs["groups"]
            if groups < 1 or node.attrs["out_channels"] % groups:
                name = graph_queries.name(graph, node)
                yield self.finding(f"{name}: {_why(node.attrs)}", node.site, module=node.layer, nodes=(node.id,))


def _why(attrs: Mapping[str, Any]) -> str:
    """Say which channels ``groups`` does not divide, and which groups divide both counts."""
    into, out, groups = attrs["in_channels"], attrs["out_channels"], attrs["groups"]
    if groups < 1:
        return f"groups={groups} must be at least 1"
    undivided = [f"{count:,} {name}" for name, count in (("input", into), ("output", out)) if count % groups]
    divisors = [str(n) for n in graph_queries.divisors(gcd(into, out))]
    *fitting, last = divisors if len(divisors) < 9 else [*divisors[:3], "...", *divisors[-3:]]
    choices = f"{', '.join(fitting)} or {last}" if fitting else last
    return f"{' and '.join(undivided)} channels are not divisible by groups={groups}; use groups={choices}"
