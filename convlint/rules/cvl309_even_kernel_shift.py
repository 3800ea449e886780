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
    without padding, or one whose shift a padding with unequal sides makes up for, such as `ZeroPad2d((1, 0, 1, 0))`.

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
            if isinstance(padding, str) or max(padding) == 0 or _is_compensated(graph, node):
                continue
            first, sides = _with_pads_before(graph, node)
            if first.op == "unseen" or not any(
                dilation * (size - 1) % 2 == 1 and stride == 1 and left == right > 0
                for size, stride, dilation, (left, right) in zip(
                    kernel, node.attrs["stride"], node.attrs["dilation"], sides, strict=True
                )
            ):
                continue
            around = graph_queries.sizes(tuple([left for left, _ in sides]))
            yield self.finding(
                f"even kernel {graph_queries.sizes(kernel)} with padding {around} on both sides: "
                f"the map {_change(graph, first, node)} and shifts by half a pixel",
                graph.where(node),
                module=node.layer,
            )


def _with_pads_before(graph: Graph, node: Node) -> tuple[Node, list[tuple[int, int]]]:
    """Return the first of the paddings directly before a convolution, or itself, and the pixels that are added in all:
    before and after the map, in each dimension. An unseen call, which may pad, is returned as it is.
    """
    first, sides = node, [(pad, pad) for pad in node.attrs["padding"]]
    for before in graph_queries.producers(graph, node):
        pads = before.attrs.get("pad") if before.op == "pad" else None
        if before.op == "unseen":
            return before, sides
        if before.op not in ops.ACTIVATIONS | ops.COPIES and pads is None:
            break
        if pads is not None:
            first = before
            for back, pair in enumerate(zip(pads[::2], pads[1::2], strict=False), start=1):
                if back <= len(sides):
                    sides[-back] = (sides[-back][0] + pair[0], sides[-back][1] + pair[1])
    return first, sides


def _change(graph: Graph, first: Node, node: Node) -> str:
    """Describe how the size of the map changes from the input of ``first`` to the output of ``node``."""
    spatial = len(node.attrs["padding"])
    before, after = (graph_queries.input_shape(graph, first)[-spatial:], node.outputs[0].shape[-spatial:])
    if graph.traced_by == "recorder":
        return f"changes from {graph_queries.sizes(before)} to {graph_queries.sizes(after)}"
    if max(node.attrs["stride"]) > 1:
        return "changes its size"
    more = [b - a for a, b in zip(before, after, strict=True)]
    grown = graph_queries.sizes(tuple(map(abs, more)))
    return f"{'grows' if max(more) > 0 else 'shrinks'} by {grown}"


def _is_compensated(graph: Graph, node: Node) -> bool:
    """Return whether the next call that changes sizes undoes the shift.

    That is a slice, as after a causal convolution, a padding with unequal sides, or another even kernel that shifts
    the other way: the first with padding, the second without.
    """
    reader = graph_queries.only_consumer(graph, node)
    while reader is not None and reader.op in ops.ACTIVATIONS | ops.COPIES | ops.NORMS:
        reader = graph_queries.only_consumer(graph, reader)
    if reader is None:
        return False
    if reader.op == "pad":
        pads = reader.attrs.get("pad", ())
        return any(left != right for left, right in zip(pads[::2], pads[1::2], strict=False))
    if reader.op in ops.CONVS:
        spatial = len(node.attrs["padding"])
        return node.inputs[:1] != () and (
            graph_queries.input_shape(graph, node)[-spatial:] == reader.outputs[0].shape[-spatial:]
        )
    return reader.op in ("getitem", "narrow")
