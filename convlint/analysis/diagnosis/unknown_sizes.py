"""Sizes that an operation that failed leaves unknown, and the failures that only follow from them.

After ``add`` of 20x20 and 40x40 there is no map, so its size says nothing about the layers after it. Where two numbers
of channels met, either may be the right one: a layer that fits one of them did not fail for a reason of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from convlint.analysis import ops
from convlint.analysis.diagnosis.variables import grouped_dims
from convlint.ir import Graph, Node, Shape, Tensor
from convlint.support.dataclass import replace

Possible = frozenset[int] | None
"""The sizes that a dimension may have; None for any size."""
Unknown = Mapping[int, Possible]
"""The unknown sizes of a tensor, by dimension counted from the front."""


def without_consequences(graph: Graph) -> Graph:
    """The graph without the errors of calls that failed because of a size that an earlier failure left unknown."""
    if not any(node.error for node in graph.nodes):
        return graph
    following = graph.derived(UnknownSizes).following
    if not following:
        return graph
    nodes = [replace(node, error=None) if node.id in following else node for node in graph.nodes]
    return replace(graph, nodes=tuple(nodes))


class UnknownSizes:
    """The unknown sizes of the tensors of a graph; ``following`` are the ids of the calls that fail due to them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._by_tensor: dict[int, Unknown] = {}
        self.following: set[int] = set()
        for node in graph.nodes:
            if node.error is None and not any(id in self._by_tensor for id in node.inputs):
                continue
            inputs = [graph.tensor(id) for id in node.inputs]
            unknown = [self.of(tensor) for tensor in inputs]
            if node.error is not None and any(unknown) and _depends(node, inputs, unknown):
                self.following.add(node.id)
            for tensor in node.outputs:
                after = dict(_after(node, inputs, unknown, tensor))
                if node.error is not None:
                    after.update(_left_unknown(node, inputs, tensor))
                if after:
                    self._by_tensor[tensor.id] = after

    def of(self, tensor: Tensor) -> Unknown:
        """The unknown sizes of a tensor."""
        return self._by_tensor.get(tensor.id, {})


def window_exceeds(node: Node, shape: Shape) -> bool:
    """Check whether the kernel of a convolution or pool is larger than its padded input."""
    kernel = node.attrs.get("kernel_size")
    if not isinstance(kernel, tuple) or len(shape) < len(kernel) or node.op not in ops.CONVS | ops.WINDOW_POOLS:
        return False
    padding = node.attrs.get("padding", 0)
    if padding == "same":
        return False
    around = padding if isinstance(padding, tuple) else (0,) * len(kernel)
    dilation = node.attrs.get("dilation") or (1,) * len(kernel)
    sizes = zip(shape[-len(kernel) :], kernel, around, dilation, strict=False)
    return any(ops.kernel_extent(k, d) > size + 2 * pad for size, k, pad, d in sizes)


# --- what a failing call leaves unknown


def _left_unknown(node: Node, inputs: Sequence[Tensor], after: Tensor) -> Iterator[tuple[int, Possible]]:
    """The sizes of an output that a failing call does not determine: others are declared by its arguments."""
    rank = len(after.shape)
    if node.op in ops.ELEMENTWISE | {"cat", "stack"}:
        yield from _differing(node, inputs, rank)
    elif node.op in ops.ALL_CONVS | ops.WINDOW_POOLS:
        if window_exceeds(node, inputs[0].shape if inputs else ()):
            yield from ((dim, None) for dim in range(rank - ops.spatial_dims(node.op), rank))
    elif node.op in ops.FLATTENING:
        shape = node.attrs.get("shape", ())
        yield from ((at, None) for at, size in enumerate(shape) if size == -1 and 0 < at < rank)
    elif node.op not in _DECLARING:
        yield from ((dim, None) for dim in range(1, rank))


_DECLARING = ops.PROJECTIONS | ops.NORMS | ops.PIXEL_SHUFFLES | {"prelu", "matmul", "bmm", "mm"}
"""Calls whose arguments determine the output, or that keep the shape."""


def _differing(node: Node, inputs: Sequence[Tensor], rank: int) -> Iterator[tuple[int, Possible]]:
    """The dimensions in which operands differ, each with their sizes."""
    if node.op not in ops.ELEMENTWISE and len({len(tensor.shape) for tensor in inputs}) > 1:
        yield from ((dim, None) for dim in range(rank))
        return
    along = node.attrs.get("dim", 0) if node.op == "cat" else None
    for dim in range(-rank, 0):
        if along is not None and isinstance(along, int) and (along == dim or along == dim + rank):
            continue
        sizes = {tensor.shape[dim] for tensor in inputs if -dim <= len(tensor.shape)}
        if node.op in ops.ELEMENTWISE:
            sizes.discard(1)
        if len(sizes) > 1:
            yield dim + rank, frozenset(sizes)


# --- how unknown sizes pass through a call


def _after(
    node: Node, inputs: Sequence[Tensor], unknown: Sequence[Unknown], after: Tensor
) -> Iterator[tuple[int, Possible]]:
    """The sizes of an output that depend on unknown sizes of the inputs."""
    if not any(unknown):
        return
    before, first, rank = inputs[0], unknown[0], len(after.shape)
    if node.op in ops.ALL_CONVS:
        channels = rank - ops.spatial_dims(node.op) - 1
        yield from ((dim, possible if dim < channels else None) for dim, possible in first.items() if dim != channels)
    elif node.op == "linear":
        yield from ((dim, possible) for dim, possible in first.items() if dim != rank - 1)
    elif node.op in ops.ADAPTIVE_POOLS:
        fixed = range(rank - ops.spatial_dims(node.op), rank)
        yield from ((dim, possible) for dim, possible in first.items() if dim not in fixed)
    elif node.op in ops.ELEMENTWISE or node.op == "cat":
        yield from _merged(node, inputs, unknown, rank)
    elif node.op in _RESHAPING:
        yield from _reshaped(before, first, after)
    elif node.op in ops.TRANSPOSES and (order := _order(node, rank)):
        yield from ((place, first[origin]) for place, origin in enumerate(order) if origin in first)
    elif node.op in ops.REDUCTIONS | ops.OTHER_REDUCTIONS:
        yield from _reduced(node, first, len(before.shape), rank)
    elif len(inputs) == 1 and len(before.shape) == rank:
        kept = before.shape == after.shape
        yield from ((dim, possible if kept else None) for dim, possible in first.items())
    else:
        yield from ((dim, None) for dim in range(rank))


_RESHAPING = frozenset({"flatten", "reshape", "unflatten", "squeeze", "unsqueeze"})


def _merged(
    node: Node, inputs: Sequence[Tensor], unknown: Sequence[Unknown], rank: int
) -> Iterator[tuple[int, Possible]]:
    """A size is known if any operand that is not broadcast has a known one, and no other one of two sizes that met
    before; along a ``cat``, if all have.
    """
    along = node.attrs.get("dim", 0) if node.op == "cat" else None
    for dim in range(-rank, 0):
        every = [(t, u) for t, u in zip(inputs, unknown, strict=True) if -dim <= len(t.shape)]
        possible = [u[dim + len(t.shape)] for t, u in every if dim + len(t.shape) in u]
        if not possible:
            continue
        known = [t for t, u in every if dim + len(t.shape) not in u and t.shape[dim] != 1]
        if isinstance(along, int) and along in (dim, dim + rank):
            yield dim + rank, None
        elif chosen := [sizes for sizes in possible if sizes is not None]:
            # With the other of two sizes this merge fails as well.
            yield dim + rank, frozenset().union(*chosen, [tensor.shape[dim] for tensor in known])
        elif not known:
            yield dim + rank, None


def _reshaped(before: Tensor, first: Unknown, after: Tensor) -> Iterator[tuple[int, Possible]]:
    """A size is unknown if it is made of an unknown one; the possible sizes of one are multiplied by the others."""
    covered: set[int] = set()
    read: set[int] = set()
    groups = grouped_dims(before.shape, after.shape)
    for into, out in groups:
        covered.update(out)
        read.update(into)
    if not read.issuperset(first):  # sizes of 1 belong to no group
        yield from ((dim, None) for dim in range(1, len(after.shape)))
        return
    for into, out in groups:
        of = [dim for dim in into if dim in first]
        changing = [dim for dim in out if after.shape[dim] != 1]
        if not of:
            continue
        possible = first[of[0]]
        if len(of) == 1 and len(changing) == 1 and possible is not None:
            others = prod(before.shape[dim] for dim in into if dim != of[0])
            yield changing[0], frozenset(size * others for size in possible)
        else:
            yield from ((dim, None) for dim in changing or out)
    yield from ((dim, None) for dim in range(len(after.shape)) if dim not in covered)


def _order(node: Node, rank: int) -> list[int]:
    """The old dimensions in their new order; empty if unknown."""
    dims = node.attrs.get("dims")
    order = list(dims) if isinstance(dims, tuple) else list(range(rank))
    swapped = [node.attrs.get(name) for name in (("dim0", "dim1") if "dim0" in node.attrs else ("axis0", "axis1"))]
    if dims is None:
        first, second = swapped
        if not (isinstance(first, int) and isinstance(second, int)) or not rank:
            return []
        order[first % rank], order[second % rank] = order[second % rank], order[first % rank]
    return [dim % rank for dim in order] if len(order) == rank and all(isinstance(d, int) for d in order) else []


def _reduced(node: Node, first: Unknown, rank: int, rank_after: int) -> Iterator[tuple[int, Possible]]:
    dims = node.attrs.get("dim")
    named = dims if isinstance(dims, tuple | list) else (dims,)
    if not rank or not all(isinstance(dim, int) for dim in named):
        return  # reduced to a number
    gone = {dim % rank for dim in named}
    rest = [dim for dim in range(rank) if rank_after == rank or dim not in gone]
    for place, dim in enumerate(rest):
        if dim not in gone and dim in first:
            yield place, first[dim]


# --- failures that follow


def _depends(node: Node, inputs: Sequence[Tensor], unknown: Sequence[Unknown]) -> bool:
    """Check whether a failing call might work if the unknown sizes of its inputs were other ones."""
    shape, first = inputs[0].shape, unknown[0]
    rank = len(shape)
    attrs = node.attrs
    wanted: list[tuple[int, object]] = []
    if node.op in ops.ALL_CONVS:
        wanted = [(rank - ops.spatial_dims(node.op) - 1, attrs.get("in_channels"))]
    elif node.op == "linear":
        wanted = [(rank - 1, attrs.get("in_features"))]
    elif node.op in ops.CHANNEL_NORMS and "num_features" in attrs:
        wanted = [(1, attrs["num_features"])]
    elif node.op in ops.ELEMENTWISE or node.op == "cat":
        differing = dict(_differing(node, inputs, max(len(tensor.shape) for tensor in inputs)))
        return all(_is_unknown(dim, inputs, unknown) for dim in differing)
    for dim, number in wanted:
        if 0 <= dim < rank and shape[dim] != number:
            possible = first.get(dim, frozenset())
            return possible is None or number in possible
    return any(unknown)


def _is_unknown(dim: int, inputs: Sequence[Tensor], unknown: Sequence[Unknown]) -> bool:
    rank = max(len(tensor.shape) for tensor in inputs)
    return any(dim - rank + len(t.shape) in u for t, u in zip(inputs, unknown, strict=True))
