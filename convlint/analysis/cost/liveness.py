"""Memory during an inference, estimated from the graph: which tensors are alive at which call.

The peak of the whole inference is measured (``Graph.peak_inference_bytes``); the estimate shows where it occurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import prod

from convlint.analysis import ops
from convlint.ir import Graph, Node, Tensor
from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bytes in use while each node of a graph runs, in the order of the nodes.

    ``held`` is in use all the time: parameters and running statistics. ``live`` are the tensors of the forward, with
    the inputs and the node's own outputs; ``workspace`` is temporary memory of a convolution, besides its output.
    """

    held: int
    live: tuple[int, ...]
    workspace: tuple[int, ...]

    @property
    def total(self) -> tuple[int, ...]:
        return tuple([self.held + live + more for live, more in zip(self.live, self.workspace, strict=True)])

    @property
    def peak(self) -> int:
        """The id of the first node with the most bytes in use. Raises ValueError without nodes."""
        return max(range(len(self.live)), key=lambda n: self.live[n] + self.workspace[n])


def timeline(graph: Graph) -> Timeline:
    """Estimate the memory over the nodes of a forward.

    A tensor is alive from the call that outputs it to the last call that reads it, and until every module that was
    called with it returns. The caller keeps the inputs alive. Views and results of in-place calls share the memory of
    their input; ``reshape`` and ``contiguous`` copy after a transpose. Of buffers, only running statistics are known.
    Variables of the user's functions may keep tensors alive longer, so the result is a lower bound in that respect.
    """
    born: dict[int, int] = {}  # by storage, named by its first tensor
    last: dict[int, int] = {}
    size: dict[int, int] = {}
    storage = _storages(graph)
    for node in graph.nodes:
        for tensor in node.outputs:
            if (owner := storage[tensor.id]) is not None:
                size.setdefault(owner, tensor.nbytes)
                born.setdefault(owner, node.id)
                last[owner] = node.id
        for id in node.inputs:
            if (owner := storage[id]) is not None:
                last[owner] = node.id
    for call in graph.calls:
        for id in call.inputs:
            if (owner := storage[id]) is not None:
                last[owner] = max(last[owner], call.stop - 1)
    for node in graph.nodes:
        if node.op in _ALWAYS_ALIVE:
            for tensor in node.outputs:
                born[tensor.id], last[tensor.id] = 0, len(graph.nodes) - 1
    changes = [0] * (len(graph.nodes) + 1)
    for owner, bytes in size.items():
        changes[born[owner]] += bytes
        changes[last[owner] + 1] -= bytes
    return Timeline(
        held=sum(layer.params_bytes for layer in graph.layers) + sum(_running_statistics(graph)),
        live=tuple(accumulate(changes[:-1])),
        workspace=tuple([_workspace(graph, node) for node in graph.nodes]),
    )


_ALWAYS_ALIVE = frozenset({"input", "constant"})
_TRANSPOSES = ops.TRANSPOSES | {"movedim", "moveaxis", "t"}
_PARTS = frozenset({"chunk", "split", "tensor_split", "getitem", "narrow", "expand"})
_VIEWS = frozenset(
    {"squeeze", "unsqueeze", "select", "unbind", "unflatten", "detach", "view_as", "expand_as", "to"}
    | ops.DROPOUTS  # in eval mode
)
_VIEWS_IF_CONTIGUOUS = ops.FLATTENING | {"contiguous"}


def _storages(graph: Graph) -> dict[int, int | None]:
    """The storage of each tensor, named by its first tensor; None for parameters, which are counted separately."""
    storages: dict[int, int | None] = {}
    strided: set[int] = set()  # tensors that are not contiguous
    for node in graph.nodes:
        first = node.inputs[0] if node.inputs else None
        for tensor in node.outputs:
            shares = first is not None and (
                node.op in _TRANSPOSES | _PARTS | _VIEWS
                or bool(node.attrs.get("inplace"))
                or (node.op in _VIEWS_IF_CONTIGUOUS and first not in strided)
            )
            if node.op == "parameter":
                storages[tensor.id] = None
            elif shares and first is not None:
                storages[tensor.id] = storages[first]
                if first in strided or node.op in _TRANSPOSES | _PARTS:
                    strided.add(tensor.id)
            else:
                storages[tensor.id] = tensor.id
    return storages


def _running_statistics(graph: Graph) -> Iterator[int]:
    for layer in graph.layers:
        if layer.attrs.get("track_running_stats") is True and "num_features" in layer.attrs:
            yield 2 * 4 * int(layer.attrs["num_features"])


def _workspace(graph: Graph, node: Node) -> int:
    """Temporary bytes of a convolution: see "The workspace of a convolution" in ``docs/costs.md``.

    ``max(in + weight + out, 2 out) - out`` for copies in the layout of the CPU backend, with channels rounded up to
    eight (AVX2 vectors); an input of up to three channels is not copied. On one thread a dense 1x1 convolution of
    stride 1 needs no copies. A small dense convolution, or one in double precision, unfolds its input:
    ``N * C * prod(kernel) * output positions``.
    """
    if node.op not in ops.ALL_CONVS or "kernel_size" not in node.attrs or not node.outputs:
        return 0
    attrs, x, out = node.attrs, graph.tensor(node.inputs[0]), node.outputs[0]
    groups, kernel = max(int(attrs["groups"]), 1), int(prod(attrs["kernel_size"]))
    plain = groups == prod(attrs["stride"]) == prod(attrs["dilation"]) == 1
    if plain and kernel == 1:
        return 0
    if (plain and x.numel <= _SMALL and max(attrs["kernel_size"]) <= 3) or x.dtype == "float64":
        return x.nbytes // prod(_positions(x)) * kernel * prod(_positions(out))
    input_copy, output_copy = 0 if _channels(x) < 4 else _blocked(x), _blocked(out)
    weights = int(attrs["in_channels"]) * int(attrs["out_channels"]) // groups
    all_copies = input_copy + weights * kernel * x.itemsize + output_copy
    return max(all_copies, output_copy + out.nbytes) - out.nbytes


_SMALL = 20480  # elements; up to this size PyTorch convolves dense inputs itself


def _positions(x: Tensor) -> tuple[int, ...]:
    """Spatial sizes, at least 1 each because the product is a divisor."""
    return tuple([max(size, 1) for size in x.shape[2:]])


def _blocked(x: Tensor) -> int:
    channels = _channels(x)
    return x.nbytes // max(channels, 1) * (-(-channels // 8) * 8)


def _channels(x: Tensor) -> int:
    return x.shape[1] if len(x.shape) > 1 else 1
