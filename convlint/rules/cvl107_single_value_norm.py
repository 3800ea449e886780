from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related, Severity, Shape
from convlint.rules.base import Rule


class SingleValueNorm(Rule):
    """A BatchNorm or InstanceNorm sees one value for each channel.

    ## Why is this bad?

    Behind a global pooling, or a convolution as large as the map, every channel is one pixel. In
    training a BatchNorm takes mean and variance over batch and pixels, so at batch 1 there is a
    single value: PyTorch raises "Expected more than 1 value per channel when training". The last,
    smaller batch of an epoch is often of size 1. With a batch of two it works, and the statistics
    are taken over two values.

    An InstanceNorm takes them over the pixels alone, so that no batch size helps: that is an error.
    A BatchNorm1d behind a linear layer has no pixels at all and is reported as info only.

    ## What to do

    Leave the norm out behind a global pooling, use `GroupNorm` or `LayerNorm`, or make sure that
    the training batches are large: `DataLoader(..., drop_last=True)`.
    """

    code = "CVL107"
    name = "single-value-norm"
    family = "invalid"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.distinct(graph, ops.PER_CHANNEL_NORMS):
            shape = graph_queries.input_shape(graph, node)
            if len(shape) < 2 or prod(shape[2:]) != 1 or not _single(graph, node):
                continue
            instance = node.op == "instance_norm"
            reducing = _reducing(graph, node)
            where = None if reducing is None else graph.where(reducing)
            by = (
                ""
                if reducing is None
                else f": {graph_queries.called(graph, reducing)} made the map 1x1"
            )
            works = "" if instance else "; training raises at batch 1 and works from batch 2 on"
            yield self.finding(
                f"{graph_queries.called(graph, node)} sees one value per channel{by}{works}",
                graph.where(node),
                module=node.layer,
                severity=_severity(node, shape),
                related=(Related("this makes the map 1x1", where),) if where is not None else (),
                nodes=(node.id,) if node.error is not None else (),
            )


def _single(graph: Graph, node: Node) -> bool:
    """Whether one sample gives one value per channel; several may be folded into the batch."""
    batch = graph_queries.input_shape(graph, node)[0]
    if node.error is not None:
        return "more than 1" in node.error
    return node.op == "instance_norm" or batch == graph.batch_size


def _severity(node: Node, shape: Shape) -> Severity:
    if node.op == "instance_norm" and node.error is not None:
        return "error"
    return "info" if len(shape) == 2 and node.error is None else "warning"


def _reducing(graph: Graph, node: Node) -> Node | None:
    """The call that made one pixel of a larger map."""
    before = graph_queries.source(graph, node)
    while before is not None and before.inputs:
        if prod(graph_queries.input_shape(graph, before)[2:]) > 1:
            return before
        before = graph_queries.source(graph, before)
    return None
