from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node
from convlint.rules.base import Rule


class EvenKernelShift(Rule):
    """A convolution with an even kernel, stride 1 and equal padding on both sides shifts the map and changes its size.

    ## Why is this bad?

    An even kernel has no center pixel. With equal padding on both sides every output is half a pixel away from its
    input, and the size of the map changes by an odd number: `H + 2p - k + 1` never equals `H`. The result does not
    fit a shortcut, and several such layers move the image.

    What counts is the extent of the kernel, `d * (k - 1) + 1`: a 2x2 kernel with dilation 2 is odd. A causal
    convolution that pads by `d * (k - 1)` and slices off the end is not reported, and neither is a convolution
    without padding.

    ## Use instead

    An odd kernel, one pixel more padding on one side with `nn.ZeroPad2d`, or `padding="same"`, which keeps the
    size.

    ## References

    - Wu et al., [Convolution with even-sized kernels and symmetric
      padding](https://arxiv.org/abs/1903.08385)
    """

    code = "CVL309"
    name = "even-kernel-shift"
    severity = "info"
    decided_by = ("source", "run")
    needs = "even-kernel"
    literal_numbers_only = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.first_calls(graph, ops.CONVS):
            kernel, padding = node.attrs["kernel_size"], node.attrs["padding"]
            if isinstance(padding, str) or _is_cut(graph, node):
                continue
            if not any(
                dilation * (size - 1) % 2 == 1 and stride == 1 and around > 0
                for size, stride, dilation, around in zip(
                    kernel, node.attrs["stride"], node.attrs["dilation"], padding, strict=True
                )
            ):
                continue
            yield self.finding(
                f"even kernel {graph_queries.sizes(kernel)} with padding {graph_queries.sizes(padding)} on both sides: "
                f"the map {_change(graph, node)} and shifts by half a pixel",
                graph.where(node),
                module=node.layer,
            )


def _change(graph: Graph, node: Node) -> str:
    """Describe how the size of the map changes, as far as it is known."""
    spatial = len(node.attrs["padding"])
    before, after = (graph_queries.input_shape(graph, node)[-spatial:], node.outputs[0].shape[-spatial:])
    if graph.traced_by == "recorder":
        return f"changes from {graph_queries.sizes(before)} to {graph_queries.sizes(after)}"
    if max(node.attrs["stride"]) > 1:
        return "changes its size"
    more = [b - a for a, b in zip(before, after, strict=True)]
    grown = graph_queries.sizes(tuple(map(abs, more)))
    return f"{'grows' if max(more) > 0 else 'shrinks'} by {grown}"


def _is_cut(graph: Graph, node: Node) -> bool:
    """Return whether only a slice reads the output, as causal convolutions do to undo padding."""
    reader = graph_queries.only_consumer(graph, node)
    return reader is not None and reader.op in ("getitem", "narrow")
