"""The memory of one inference over time, estimated from the graph: which tensors are alive at which call.

The peak of a whole inference is measured (``Graph.peak_inference_bytes``); this says where it lies, and what else is
held on the way there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from convlint.analysis import ops
from convlint.ir import Graph, Node, Tensor


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bytes in use while each node of a graph runs, in the order of the nodes.

    ``held`` is in use all the time: parameters, and the running statistics of norms. ``live`` are the tensors of the
    forward, inputs and ``node``'s own outputs among them; ``workspace`` is what a convolution takes beside its output
    while it runs.
    """

    held: int
    live: tuple[int, ...]
    workspace: tuple[int, ...]

    @property
    def total(self) -> tuple[int, ...]:
        """All three together, for each node."""
        pairs = zip(self.live, self.workspace, strict=True)
        return tuple([self.held + live + more for live, more in pairs])

    @property
    def peak(self) -> int:
        """The id of the node at which most is in use, the first of several. Raises ValueError for no nodes."""
        return max(range(len(self.live)), key=lambda n: self.live[n] + self.workspace[n])


def timeline(graph: Graph) -> Timeline:
    """Memory over the nodes of a forward, estimated.

    A tensor is alive from the call that makes it to the last one that reads it, and at least until every module
    returns that was called with it: the call holds its arguments. Inputs are the caller's, and stay. Views and results
    of in-place calls share the memory of what they were made from; a ``reshape`` or ``contiguous`` copies where
    something turned the dimensions around before. Buffers are only known of norms. Names in the user's own functions
    may hold tensors for longer, so the figures are a lower bound as far as that goes.
    """
    born: dict[int, int] = {}  # storages, each named by the tensor that it was made for
    last: dict[int, int] = {}
    size: dict[int, int] = {}
    storage = _storages(graph)
    for node in graph.nodes:
        for tensor in node.outputs:
            if (kept := storage[tensor.id]) is not None:
                size.setdefault(kept, tensor.nbytes)
                born.setdefault(kept, node.id)
                last[kept] = node.id
        for id in node.inputs:
            if (kept := storage[id]) is not None:
                last[kept] = node.id
    for call in graph.calls:
        for id in call.inputs:
            if (kept := storage[id]) is not None:
                last[kept] = max(last[kept], call.stop - 1)
    for node in graph.nodes:
        if node.op in _GIVEN:
            for tensor in node.outputs:
                born[tensor.id], last[tensor.id] = 0, len(graph.nodes) - 1
    changes = [0] * (len(graph.nodes) + 1)
    for kept, bytes in size.items():
        changes[born[kept]] += bytes
        changes[last[kept] + 1] -= bytes
    return Timeline(
        held=sum(layer.params_bytes for layer in graph.layers) + sum(_running_statistics(graph)),
        live=tuple(accumulate(changes[:-1])),
        workspace=tuple([_workspace(graph, node) for node in graph.nodes]),
    )


_GIVEN = frozenset({"input", "constant"})
_TURNS = ops.TRANSPOSES | {"movedim", "moveaxis", "t"}
_SPLITS = frozenset({"chunk", "split", "tensor_split", "getitem", "narrow", "expand"})
_VIEWS = frozenset(
    {
        "squeeze",
        "unsqueeze",
        "select",
        "unbind",
        "unflatten",
        "detach",
        "view_as",
        "expand_as",
        "to",
    }
    | ops.DROPOUTS  # in eval mode
)
_IF_IN_ORDER = ops.FLATTENING | {"contiguous"}


def _storages(graph: Graph) -> dict[int, int | None]:
    """The tensor whose memory each tensor lies in; None for parameters, which are counted apart."""
    found: dict[int, int | None] = {}
    turned: set[int] = set()  # tensors whose values do not lie in the order of their dimensions
    for node in graph.nodes:
        first = node.inputs[0] if node.inputs else None
        for tensor in node.outputs:
            shares = first is not None and (
                node.op in _TURNS | _SPLITS | _VIEWS
                or bool(node.attrs.get("inplace"))
                or (node.op in _IF_IN_ORDER and first not in turned)
            )
            if node.op == "parameter":
                found[tensor.id] = None
            elif shares and first is not None:
                found[tensor.id] = found[first]
                if first in turned or node.op in _TURNS | _SPLITS:
                    turned.add(tensor.id)
            else:
                found[tensor.id] = tensor.id
    return found


def _running_statistics(graph: Graph) -> Iterator[int]:
    """Bytes of mean and variance of each norm that keeps them."""
    for layer in graph.layers:
        if layer.attrs.get("track_running_stats") is True and "num_features" in layer.attrs:
            yield 2 * 4 * int(layer.attrs["num_features"])


def _workspace(graph: Graph, node: Node) -> int:
    """Bytes that a convolution takes beside its output: see "The workspace of a convolution" in ``docs/costs.md``.

    ``max(in + weight + out, 2 out) - out`` for copies in the layout of the CPU backend, channels of the copies rounded
    up to eight (vectors of AVX2); the input of up to three channels is read as it is. On one thread a dense 1x1
    convolution of stride 1 needs no copies. A small dense one, or one in double precision, unfolds its input:
    ``N * C * prod(kernel) * output positions``.
    """
    if node.op not in ops.ALL_CONVS or "kernel_size" not in node.attrs or not node.outputs:
        return 0
    attrs, x, out = node.attrs, graph.tensor(node.inputs[0]), node.outputs[0]
    groups, kernel = max(int(attrs["groups"]), 1), int(prod(attrs["kernel_size"]))
    plain = groups == prod(attrs["stride"]) == prod(attrs["dilation"]) == 1
    if plain and kernel == 1:
        return 0
    small = x.numel <= _SMALL and max(attrs["kernel_size"]) <= 3
    if (small and plain) or x.dtype == "float64":
        return x.nbytes // prod(_positions(x)) * kernel * prod(_positions(out))
    read, made = 0 if _channels(x) < 4 else _blocked(x), _blocked(out)
    weights = int(attrs["in_channels"]) * int(attrs["out_channels"]) // groups
    return max(read + weights * kernel * x.itemsize + made, made + out.nbytes) - out.nbytes


_SMALL = 20480  # elements; PyTorch itself convolves dense inputs up to here


def _positions(x: Tensor) -> tuple[int, ...]:
    """Sizes behind batch and channels; one position for a map of no size, which divides nothing."""
    return tuple([max(size, 1) for size in x.shape[2:]])


def _blocked(x: Tensor) -> int:
    channels = _channels(x)
    return x.nbytes // max(channels, 1) * (-(-channels // 8) * 8)


def _channels(x: Tensor) -> int:
    return x.shape[1] if len(x.shape) > 1 else 1
