"""Memory of a training step, from measured saved bytes and the shapes of the calls."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import ops
from convlint.ir import Graph, Node, Tensor


def training_bytes(graph: Graph) -> int | None:
    """``params + gradients + Adam's two states + the peak of everything else in a step``.

    That peak is the largest of: all saved bytes, when backward begins; the bytes saved up to a convolution or linear
    layer plus what its backward needs (``backward_bytes``); two copies of the largest parameter, Adam's ``sqrt`` and
    quotient. Gradients are kept between steps. None if the saved bytes could not be measured.
    """
    if graph.saved_bytes is None:
        return None
    owners = [layer for layer in graph.layers if layer.trainable_params]
    states = sum(layer.params_bytes * layer.trainable_params // layer.params for layer in owners)
    largest = [prod(shape) * layer.params_bytes // layer.params for layer in owners for _, shape in layer.parameters]
    params = sum(layer.params_bytes for layer in graph.layers)
    return params + 3 * states + max(graph.saved_bytes, *_in_backward(graph), 2 * max([0, *largest]))


def _in_backward(graph: Graph) -> Iterator[int]:
    """Bytes in use during the backward of each call: those saved up to it, and those of the backward itself.

    The saved bytes of a layer are spread evenly over the calls inside it.
    """
    grown = [0.0] * (len(graph.nodes) + 1)
    for layer in graph.layers:
        calls = [call for call in graph.calls_of(layer.name) if call.stop > call.start]
        nodes = sum(call.stop - call.start for call in calls)
        for call in calls if layer.saved_bytes else ():
            for id in range(call.start, call.stop):
                grown[id] += (layer.saved_bytes or 0) / nodes
    saved = 0.0
    for node, more in zip(graph.nodes, grown, strict=False):
        saved += more
        if node.inputs and node.outputs:
            yield round(saved) + backward_bytes(node, graph.tensor(node.inputs[0]), node.outputs[0])


def backward_bytes(node: Node, x: Tensor, out: Tensor) -> int:
    """Bytes that the backward of a convolution or linear layer needs, besides the saved ones.

    Linear: ``in + weight + out``, the gradients of all three. Convolution: ``in + out`` for the gradients of the maps,
    and ``max(in + weight + out, 2 weight)`` for copies in the layout of the CPU backend, or for the weight's gradient
    in both layouts. Found by experiment, see ``docs/costs.md``.
    """
    attrs = node.attrs
    if node.op == "linear" and "out_features" in attrs:
        weights = int(attrs["in_features"]) * int(attrs["out_features"])
        return x.nbytes + weights * x.itemsize + out.nbytes
    if node.op not in ops.ALL_CONVS or "kernel_size" not in attrs:
        return 0
    weights = int(attrs["in_channels"]) * int(attrs["out_channels"]) // max(int(attrs["groups"]), 1)
    weight = weights * int(prod(attrs["kernel_size"])) * x.itemsize
    return x.nbytes + out.nbytes + max(x.nbytes + weight + out.nbytes, 2 * weight)
