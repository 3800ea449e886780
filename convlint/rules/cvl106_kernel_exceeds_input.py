from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related
from convlint.rules.base import Rule, related_to


class KernelExceedsInput(Rule):
    """A kernel is larger than its padded input, or pooling leaves nothing of the map.

    ## Why is this bad?

    A convolution needs at least one position at which its kernel fits. A kernel of size k with dilation d spans
    `d*(k-1)+1` pixels, and the padded map must be at least that large. Every stride and every pooling before it
    makes the map smaller, so an image that is slightly too small fails deep in the network, at a layer that is not
    the cause.

    The message contains the **smallest input** that the model accepts.

    ## Use instead

    A larger input, or fewer strides and poolings. To reduce a map of any size to one pixel, use
    `nn.AdaptiveAvgPool2d(1)`.
    """

    code = "CVL106"
    name = "kernel-exceeds-input"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        small = [node for node in graph.nodes if node.error is not None and _too_small(graph, node)]
        below: set[int] = set()
        for node in small:
            if not below.isdisjoint(node.inputs):
                continue  # its input depends on a call that failed
            after = graph_queries.downstream_tensors(graph, [node])
            below |= after
            explained = [n.id for n in small if n is node or not after.isdisjoint(n.inputs)]
            shrinking = _shrinking(graph, node)
            related: tuple[Related, ...] = ()
            if shrinking is not None:
                name = graph_queries.name(graph, shrinking)
                related = related_to(f"{name} reduces the map to this size", graph.where(shrinking))
            yield self.finding(
                f"{graph_queries.name(graph, node)} {_why(graph, node)}{_smallest(graph)}",
                graph.where(node),
                module=node.layer,
                related=related,
                nodes=tuple(explained),
            )


def _spans(node: Node) -> tuple[int, ...]:
    """Return the extent of the kernel in pixels, in each direction."""
    dilation = node.attrs.get("dilation") or (1,) * len(node.attrs["kernel_size"])
    return tuple(map(ops.kernel_extent, node.attrs["kernel_size"], dilation))


def _padded(graph: Graph, node: Node) -> tuple[int, ...]:
    count, padding = len(node.attrs["kernel_size"]), node.attrs["padding"]
    around = (0,) * count if isinstance(padding, str) else padding
    sizes = graph_queries.input_shape(graph, node)[-count:]
    return tuple([size + 2 * pad for size, pad in zip(sizes, around, strict=True)])


def _too_small(graph: Graph, node: Node) -> bool:
    if "kernel_size" not in node.attrs or not node.inputs:
        return False
    if len(graph_queries.input_shape(graph, node)) < len(node.attrs["kernel_size"]):
        return False  # not a feature map
    spans, sizes = _spans(node), _padded(graph, node)
    if node.op in ops.CONVS and node.attrs["padding"] == "same":
        return False
    short = any(span > size for span, size in zip(spans, sizes, strict=False))
    return short and (node.op in ops.CONVS or node.op in ops.WINDOW_POOLS)


def _why(graph: Graph, node: Node) -> str:
    spans, sizes, kernel = _spans(node), _padded(graph, node), node.attrs["kernel_size"]
    shape = graph_queries.input_shape(graph, node)[-len(kernel) :]
    dilated = f" ({graph_queries.sizes(spans)} with dilation)" if spans != kernel else ""
    padded = f" ({graph_queries.sizes(sizes)} with padding)" if sizes != shape else ""
    return (
        f"has a {graph_queries.sizes(kernel)} kernel{dilated}, larger than its "
        f"{graph_queries.sizes(shape)} input{padded}"
    )


def _smallest(graph: Graph) -> str:
    if graph.smallest_input is None:
        return ""
    return f"; the smallest input that the model accepts is {graph_queries.sizes(graph.smallest_input)}"


def _shrinking(graph: Graph, node: Node) -> Node | None:
    """Return the last call before ``node`` whose output is smaller than its input."""
    count = len(node.attrs["kernel_size"])
    for before in graph_queries.producers(graph, node):
        into = graph_queries.input_shape(graph, before)[-count:] if before.inputs else ()
        out = before.outputs[0].shape[-count:]
        if len(into) == len(out) and any(i > o for i, o in zip(into, out, strict=True)):
            return before
    return None
