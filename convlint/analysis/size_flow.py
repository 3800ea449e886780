"""The shapes of a graph recomputed for other input sizes, or with other arguments of some layers.

A size of None is unknown: a call that is not modeled, or a number that the program may have computed from a size. It
fits everything, and ``Flow.is_certain`` is False then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import floor, prod
from typing import Any

from convlint.analysis import ops
from convlint.ir import Graph, Node, Shape
from convlint.support.dataclass import dataclass, field

Sizes = tuple[int | None, ...]
Changes = Mapping[int, Mapping[str, Any]]
"""Other attributes of calls, by the id of the node."""


@dataclass
class Flow:
    """The recomputed shapes by tensor, and the ids of the calls that fail."""

    shapes: dict[int, Sizes] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    is_certain: bool = True


class _Fails(Exception):  # noqa: N818 - an outcome of the call
    """PyTorch would raise; ``shape`` is what the program declares instead."""


def flow(graph: Graph, inputs: Mapping[int, Shape], changes: Changes | None = None) -> Flow:
    """Recompute the shapes of a graph.

    Args:
        graph: the graph.
        inputs: other shapes of tensors that no call computes.
        changes: other attributes of calls.
    """
    result = Flow()
    changed = changes or {}
    for node in graph.nodes:
        before = [result.shapes[id] for id in node.inputs]
        same = node.id not in changed and all(
            shape == graph.tensor(id).shape for shape, id in zip(before, node.inputs, strict=True)
        )
        outputs: Sequence[Sizes]
        if not node.inputs:
            outputs = [inputs.get(tensor.id, tensor.shape) for tensor in node.outputs]
        elif same and node.error is None:
            outputs = [tensor.shape for tensor in node.outputs]
        else:
            try:
                outputs = _outputs(graph, node, {**node.attrs, **changed.get(node.id, {})}, before, result)
            except _Fails:
                result.failed.append(node.id)
                outputs = [(None,) * len(tensor.shape) for tensor in node.outputs]
        for tensor, shape in zip(node.outputs, outputs, strict=True):
            result.shapes[tensor.id] = shape
            result.is_certain &= None not in shape or node.id in result.failed
    return result


def _outputs(graph: Graph, node: Node, attrs: Mapping[str, Any], before: list[Sizes], so_far: Flow) -> Sequence[Sizes]:
    op = node.op
    if op in ops.ELEMENTWISE:
        return [_broadcast(before)]
    if op == "cat":
        return [_concatenated(attrs, before)]
    if op == "stack":
        return [_stacked(attrs, before)]
    if op in _SHAPES:
        return [_SHAPES[op](attrs, before[0])]
    if op == "interpolate":
        return [_interpolated(graph, node, attrs, before[0], so_far)]
    if node.error is not None:
        raise _Fails  # whatever makes it fail is not modeled
    return [_similar(graph, node, before, tensor.shape) for tensor in node.outputs]


def _similar(graph: Graph, node: Node, before: list[Sizes], after: Shape) -> Sizes:
    """The output of a call that is not modeled: sizes that are those of its only input stay so."""
    old = graph.tensor(node.inputs[0]).shape
    if len(before) > 1 or len(old) != len(after):
        return (None,) * len(after)
    return tuple([new if was == size else None for was, new, size in zip(old, before[0], after, strict=True)])


# --- windows


def _windowed(attrs: Mapping[str, Any], shape: Sizes, transposed: bool) -> Sizes:
    kernel = attrs["kernel_size"]
    count = len(kernel)
    if len(shape) <= count:
        raise _Fails
    padding = attrs.get("padding", 0)
    if padding == "same":
        return shape[-count:]
    pads = padding if isinstance(padding, tuple) else (0,) * count
    one = (1,) * count
    stride, dilation = attrs.get("stride") or one, attrs.get("dilation") or one
    extra = attrs.get("output_padding") or (0,) * count
    sizes: list[int | None] = []
    for size, k, s, p, d, e in zip(shape[-count:], kernel, stride, pads, dilation, extra, strict=True):
        if size is None:
            sizes.append(None)
        elif transposed:
            sizes.append(ops.transposed_output_size(size, k, s, p, d, e))
        else:
            sizes.append(_positions(size, k, s, p, d, attrs.get("ceil_mode") is True))
        if sizes[-1] is not None and sizes[-1] < 1:
            raise _Fails
    return tuple(sizes)


def _positions(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    if stride < 1:
        raise _Fails
    if not ceil:
        return ops.output_size(size, kernel, stride, padding, dilation)
    count = -((ops.kernel_extent(kernel, dilation) - size - 2 * padding) // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _convolution(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    count = len(attrs["kernel_size"])
    if len(shape) <= count or not _fits(shape[-count - 1], attrs.get("in_channels")):
        raise _Fails
    sizes = _windowed(attrs, shape, attrs.get("transposed") is True)
    return (*shape[: -count - 1], attrs.get("out_channels"), *sizes)


def _pool(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    return (*shape[: -len(attrs["kernel_size"])], *_windowed(attrs, shape, False))


def _adaptive(spatial: int) -> Callable[[Mapping[str, Any], Sizes], Sizes]:
    def pooled(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
        size = attrs.get("output_size")
        wanted = size if isinstance(size, tuple) else (size,) * spatial
        if len(shape) <= spatial or len(wanted) != spatial:
            raise _Fails
        kept = zip(wanted, shape[-spatial:], strict=True)
        return (*shape[:-spatial], *[old if new is None else new for new, old in kept])

    return pooled


# --- joined tensors


def _broadcast(shapes: list[Sizes]) -> Sizes:
    rank = max(map(len, shapes))
    result: list[int | None] = []
    for dim in range(-rank, 0):
        sizes = {shape[dim] for shape in shapes if -dim <= len(shape)} - {1}
        known = sizes - {None}
        if len(known) > 1:
            raise _Fails
        result.append(next(iter(known), None) if sizes else 1)
    return tuple(result)


def _concatenated(attrs: Mapping[str, Any], shapes: list[Sizes]) -> Sizes:
    rank, along = len(shapes[0]), attrs.get("dim", 0)
    if not isinstance(along, int) or any(len(shape) != rank for shape in shapes):
        raise _Fails
    along %= rank
    result: list[int | None] = []
    for dim in range(rank):
        sizes = [shape[dim] for shape in shapes]
        known = [size for size in sizes if size is not None]
        if dim == along:
            result.append(sum(known) if len(known) == len(sizes) else None)
        elif len(set(known)) > 1:
            raise _Fails
        else:
            result.append(known[0] if known else None)
    return tuple(result)


def _stacked(attrs: Mapping[str, Any], shapes: list[Sizes]) -> Sizes:
    along = attrs.get("dim", 0)
    if not isinstance(along, int) or any(len(shape) != len(shapes[0]) for shape in shapes):
        raise _Fails
    joined = _concatenated({"dim": len(shapes[0])}, [(*shape, 1) for shape in shapes])
    at = along % len(joined)
    return (*joined[:at], len(shapes), *joined[at:-1])


# --- reshaping


def _flatten(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    start, end = attrs.get("start_dim", 0) % len(shape), attrs.get("end_dim", -1) % len(shape)
    return (*shape[:start], _product(shape[start : end + 1]), *shape[end + 1 :])


def _product(sizes: Sizes) -> int | None:
    known = [size for size in sizes if size is not None]
    return prod(known) if len(known) == len(sizes) else None


def _reshape(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    """The written sizes may be computed from others: where they do not fit, the result is unknown."""
    wanted, total = attrs.get("shape", ()), _product(shape)
    known = prod([size for size in wanted if size != -1])
    if total is None or not known or total % known or (-1 not in wanted and total != known):
        return (None,) * len(wanted)
    return tuple([total // known if size == -1 else size for size in wanted])


def _linear(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    if not shape or not _fits(shape[-1], attrs.get("in_features")):
        raise _Fails
    return (*shape[:-1], attrs.get("out_features"))


def _fits(size: int | None, declared: Any) -> bool:
    return size is None or declared is None or size == declared


def _reduced(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    dims, rank = attrs.get("dim"), len(shape)
    named = dims if isinstance(dims, tuple | list) else (dims,)
    if not all(isinstance(dim, int) for dim in named):
        return ()
    gone = {dim % rank for dim in named}
    if attrs.get("keepdim") is True:
        return tuple([1 if at in gone else size for at, size in enumerate(shape)])
    return tuple([size for at, size in enumerate(shape) if at not in gone])


def _permuted(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    dims = attrs.get("dims")
    if isinstance(dims, tuple) and len(dims) == len(shape):
        return tuple([shape[dim] for dim in dims])
    first, second = attrs.get("dim0", attrs.get("axis0")), attrs.get("dim1", attrs.get("axis1"))
    if not (isinstance(first, int) and isinstance(second, int)):
        return (None,) * len(shape)
    order = list(shape)
    order[first], order[second] = shape[second], shape[first]
    return tuple(order)


def _padded(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    pad = attrs.get("pad", ())
    sizes = list(shape)
    for back in range(len(pad) // 2):
        size = sizes[-1 - back]
        sizes[-1 - back] = None if size is None else size + pad[2 * back] + pad[2 * back + 1]
    return tuple(sizes)


def _interpolated(graph: Graph, node: Node, attrs: Mapping[str, Any], shape: Sizes, so_far: Flow) -> Sizes:
    spatial = len(shape) - 2
    size, factor = attrs.get("size"), attrs.get("scale_factor")
    factors: tuple[Any, ...]
    if size is not None:
        sizes = size if isinstance(size, tuple) else (size,) * spatial
        # The size of another map, most likely: it is followed.
        for before in reversed(graph.nodes[: node.id]):
            for tensor in before.outputs:
                if len(tensor.shape) == len(shape) and tensor.shape[2:] == sizes:
                    return (*shape[:2], *so_far.shapes[tensor.id][2:])
        return (*shape[:2], *sizes)
    factors = factor if isinstance(factor, tuple) else (factor,) * spatial
    if len(factors) != spatial or not all(isinstance(f, int | float) for f in factors):
        return (*shape[:2], *(None,) * spatial)
    return (*shape[:2], *[None if s is None else floor(s * f) for s, f in zip(shape[2:], factors, strict=True)])


def _shuffled(attrs: Mapping[str, Any], shape: Sizes) -> Sizes:
    factor = attrs.get("upscale_factor")
    if not isinstance(factor, int) or len(shape) < 3:
        return (None,) * len(shape)
    *batch, channels, height, width = shape
    if channels is not None and channels % factor**2:
        raise _Fails
    fewer = None if channels is None else channels // factor**2
    larger = [None if size is None else size * factor for size in (height, width)]
    return (*batch, fewer, *larger)


_SAME = ops.ACTIVATIONS | ops.NORMS | ops.COPIES | {"to", "softmax", "log_softmax", "local_response_norm"}

_SHAPES: dict[str, Callable[[Mapping[str, Any], Sizes], Sizes]] = {
    **dict.fromkeys(ops.ALL_CONVS, _convolution),
    **dict.fromkeys(ops.WINDOW_POOLS, _pool),
    **{op: _adaptive(ops.spatial_dims(op)) for op in ops.ADAPTIVE_POOLS},
    **dict.fromkeys(_SAME, lambda _, shape: shape),
    **dict.fromkeys(ops.REDUCTIONS, _reduced),
    **dict.fromkeys(ops.TRANSPOSES, _permuted),
    "flatten": _flatten,
    "reshape": _reshape,
    "linear": _linear,
    "pad": _padded,
    "pixel_shuffle": _shuffled,
}
