from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd
from typing import Any

from convlint.analysis import diagnosis, graph_queries, ops
from convlint.ir import Finding, Graph, Related, Site
from convlint.rules.base import Rule


class GroupsNotDividing(Rule):
    """The groups of a convolution do not divide its input or output channels.

    ## Why is this bad?

    `groups=g` cuts the input channels into g equal parts and computes an equal part of the output
    channels from each. Channels that g does not divide cannot be shared out, and PyTorch refuses
    the layer while it is built, before the model exists. The number is mostly copied from a layer
    of another width, or was meant to be `groups=in_channels` of a layer that became wider.

    ## What to do

    Take a common divisor of both channel counts, or change a channel count to a multiple of the
    groups. The message lists the divisors and the nearest counts.
    """

    code = "CVL101"
    name = "groups-not-dividing"
    family = "invalid"
    severity = "error"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for refusal in diagnosis.refusals(graph):
            layer = refusal.layers[0]
            callers = [site for site in layer.chain if site != refusal.site][:2]
            inner = [layer.site] if layer.site not in (None, refusal.site) else []
            yield self.finding(
                f"{layer.kind} `{layer.name}`: {_why(layer.attrs)}",
                refusal.site,
                module=layer.name,
                related=_through(layer.name, [*inner, *callers]),
                nodes=refusal.nodes,
            ).with_(instances=tuple([layer.name for layer in refusal.layers]))
        for node in graph.nodes:
            if node.error is None or node.op not in ops.ALL_CONVS:
                continue
            owner = graph.layer(node.layer)
            if owner is not None and owner.error is not None:
                continue
            if "out_channels" not in node.attrs:
                continue
            groups = node.attrs["groups"]
            if groups < 1 or node.attrs["out_channels"] % groups:
                name = graph_queries.called(graph, node)
                yield self.finding(
                    f"{name}: {_why(node.attrs)}", node.site, module=node.layer, nodes=(node.id,)
                )


def _why(attrs: Mapping[str, Any]) -> str:
    """The arithmetic: what does not divide, what would, and the nearest counts that fit."""
    into, out, groups = attrs["in_channels"], attrs["out_channels"], attrs["groups"]
    if groups < 1:
        return f"groups={groups}, but there must be at least 1"
    undivided = [
        f"{count:,} {name} channels ({count} = {count // groups}*{groups} + {count % groups})"
        for name, count in (("input", into), ("output", out))
        if count % groups
    ]
    nearest = [
        f"{name}={_nearest(count, groups)}"
        for name, count in (("in_channels", into), ("out_channels", out))
        if count % groups
    ]
    common = gcd(into, out)
    divisors = [str(n) for n in graph_queries.divisors(common)]
    fitting = ", ".join(divisors if len(divisors) < 9 else [*divisors[:3], "...", *divisors[-3:]])
    return (
        f"groups={groups} does not divide {' nor '.join(undivided)}; gcd({into}, {out}) = {common}, "
        f"so groups={fitting} would fit, or {' and '.join(nearest)}"
    )


def _nearest(count: int, groups: int) -> str:
    below, above = count // groups * groups, -(-count // groups) * groups
    return f"{below} or {above}" if below else str(above)


def _through(name: str, sites: list[Site | None]) -> tuple[Related, ...]:
    return tuple(
        Related(f"`{name}` is built through this call", site) for site in sites if site is not None
    )
