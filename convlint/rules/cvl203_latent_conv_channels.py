from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from convlint.analysis import contracts, graph_queries, ops
from convlint.ir import Finding, Graph, Layer, Node, Related, Site
from convlint.rules.base import Rule
from convlint.symbolic import Dim

_ITEM = re.compile(r"(\w+(?:\[\d+\]|\.\w+)*)(?:\[\d+\]|\.\w+)")
_READS = {**dict.fromkeys(ops.ALL_CONVS, "in_channels"), "linear": "in_features"}


class LatentConvChannels(Rule):
    """A convolution or linear layer is sized by one parameter of its class and receives channels that are sized by
    another: the two are equal now, and nothing ensures that they stay equal.

    ## Why is this bad?

    `Conv2d(in_planes, out_planes, 3)` after `Conv2d(in_planes, hidden, 3)` works in every model that keeps the
    width. The first one with another `hidden` fails, and the error names a shape, not the class that confused its
    parameters.

    convlint traces channels as expressions over the parameters of the class, through activations, norms and
    pooling, additions and concatenations. What the class requires of its parameters elsewhere counts as its
    contract: widths that it compares, both sides of a residual add, the channels that another layer reads. Nothing
    is reported about a number whose origin is unknown. If the layers are not in one class, or tensors are
    concatenated, a finding needs a witness: arguments for which the class really failed.

    ## Use instead

    The expression that sizes the layer before, `Conv2d(hidden, out_planes, 3)`. If the class is meant for equal
    widths only, give it one parameter, or compare the two and raise an error.

    ## Fix safety

    The fix is safe: for the current arguments the model stays the same. It is only displayed if the expression
    cannot be written at the layer's line because its names have another meaning there.
    """

    code = "CVL203"
    name = "latent-conv-channels"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "layer-of-parameters"

    def check(self, graph: Graph) -> Iterator[Finding]:
        comparisons = contracts.Comparisons(graph)
        for node in graph_queries.first_calls(graph, ops.PROJECTIONS):
            layer = graph.layer(node.layer)
            if layer is not None and layer.site is not None and not node.error:
                yield from self._findings(graph, node, layer, layer.site, comparisons)

    def _findings(
        self, graph: Graph, node: Node, layer: Layer, site: Site, comparisons: contracts.Comparisons
    ) -> Iterator[Finding]:
        name = _READS[node.op]
        comparison = comparisons.with_input(node, layer, name)
        if comparison is None or comparison.current != (layer.attrs.get(name),) * 2:
            return
        expected, received = comparison.dims
        makers = list(_makers(graph, node))
        sources = [source for m in makers if (source := graph.layer(m.layer)) is not None]
        # A run does not show what the number of concatenated tensors depends on.
        counted = len(makers) > 1 and graph.traced_by == "recorder"
        if _are_given(expected, received) or (
            graph.traced_by != "recorder" and _is_of_part([layer, *sources], comparison)
        ):
            return
        needed = counted or any(end.scope != comparison.scope.id for end in (layer, *sources))
        claim = contracts.claim(comparison, contracts.differ, (site, *_sites_of_norms(graph, node)), needed=needed)
        if claim is None and needed:
            return
        origin = f" from {graph_queries.name(graph, makers[0])}" if len(makers) == 1 else ""
        place = _place(layer, site, comparison)
        yield self.finding(
            f"{graph_queries.name(graph, node)} expects `{expected}` channels but receives `{received}`{origin}: "
            f"{comparison.equal_in_run}{comparison.kind} fails unless they are equal; use `{received}`",
            place,
            confidence="medium",
            module=node.layer,
            related=tuple(
                Related("this layer outputs these channels", source.site) for source in sources[:4] if source.site
            ),
            fix=contracts.argument_fix(place, comparison.scope, expected, received, graph.texts),
        ).with_(claim=claim)


def _is_of_part(ends: Sequence[Layer], comparison: contracts.Comparison) -> bool:
    """Return whether all layers are built in another class, which is reported itself."""
    builders = {end.site.function for end in ends if end.site is not None}
    (builder,) = builders if len(builders) == 1 else ("",)
    return builder.endswith(".__init__") and builder != f"{comparison.scope.kind}.__init__"


def _are_given(*numbers: Dim) -> bool:
    """Return whether a caller gives both numbers, as items of two containers: then it has to make them fit."""
    found = [_ITEM.fullmatch(str(number)) for number in numbers]
    containers = {item[1] for item in found if item is not None}
    return len(containers) == len(numbers)


def _place(layer: Layer, site: Site, comparison: contracts.Comparison) -> Site:
    """Return the site at which the class passes the number: the layer's constructor, or that of a module around it."""
    if layer.scope == comparison.scope.id:
        return site
    inside = f"{comparison.scope.kind}.__init__"
    return next((s for s in (site, *layer.chain) if s.function == inside), site)


def _makers(graph: Graph, node: Node) -> Iterator[Node]:
    """Yield the nearest calls before ``node`` that determine a number of channels."""
    pending = [graph.producer(id) for id in node.inputs[:1]]
    seen: set[int] = set()
    while pending:
        before = pending.pop()
        if before.id in seen:
            continue
        seen.add(before.id)
        if before.op in ops.PROJECTIONS:
            yield before
        else:
            pending += [graph.producer(id) for id in before.inputs]


def _sites_of_norms(graph: Graph, node: Node) -> Iterator[Site]:
    """Yield the sites of norms before ``node``, which may fail before it does if they are sized by the same number."""
    for before in graph_queries.producers(graph, node):
        if before.op not in ops.CHANNEL_PRESERVING:
            return
        norm = graph.layer(before.layer)
        if norm is not None and norm.site is not None and before.op.endswith("norm"):
            yield norm.site
