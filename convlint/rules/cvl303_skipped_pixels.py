from __future__ import annotations

from collections.abc import Iterator
from math import gcd, prod

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node
from convlint.rules.base import Rule

_STEPS_TO_A_SUM = 4  # a shortcut is convolution, norm, activation and drop path


class SkippedPixels(Rule):
    """A convolution has a stride that skips pixels.

    ## Why is this bad?

    With a stride `s` larger than the kernel size `k`, only `(k/s)^2` of the input pixels are read. A 1x1 kernel
    with stride 2 skips three of four pixels: the layers before computed them for nothing, and their information is
    lost. A dilated kernel can do the same: with dilation 2 and stride 2 it reads only even pixels.

    A shortcut of a residual block that subsamples with a 1x1 kernel is common and is reported as info, because the
    main path still reads those pixels.

    ## Use instead

    The stride in a layer with a larger kernel, as ResNet-B does with its 3x3 convolution, or average pooling first:
    `AvgPool2d(2)` and a 1x1 convolution with stride 1, as in the shortcut of ResNet-D.

    ## References

    - He et al., [Bag of Tricks](https://arxiv.org/abs/1812.01187), section 4: ResNet-B and ResNet-D
    """

    code = "CVL303"
    name = "skipped-pixels"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "stride-exceeds-kernel"
    literal_numbers_only = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.first_calls(graph, ops.CONVS):
            kernel, stride, dilation = (node.attrs[n] for n in ("kernel_size", "stride", "dilation"))
            sizes = graph_queries.input_shape(graph, node)[-len(kernel) :]
            if len(sizes) < len(kernel):
                continue  # not a feature map: reported by another rule
            read = [_share_read(*numbers) for numbers in zip(sizes, kernel, stride, dilation, strict=True)]
            if all(taps == steps for taps, steps in read):
                continue
            never = 1 - prod(taps / steps for taps, steps in read)
            shortcut = prod(kernel) == 1 and _ends_in_a_sum(graph, node)
            spread = f", dilation {graph_queries.sizes(dilation)}" if max(dilation) > 1 else ""
            yield self.finding(
                f"{never:.0%} of the input pixels are never read by this {graph_queries.kind_name(graph, node)}: "
                f"kernel {graph_queries.sizes(kernel)}{spread}, stride {graph_queries.sizes(stride)}"
                + (" (a shortcut: the main path may read them)" if shortcut else ""),
                graph.where(node),
                module=node.layer,
                severity="info" if shortcut else None,
            )


def _share_read(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return how many of ``stride`` neighboring pixels are read in one direction, and ``stride``.

    The taps of a kernel read as many as they have distinct remainders modulo the stride.
    """
    if stride < 1 or size <= stride:
        return 1, 1  # an invalid stride (CVL109), or a map with one position for the kernel
    return min(kernel, stride // gcd(dilation, stride)), stride


def _ends_in_a_sum(graph: Graph, node: Node) -> bool:
    """Return whether only norms and activations are between the output of ``node`` and an addition."""
    step: Node | None = node
    for _ in range(_STEPS_TO_A_SUM):
        step = None if step is None else graph_queries.only_consumer(graph, step)
        if step is None:
            return False
        if step.op == "add":
            return True
        if step.op not in ops.ACTIVATIONS and not step.op.endswith("_norm"):
            return False
    return False
