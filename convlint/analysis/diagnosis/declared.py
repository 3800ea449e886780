"""Calls of layers that declare the sizes of their input and output."""

from __future__ import annotations

from math import prod

from convlint.analysis import ops
from convlint.analysis.batch_merges import calls_of_merged_batches
from convlint.analysis.diagnosis.constraints import Sizes
from convlint.analysis.diagnosis.reshapes import counts_other_pixels, unchanged
from convlint.ir import Graph, Node, Tensor


def convolution(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Vote for input and output channels, and for the groups of a depthwise convolution, which equal them."""
    attrs = node.attrs
    dim = -ops.spatial_dims(node.op) - 1
    if "in_channels" not in attrs or len(before.shape) not in (-dim, 1 - dim):
        return
    input, output = sizes.variable(before, dim), sizes.new_variable()
    into, out, groups = attrs["in_channels"], attrs["out_channels"], attrs["groups"]
    sizes.vote(input, node, "in", into)
    sizes.vote(output, node, "out", out)
    if groups > 1 and groups in (into, out):
        sizes.vote(input, node, "groups", groups)
        if out == groups:
            sizes.vote(output, node, "groups", groups)
    sizes.set(after, dim, output)
    sizes.involve(node, input)


def linear(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Vote for input and output features, in the last dimension."""
    if "in_features" not in node.attrs or not before.shape:
        return
    input, output = sizes.variable(before, -1), sizes.new_variable()
    if node.error is not None and _counts_other_pixels(sizes.graph, node):
        input = sizes.new_variable()
        sizes.observe(input, node, before.shape[-1])
    sizes.vote(input, node, "in", node.attrs["in_features"])
    sizes.vote(output, node, "out", node.attrs["out_features"])
    is_known = "multiple_of" not in node.attrs
    if node.error is not None and is_known and node.id not in sizes.graph.derived(calls_of_merged_batches):
        sizes.involve(node, input)
    for dim, variable in sizes.of(before).items():
        sizes.set(after, dim, output if dim == -1 else variable)
    sizes.set(after, -1, output)


def _counts_other_pixels(graph: Graph, node: Node) -> bool:
    """Check whether a linear layer that reads a flattened map has the right channels, but another size of the map."""
    before = graph.producer(node.inputs[0])
    if before.op not in ops.FLATTENING or not before.inputs:
        return False
    shape = graph.tensor(before.inputs[0]).shape
    return prod(shape[1:]) == graph.tensor(node.inputs[0]).shape[-1] and counts_other_pixels(
        shape, node.attrs["in_features"]
    )


def norm(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Vote for the channels of a norm, which are the same in its output."""
    if len(before.shape) < 2:
        return
    width = sizes.variable(before, 1 - len(before.shape))
    layer = sizes.graph.layer(node.layer)
    attrs = {} if layer is None else layer.attrs
    declared = attrs.get("num_features", attrs.get("num_channels"))
    declared = node.attrs.get("num_features", declared)
    if declared is not None:
        sizes.vote(width, node, "out", declared)
    sizes.involve(node, width)
    for other, variable in sizes.of(before).items():
        sizes.set(after, other, variable)


def layer_norm(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Vote for the last dimensions, those of them that hold channels or features."""
    shape = node.attrs.get("normalized_shape", ())
    for dim in range(-len(shape), 0):
        if -dim <= len(before.shape) and (node.error or dim in sizes.of(before)):
            width = sizes.variable(before, dim)
            sizes.vote(width, node, "out", shape[dim])
            sizes.involve(node, width)
    unchanged(sizes, before, after)


def prelu(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Vote for the channels if there is a slope for each."""
    count = node.attrs.get("num_parameters", 1)
    if count != 1 and len(before.shape) > 1:
        width = sizes.variable(before, 1 - len(before.shape))
        sizes.vote(width, node, "out", count)
        sizes.involve(node, width)
    unchanged(sizes, before, after)
