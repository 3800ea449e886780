from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.analysis.constructor_calls import constructor_call
from convlint.ir import Finding, Fix, Graph, Node
from convlint.rules.base import Rule


class PaddedPointwise(Rule):
    """A convolution pads a dimension in which its kernel size is 1: the outer pixels of its output contain no input.

    ## Why is this bad?

    A 1x1 kernel reads one pixel. With `padding=1` the outer ring of the output reads only zeros, so it contains
    nothing but the bias. The map grows by two in each direction, every later layer processes those pixels, and a
    norm includes the ring in its statistics. It is usually left over from a copied 3x3 layer.

    The same applies to one direction: a 1x7 kernel needs `padding=(0, 3)`, and `padding=3` pads the rows as well.

    ## Use instead

    `padding=0`, or padding only in the directions in which the kernel is larger than 1.

    ## Fix safety

    The fix is unsafe: the output becomes smaller, and sizes written for later layers change. It is only displayed
    if kernel size and padding are not both literal numbers in the call, or if the call also builds a layer that is
    padded correctly.
    """

    code = "CVL302"
    name = "padded-pointwise"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "padded-pointwise"
    literal_numbers_only = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        reported = [node for node in graph_queries.first_calls(graph, ops.CONVS) if _is_padded(graph, node)]
        padded = {layer.name for node in reported if (layer := graph.layer(node.layer))}
        for node in reported:
            kernel, padding = node.attrs["kernel_size"], node.attrs["padding"]
            if len(graph_queries.input_shape(graph, node)) < len(kernel):
                continue  # not a feature map: reported by another rule
            yield self.finding(
                f"padding {graph_queries.sizes(padding)} of a {graph_queries.sizes(kernel)} kernel: "
                f"{_empty_pixels(graph, node)} contain no input{', only the bias' if node.attrs['bias'] else ''}; "
                f"use padding={_wanted(node)}",
                graph.where(node),
                module=node.layer,
                fix=_fix(graph, node, padded),
            )


def _is_padded(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node.layer)
    mode = "zeros" if layer is None else layer.attrs.get("padding_mode", "zeros")
    kernel, padding = node.attrs["kernel_size"], node.attrs["padding"]
    if mode != "zeros" or isinstance(padding, str):
        return False
    return any(size == 1 and around > 0 for size, around in zip(kernel, padding, strict=True))


def _empty_pixels(graph: Graph, node: Node) -> str:
    """Describe the output pixels that read no input, with their number if it is known."""
    if graph.traced_by != "recorder":
        return "the outermost output pixels"
    kernel, padding = node.attrs["kernel_size"], node.attrs["padding"]
    into = graph_queries.input_shape(graph, node)[-len(kernel) :]
    output = node.outputs[0].shape[-len(kernel) :]
    reading = [
        _reading(size, outputs, stride, around) if k == 1 else outputs
        for size, outputs, k, stride, around in zip(into, output, kernel, node.attrs["stride"], padding, strict=True)
    ]
    return f"{prod(output) - prod(reading):,} of {prod(output):,} output pixels"


def _reading(size: int, outputs: int, stride: int, padding: int) -> int:
    """Return how many outputs of a kernel of size 1 read a pixel in ``0 .. size-1``."""
    if stride < 1:
        return outputs  # an invalid stride (CVL109)
    first, end = -(-padding // stride), -(-(padding + size) // stride)
    return max(min(end, outputs) - first, 0)


def _wanted(node: Node) -> str:
    """Return the padding without the directions in which the kernel is 1, as it is written in a call."""
    kernel, padding = node.attrs["kernel_size"], node.attrs["padding"]
    wanted = tuple([0 if k == 1 else around for k, around in zip(kernel, padding, strict=True)])
    return str(wanted[0]) if len(set(wanted)) == 1 else str(wanted)


def _fix(graph: Graph, node: Node, padded: Collection[str]) -> Fix | None:
    layer = graph.layer(node.layer)
    if layer is None or layer.site is None:
        return None
    title = f"set padding={_wanted(node)} (the output becomes smaller)"
    call = constructor_call(graph, layer)
    built = [other.name for other in graph.layers if other.site == layer.site]
    if call is None or not all(name in padded for name in built):
        return Fix(title, "display", ())
    kernel, padding = call.argument("kernel_size", 2), call.argument("padding", 4)
    if padding is None or not _is_number(padding) or kernel is None or not _is_number(kernel):
        return Fix(title, "display", ())
    return Fix(title, "unsafe", (call.replacing(padding, _wanted(node)),))


def _is_number(node: ast.expr) -> bool:
    """Return whether an expression is a literal number, or a tuple or list of literal numbers."""
    if isinstance(node, ast.Tuple | ast.List):
        return all(map(_is_number, node.elts))
    return isinstance(node, ast.Constant) and type(node.value) is int
