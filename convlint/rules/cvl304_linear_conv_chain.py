from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Shape
from convlint.rules.base import Rule, related_to

_AFFINE = frozenset({"batch_norm", "contiguous"})  # in eval mode a BatchNorm is one factor and one summand per channel


class LinearConvChain(Rule):
    """Two convolutions follow each other without a nonlinearity between them, and one could replace both.

    ## Why is this bad?

    A convolution of a convolution is a convolution: without a nonlinearity between them, the second layer adds
    parameters and time but no functions that one layer could not compute. Usually the activation was forgotten. A
    BatchNorm between the two does not change that: in eval mode it is a scale and a shift.

    Pairs that are cheaper than the one layer that they equal are not reported:

    - pairs with a grouped or depthwise layer, as in depthwise separable convolutions;
    - low-rank pairs and linear bottlenecks, with fewer channels in the middle than at either end;
    - a kernel split into 1xk and kx1.

    ## Use instead

    An activation between the two, or one convolution with the kernel size that the message names.

    Where the second layer pads its input with zeros, one convolution computes the same only away from the borders,
    unless the first is 1x1 and adds no constant. Such pairs are reported only if both kernels are larger than 1,
    where an activation is probably missing.

    ## References

    - Sandler et al., [MobileNetV2](https://arxiv.org/abs/1801.04381), on linear bottlenecks
    """

    code = "CVL304"
    name = "linear-conv-chain"
    severity = "info"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for second in graph_queries.first_calls(graph, ops.CONVS):
            first, has_norm = _conv_before(graph, second)
            if first is None or first.error or second.error:
                continue
            exact = _is_exact(first, second, has_norm)
            if not exact and not _are_both_wide(first, second):
                continue
            if any(len(graph_queries.calls_of_same_layer(graph, node)) > 1 for node in (first, second)):
                continue  # the same weights are used elsewhere as well
            merged = _merged_kernel(first, second)
            weights = [_weights(first), _weights(second)]
            merged_weights = graph_queries.conv_weights(
                first.attrs["in_channels"], second.attrs["out_channels"], merged
            )
            if _is_factorization(first, second, merged_weights, sum(weights)):
                continue
            is_cheaper = exact and merged_weights <= sum(weights)
            yield self.finding(
                f"no nonlinearity between {graph_queries.name(graph, first)} and this "
                f"{graph_queries.kind_name(graph, second)}: one {graph_queries.sizes(merged)} convolution with "
                f"{merged_weights:,} weights could replace their {weights[0]:,} + {weights[1]:,}"
                f"{'' if exact else ', except at the borders'}; "
                f"{'merge them' if is_cheaper else 'an activation may be missing'}",
                graph.where(second),
                module=second.layer,
                related=related_to("the first of the two", graph.where(first)),
            )


def _conv_before(graph: Graph, node: Node) -> tuple[Node | None, bool]:
    """Return the convolution of the same rank whose output only ``node`` reads, without a nonlinearity between, and
    whether a norm is between.
    """
    reader, step = node, graph_queries.producer_of(graph, node)
    has_norm = False
    while step is not None and graph_queries.only_consumer(graph, step) is reader:
        if step.op == node.op:
            return step, has_norm
        if step.op not in _AFFINE:
            break
        has_norm = has_norm or step.op == "batch_norm"
        reader, step = step, graph_queries.producer_of(graph, step)
    return None, has_norm


def _is_exact(first: Node, second: Node, has_norm: bool) -> bool:
    """Return whether one convolution computes the same at the borders too.

    The second one pads the first one's outputs; the merged one would see outputs that the first has for a padded input.
    """
    is_padded = second.attrs["padding"] == "same" or any(second.attrs["padding"])
    if not is_padded:
        return True
    if any(extent > 1 for extent in _extent(first)) or first.attrs["padding"] == "same" or any(first.attrs["padding"]):
        return False
    return not (first.attrs["bias"] or has_norm)


def _are_both_wide(first: Node, second: Node) -> bool:
    """Return whether both kernels are larger than 1 in one direction: together they enlarge the receptive field."""
    kernels = first.attrs["kernel_size"], second.attrs["kernel_size"]
    return any(k1 > 1 and k2 > 1 for k1, k2 in zip(*kernels, strict=True))


def _merged_kernel(first: Node, second: Node) -> Shape:
    """Return the kernel size of the merged convolution: ``k1 + (k2 - 1) * s1``, with the extents of dilated kernels."""
    sizes = zip(_extent(first), _extent(second), first.attrs["stride"], strict=True)
    return tuple([k1 + (k2 - 1) * stride for k1, k2, stride in sizes])


def _extent(node: Node) -> list[int]:
    spread = zip(node.attrs["kernel_size"], node.attrs["dilation"], strict=True)
    return [ops.kernel_extent(kernel, dilation) for kernel, dilation in spread]


def _weights(node: Node) -> int:
    return graph_queries.conv_weights(node.attrs["in_channels"], node.attrs["out_channels"], node.attrs["kernel_size"])


def _is_factorization(first: Node, second: Node, merged: int, pair: int) -> bool:
    """Return whether the pair is cheaper than one convolution on purpose: groups, low rank, or a split kernel."""
    if first.attrs["groups"] != 1 or second.attrs["groups"] != 1:
        return True
    into, middle, out = (first.attrs["in_channels"], first.attrs["out_channels"], second.attrs["out_channels"])
    if middle < min(into, out):
        return True
    return not _are_both_wide(first, second) and merged > pair
