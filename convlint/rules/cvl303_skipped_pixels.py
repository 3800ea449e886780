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

    With a stride `s` larger than the kernel size `k`, only `(k/s)^2` of the input pixels are read, and `(k/s)^3` of
    the input of a `Conv3d`. A 1x1 kernel with stride 2 skips three of four pixels: the layers before computed them for
    nothing, and their information is lost. A dilated kernel can do the same: with dilation 2 and stride 2 it reads only
    even pixels.

    The message says if the layer is a shortcut of a residual block: subsampling with a 1x1 kernel is common there, and
    the main path still reads those pixels. So does another call that reads the same input completely.

    ## Use instead

    The stride in a layer with a larger kernel, as ResNet-B does with its 3x3 convolution, or average pooling first:
    `AvgPool2d(2)` and a 1x1 convolution with stride 1, as in the shortcut of ResNet-D.

    ## References

    - He et al., [Bag of Tricks](https://arxiv.org/abs/1812.01187), section 4: ResNet-B and ResNet-D
    """

    code = "CVL303"
    name = "skipped-pixels"
    severity = "info"
    decided_by = ("source", "run")
    needs = "stride-exceeds-kernel"
    literal_numbers_only = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.first_calls(graph, ops.CONVS):
            never = _share_never_read(graph, node)
            if not never:
                continue
            shortcut = _is_shortcut(graph, node)
            kernel, stride, dilation = (node.attrs[n] for n in ("kernel_size", "stride", "dilation"))
            spread = f", dilation {graph_queries.sizes(dilation)}" if max(dilation) > 1 else ""
            yield self.finding(
                f"{_percent(never)} of the input {_ELEMENTS[len(kernel)]} are never read by this "
                f"{graph_queries.kind_name(graph, node)}: "
                f"kernel {graph_queries.sizes(kernel)}{spread}, stride {graph_queries.sizes(stride)}"
                + (" (a shortcut: the main path may read them)" if shortcut else ""),
                graph.where(node),
                module=node.layer,
            )


_ELEMENTS = {1: "steps", 2: "pixels", 3: "voxels"}


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _share_never_read(graph: Graph, node: Node) -> float:
    """Return the share of the input positions that no tap of a convolution reads: 0 if it reads all of them."""
    kernel, stride, dilation = (node.attrs[n] for n in ("kernel_size", "stride", "dilation"))
    sizes = graph_queries.input_shape(graph, node)[-len(kernel) :]
    if len(sizes) < len(kernel):
        return 0.0  # not a feature map: reported by another rule
    read = [_share_read(*numbers) for numbers in zip(sizes, kernel, stride, dilation, strict=True)]
    return 1 - prod(taps / steps for taps, steps in read)


def _share_read(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return how many of ``stride`` neighboring pixels are read in one direction, and ``stride``.

    The taps of a kernel read as many as they have distinct remainders modulo the stride. A map of at most ``stride``
    pixels has one position for the kernel.
    """
    if stride < 1:
        return 1, 1  # invalid: CVL109
    if size <= stride:
        return min(kernel, size), max(size, 1)
    return min(kernel, stride // gcd(dilation, stride)), stride


def _is_shortcut(graph: Graph, node: Node) -> bool:
    """Return whether a convolution is the short path of a block, or another call reads its whole input as well."""
    if any(other is not node and not _skips(graph, other) for other in graph_queries.readers(graph, node.inputs[0])):
        return True
    return prod(node.attrs["kernel_size"]) == 1 and _ends_in_a_sum(graph, node, _STEPS_TO_A_SUM)


def _skips(graph: Graph, node: Node) -> bool:
    if node.op in ops.NOT_CALLS:
        return True  # reads no single pixel
    return node.op in ops.CONVS and _share_never_read(graph, node) > 0


def _ends_in_a_sum(graph: Graph, node: Node, steps: int) -> bool:
    """Return whether only norms, activations and slices are between the output of ``node`` and an addition.

    The output may be split; then one of the parts is enough.
    """
    readers = [reader for tensor in node.outputs for reader in graph_queries.readers(graph, tensor.id)]
    if len(readers) != 1 and node.op not in _SLICES and not all(reader.op in _SLICES for reader in readers):
        return False
    return any(
        reader.op == "add"
        or (
            steps > 1
            and (reader.op in ops.ACTIVATIONS | _SLICES | {"pad", "cat"} or reader.op.endswith("_norm"))
            and _ends_in_a_sum(graph, reader, steps - 1)
        )
        for reader in readers
    )


_SLICES = frozenset({"getitem", "narrow", "split", "chunk", "tensor_split", "select", "unbind"})
