from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Shape
from convlint.rules.base import Rule


class DominantLinear(Rule):
    """The first linear layer after the feature map is flattened holds more than half of all
    parameters.

    ## Why is this bad?

    A flattened map of C channels and H x W pixels needs `C * H * W * D` weights to give D features.
    In VGG16 this one layer holds 103 of 138 million parameters. They cost memory and time to load,
    overfit easily, and fix the size of the input.

    ## What to do

    Average over the map first (`nn.AdaptiveAvgPool2d(1)`), or weigh the positions with a global
    depthwise convolution and then apply a 1x1: `C * H * W + C * D` weights. CVL504 proposes the
    latter. MobileFaceNet gained accuracy by it.

    ## References

    - Chen et al., [MobileFaceNets](https://arxiv.org/abs/1804.07573), section 3.1 and Table 2
    """

    code = "CVL308"
    name = "dominant-linear"
    family = "advice"
    severity = "info"

    def check(self, graph: Graph) -> Iterator[Finding]:
        total = sum(layer.params for layer in graph.layers)
        convolved = any(node.op in ops.CONVS for node in graph.nodes)
        for node in graph_queries.distinct(graph, frozenset({"linear"})) if convolved else ():
            layer = graph.layer(node.layer)
            if layer is None or 2 * layer.params <= total or node.error is not None:
                continue
            flattened = _flattened(graph, node)
            if flattened is None:
                continue
            channels, pixels, out = flattened[1], prod(flattened[2:]), node.attrs["out_features"]
            if pixels == 1:
                continue
            yield self.finding(
                f"{layer.params:,} of {total:,} parameters ({layer.params / total:.0%}) are in this "
                f"Linear: it reads {graph_queries.by(flattened[1:])} values for {out:,} features; a global "
                f"depthwise convolution and a 1x1 would have {channels * (pixels + out):,} (CVL504)",
                layer.site or node.site,
                module=node.layer,
            )


def _flattened(graph: Graph, node: Node) -> Shape | None:
    """The shape of the feature map, with the batch, that was flattened into the input of a linear
    layer.
    """
    step = graph_queries.source(graph, node)
    while step is not None and step.op in ops.ACTIVATIONS | {"batch_norm"}:
        step = graph_queries.source(graph, step)
    if step is None or step.op not in ops.FLATTENING or not step.inputs:
        return None
    before, after = graph_queries.input_shape(graph, step), step.outputs[0].shape
    flat = len(before) > 2 and after == (before[0], prod(before[1:]))
    return before if flat else None
