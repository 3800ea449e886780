from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Severity, Shape
from convlint.rules.base import Rule, related_to


class SingleValueNorm(Rule):
    """A BatchNorm or InstanceNorm normalizes a single value for each channel.

    ## Why is this bad?

    After global pooling, or after a convolution as large as its map, every channel is one pixel. In training a
    BatchNorm computes mean and variance over batch and pixels. With batch size 1 that is a single value, and
    PyTorch raises "Expected more than 1 value per channel when training". The last, smaller batch of an epoch often
    has size 1. With batch size 2 it runs, but with statistics of two values.

    An InstanceNorm computes them over the pixels alone, so no batch size helps: that is an error. A BatchNorm1d
    after a linear layer never has pixels and is reported as info only.

    ## Use instead

    No norm after global pooling, `GroupNorm` or `LayerNorm`, or large training batches: `DataLoader(...,
    drop_last=True)`.
    """

    code = "CVL107"
    name = "single-value-norm"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.first_calls(graph, ops.PER_CHANNEL_NORMS):
            shape = graph_queries.input_shape(graph, node)
            if len(shape) < 2 or prod(shape[2:]) != 1 or not _single(graph, node):
                continue
            instance = node.op == "instance_norm"
            reducing = _reducing(graph, node)
            site = None if reducing is None else graph.where(reducing)
            size = graph_queries.sizes((1,) * max(2, len(shape) - 2))
            what = f"a {size} map" if len(shape) > 2 else "one value per channel"
            origin = "" if reducing is None else f" (from {graph_queries.name(graph, reducing)})"
            effect = (
                "one value per channel has no variance" if instance else "training with batch size 1 raises an error"
            )
            yield self.finding(
                f"{graph_queries.name(graph, node)} normalizes {what}{origin}, so {effect}",
                graph.where(node),
                module=node.layer,
                severity="info" if graph.input_is_guessed else _severity(node, shape),
                related=related_to(f"this reduces the map to {size}", site),
                nodes=(node.id,) if node.error is not None else (),
            )


def _single(graph: Graph, node: Node) -> bool:
    """Return whether one sample has one value per channel; several may be folded into the batch."""
    batch = graph_queries.input_shape(graph, node)[0]
    if node.error is not None:
        return "more than 1" in node.error
    return node.op == "instance_norm" or batch == graph.batch_size


def _severity(node: Node, shape: Shape) -> Severity:
    if node.op == "instance_norm" and node.error is not None:
        return "error"
    return "info" if len(shape) == 2 and node.error is None else "warning"


def _reducing(graph: Graph, node: Node) -> Node | None:
    calls = (call for call in graph_queries.producers(graph, node) if call.inputs)
    return next((call for call in calls if prod(graph_queries.input_shape(graph, call)[2:]) > 1), None)
