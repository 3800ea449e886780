from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Shape
from convlint.rules.base import Rule


class DominantLinear(Rule):
    """The first linear layer after the flattened feature map has more than half of all parameters.

    ## Why is this bad?

    A flattened map of C channels and H x W pixels needs `C * H * W * D` weights for D features. In VGG16 this one
    layer has 103 of 138 million parameters. They cost memory and load time, overfit easily, and fix the input size.

    ## Use instead

    Global average pooling first (`nn.AdaptiveAvgPool2d(1)`), or a global depthwise convolution, which weights the
    positions, and a 1x1 convolution: `C * H * W + C * D` weights. CVL504 proposes the latter. MobileFaceNet gained
    accuracy with it.

    ## References

    - Chen et al., [MobileFaceNets](https://arxiv.org/abs/1804.07573), section 3.1 and Table 2
    """

    code = "CVL308"
    name = "dominant-linear"
    severity = "info"

    def check(self, graph: Graph) -> Iterator[Finding]:
        total = sum(layer.params for layer in graph.layers)
        convolved = any(node.op in ops.CONVS for node in graph.nodes)
        for node in graph_queries.first_calls(graph, frozenset({"linear"})) if convolved else ():
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
                f"Linear, which maps {graph_queries.sizes(flattened[1:])} values to {out:,} features; a global "
                f"depthwise and a 1x1 convolution would have {channels * (pixels + out):,} (CVL504)",
                layer.site or node.site,
                module=node.layer,
            )


def _flattened(graph: Graph, node: Node) -> Shape | None:
    """Return the shape, with the batch, of the feature map that was flattened before a linear layer."""
    skipped = ops.ACTIVATIONS | {"batch_norm"}
    step = next((n for n in graph_queries.producers(graph, node) if n.op not in skipped), None)
    if step is None or step.op not in ops.FLATTENING or not step.inputs:
        return None
    before, after = graph_queries.input_shape(graph, step), step.outputs[0].shape
    return before if len(before) > 2 and after == (before[0], prod(before[1:])) else None
