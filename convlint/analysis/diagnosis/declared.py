"""Layers that declare the sizes they take and give."""

from __future__ import annotations

from convlint.analysis import ops
from convlint.analysis.diagnosis.constraints import Sizes
from convlint.analysis.diagnosis.reshapes import kept
from convlint.ir import Node, Tensor


def convolution(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Channels in and out, and the groups of a depthwise one, which are as many."""
    attrs = node.attrs
    dim = -ops.spatial_dims(node.op) - 1
    if "in_channels" not in attrs or len(before.shape) < -dim:
        return
    taken, given = sizes.variable(before, dim), sizes.new()
    into, out, groups = attrs["in_channels"], attrs["out_channels"], attrs["groups"]
    sizes.vote(taken, node, "in", into)
    sizes.vote(given, node, "out", out)
    if groups > 1 and groups in (into, out):
        sizes.vote(taken, node, "groups", groups)
        if out == groups:
            sizes.vote(given, node, "groups", groups)
    sizes.set(after, dim, given)
    sizes.involve(node, taken)


def linear(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Features in and out, in the last dimension."""
    if "in_features" not in node.attrs or not before.shape:
        return
    taken, given = sizes.variable(before, -1), sizes.new()
    sizes.vote(taken, node, "in", node.attrs["in_features"])
    sizes.vote(given, node, "out", node.attrs["out_features"])
    sizes.involve(node, taken)
    for dim, variable in sizes.known(before).items():
        sizes.set(after, dim, given if dim == -1 else variable)
    sizes.set(after, -1, given)


def norm(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """A norm over the channels, which it gives as it takes them."""
    if len(before.shape) < 2:
        return
    dim = 1 - len(before.shape)
    width = sizes.variable(before, dim)
    layer = sizes.graph.layer(node.layer)
    attrs = {} if layer is None else layer.attrs
    asked = attrs.get("num_features", attrs.get("num_channels"))
    asked = node.attrs.get("num_features", asked)
    if asked is not None:
        sizes.vote(width, node, "out", asked)
    sizes.involve(node, width)
    for other, variable in sizes.known(before).items():
        sizes.set(after, other, variable)


def layer_norm(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """A norm over the last dimensions; those that hold channels or features count."""
    shape = node.attrs.get("normalized_shape", ())
    for dim in range(-len(shape), 0):
        if -dim <= len(before.shape) and (node.error or dim in sizes.known(before)):
            width = sizes.variable(before, dim)
            sizes.vote(width, node, "out", shape[dim])
            sizes.involve(node, width)
    kept(sizes, before, after)


def prelu(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """One slope for each channel, where there is more than one."""
    count = node.attrs.get("num_parameters", 1)
    if count != 1 and len(before.shape) > 1:
        width = sizes.variable(before, 1 - len(before.shape))
        sizes.vote(width, node, "out", count)
        sizes.involve(node, width)
    kept(sizes, before, after)
