"""Padding: ``F.pad`` and the layers that pad."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Shape, Tensor, Value, as_number, has_more
from convlint.static.torch_shapes.arguments import Attrs, fresh_sizes, is_sequence, size, sizes
from convlint.static.torch_shapes.registry import layer, operation
from convlint.static.torch_shapes.sizes import below, plain, shape_of, shape_of_rank, show

_MODES = ("constant", "reflect", "replicate", "circular")


def pad_tensor(run: Execution, x: Tensor, padding: tuple[Num, ...], mode: Value) -> Tensor:
    """Record a padding of ``x``: pairs of numbers, those of the last dimension first."""
    count = len(padding) // 2
    shape = shape_of(run, x) if mode == "constant" else shape_of_rank(run, x, count + 2)
    attrs = {"pad": padding, "mode": mode}
    if shape is None:
        return run.emit("pad", [x], [None], attrs)[0]
    error = _error(shape, padding, mode)
    if count > len(shape) or len(padding) % 2:
        return run.emit("pad", [x], [shape], attrs, error)[0]
    result = list(shape)
    for position, left, right in _sides(padding):
        result[position] = plain(result[position] + left + right)
    if error is not None:
        result = [1 if below(size, 1) else size for size in result]
    return run.emit("pad", [x], [tuple(result)], attrs, error)[0]


def _sides(padding: tuple[Num, ...]) -> Iterator[tuple[int, Num, Num]]:
    """Yield each padded dimension, counted from the end, with the padding of its two sides."""
    for pair in range(len(padding) // 2):
        yield -1 - pair, padding[2 * pair], padding[2 * pair + 1]


def _error(shape: Shape, padding: tuple[Num, ...], mode: Value) -> str | None:
    count = len(padding) // 2
    if len(padding) % 2:
        return "Padding length must be divisible by 2"
    if count > len(shape):
        return (
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(padding)} and input of dimension {len(shape)}"
        )
    if mode not in _MODES:
        return f"Unrecognised padding mode {mode}" if type(mode) is str else None
    if mode != "constant" and (count > 3 or len(shape) not in (count + 1, count + 2)):
        return "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
    padded: list[Num] = []
    for position, left, right in _sides(padding):
        size = shape[position]
        text = f"({left}, {right}) at dimension {len(shape) + position} of input {show(shape)}"
        padded.append(plain(size + left + right))
        if below(padded[-1], 0):
            return f"Padding size {text} results in an output that is too small"
        for side in (left, right):
            if mode == "reflect" and below(plain(size - side), 1):
                return f"Padding size should be less than the corresponding input dimension, but got: padding {text}"
            if mode == "circular" and below(plain(size - side), 0):
                return f"Padding value causes wrapping around more than once: padding {text}"
    if mode in ("reflect", "replicate") and all(below(size, 1) for size in padded):
        return f"input {show(shape)} is too small: the padded output is {show(padded[::-1])}"
    return None


@operation("F.pad", signature="input, pad, mode='constant', value=None")
def _pad(run: Execution, input: Tensor, pad: Value, mode: Value) -> Value:
    if not is_sequence(pad) or has_more(pad):
        shape = shape_of(run, input)
        return run.emit("pad", [input], [None if shape is None else fresh_sizes(run, len(shape))], {"mode": mode})[0]
    return pad_tensor(run, input, tuple([size(run, item, "padding") for item in pad]), mode)


# --- layers


def _construct(run: Execution, padding: Value, spatial: int, arguments: Attrs) -> Attrs:
    if as_number(padding) is None and is_sequence(padding) and len(padding) != 2 * spatial:
        pairs = tuple([size(run, item, "padding") for item in padding])
    else:
        pairs = sizes(run, padding, 2 * spatial, "padding")
    return {"padding": pairs} | ({"value": arguments["value"]} if "value" in arguments else {})


def _forward(run: Execution, layer: Instance, input: Tensor, mode: str) -> Value:
    padding = layer.attrs["padding"]
    if shape_of(run, input) is None:  # the usual input of a padding layer is a batch of images
        run.require_rank(input, len(padding) // 2 + 2)
    return pad_tensor(run, input, padding, mode)


for _n in (1, 2, 3):
    for _name, _mode, _signature in (
        ("ZeroPad", "constant", "padding"),
        ("ConstantPad", "constant", "padding, value"),
        ("ReflectionPad", "reflect", "padding"),
        ("ReplicationPad", "replicate", "padding"),
        ("CircularPad", "circular", "padding"),
    ):
        layer(f"{_name}{_n}d", _signature, _forward, _construct, mode=_mode, spatial=_n)
