"""Taking tensors apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convlint import symbolic
from convlint.static.domain.execution import Execution
from convlint.static.domain.values import LONGEST, UNKNOWN, Num, Shape, Tensor, Value, has_more
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizing import (
    axis,
    below,
    divided,
    frozen,
    loose,
    number,
    out_of_range,
    plain,
    remainder,
    shape_of,
    show,
    size,
    total,
    unseen,
)
from convlint.symbolic import Apply, Dim
from convlint.symbolic.expr import only_atom


def _cut(
    run: Execution,
    op: str,
    x: Tensor,
    at: int,
    lengths: Sequence[Num],
    attrs: dict[str, Any],
    error: str | None = None,
) -> tuple[Tensor, ...]:
    shape = shape_of(run, x) or ()
    shapes = [(*shape[:at], one, *shape[at + 1 :]) for one in lengths]
    return run.emit(op, [x], shapes, attrs, error)


def _even(run: Execution, whole: Num, each: Num) -> list[Num] | None:
    """Lengths of parts of ``each``, the last one shorter; None where their number is not known."""
    if type(whole) is int and type(each) is int:
        if each <= 0 or whole <= 0:
            return [whole]
        if whole // each > LONGEST:
            return None
        return [min(each, whole - start) for start in range(0, whole, each)]
    quotient = only_atom(each) if isinstance(each, Dim) else None
    if isinstance(quotient, Apply) and quotient.op == "//" and quotient.args[0] == whole:
        count = quotient.args[1].value  # split(c // 2): c is taken to be a multiple of 2
        if count is not None and 0 < count <= 64 and run.demand(plain(each * count), whole):
            return [each] * count
    parts = divided(whole, each)
    if type(parts) is int and 0 < parts <= 64 and run.equal(plain(each * parts), whole):
        return [each] * parts
    return None


@operation(*both("split"), ".split_with_sizes", "split_with_sizes")
def _split(
    run: Execution,
    tensor: Value,
    split_size_or_sections: Value = UNKNOWN,
    dim: Value = 0,
    *,
    split_size: Value = None,
) -> Value:
    if type(tensor) is not Tensor:
        return unseen(run, tensor)
    wanted = split_size_or_sections if split_size is None else split_size
    attrs = {"split_size_or_sections": frozen(wanted), "dim": dim}
    shape = shape_of(run, tensor)
    if has_more(wanted):
        return _several_unknown(run, "split", tensor, attrs, None)
    if type(wanted) in (list, tuple):
        return _by_lengths(run, tensor, shape, list(wanted), dim, attrs)
    at = None if shape is None else axis(dim, len(shape))
    each = number(wanted)
    if shape is None or at is None or each is None:
        error = None if shape is None else out_of_range(dim, len(shape))
        return _several_unknown(run, "split", tensor, attrs, error)
    if below(each, 0):
        error = f"split expects split_size be non-negative, but got split_size={each}"
        return _cut(run, "split", tensor, at, [shape[at]], attrs, error)
    if below(each, 1) and run.equal(shape[at], 0) is False:
        error = (
            "split_size can only be 0 if dimension size is 0, but got dimension size of "
            f"{shape[at]}"
        )
        return _cut(run, "split", tensor, at, [shape[at]], attrs, error)
    lengths = _even(run, shape[at], each)
    if lengths is None or len(lengths) > 1024:
        return _several_unknown(run, "split", tensor, attrs, None)
    return _cut(run, "split", tensor, at, lengths, attrs)


def _several_unknown(
    run: Execution, op: str, x: Tensor, attrs: dict[str, Any], error: str | None
) -> Value:
    """The parts of a tensor whose number is not known."""
    run.emit(op, [x], [None], attrs, error)
    return UNKNOWN


def _by_lengths(
    run: Execution,
    x: Tensor,
    shape: Shape | None,
    wanted: list[Value],
    dim: Value,
    attrs: dict[str, Any],
) -> Value:
    lengths = [size(run, one) for one in wanted]
    at = None if shape is None else axis(dim, len(shape))
    if shape is None or at is None:
        if shape is None:
            return run.emit("split", [x], [None] * len(lengths), attrs)
        return run.emit("split", [x], [None] * len(lengths), attrs, out_of_range(dim, len(shape)))
    error = None
    if any(below(one, 0) for one in lengths):
        error = f"split_with_sizes expects split_sizes have only non-negative entries, but got {show(lengths)}"
    elif not run.demand(shape[at], total(lengths)):
        error = (
            f"split_with_sizes expects split_sizes to sum exactly to {shape[at]} (input tensor's "
            f"size at dimension {at}), but got split_sizes={show(lengths)}"
        )
    return _cut(run, "split", x, at, lengths, attrs, error)


@operation(*both("chunk"))
def _chunk(run: Execution, input: Value, chunks: Value, dim: Value = 0) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    attrs = {"chunks": chunks, "dim": dim}
    shape = shape_of(run, input)
    if type(chunks) is not int or chunks > 1024:
        return _several_unknown(run, "chunk", input, attrs, None)
    if chunks < 1:
        told = f"chunk expects `chunks` to be greater than 0, got: {chunks}"
        return _several_unknown(run, "chunk", input, attrs, told)
    at = None if shape is None else axis(dim, len(shape))
    if shape is None or at is None:
        error = None if shape is None else out_of_range(dim, len(shape))
        return run.emit("chunk", [input], [None] * chunks, attrs, error)
    whole = _multiple(run, shape[at], chunks)
    each = divided(plain(whole + chunks - 1), chunks)
    lengths = _even(run, whole, each) if type(whole) is int else None
    if lengths is None:
        if remainder(whole, chunks) == 0:
            each = divided(whole, chunks)
        last = plain(whole - each * (chunks - 1))
        lengths = [each] * (chunks - 1) + [last]
    return _cut(run, "chunk", input, at, lengths, attrs)


def _multiple(run: Execution, whole: Num, parts: int) -> Num:
    """A length of which nothing is known is taken to be a multiple of the parts it is cut into."""
    if isinstance(whole, Dim) and loose(whole) and len(whole.symbols()) == 1:
        (symbol,) = whole.symbols()
        if whole == symbolic.symbol(symbol.name, symbol.scope):
            run.demand(whole, run.fresh("size") * parts)
            return run.reduced(whole)
    return whole


@operation(*both("tensor_split"))
def _tensor_split(
    run: Execution, input: Value, indices_or_sections: Value = UNKNOWN, dim: Value = 0
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    attrs = {"indices_or_sections": frozen(indices_or_sections), "dim": dim}
    shape = shape_of(run, input)
    at = None if shape is None else axis(dim, len(shape))
    parts = indices_or_sections
    if shape is None or at is None or type(parts) is not int or not 0 < parts <= 1024:
        error = None if shape is None else out_of_range(dim, len(shape))
        if type(parts) is int and parts < 1:
            error = f"number of sections must be larger than 0, got {parts}"
        return _several_unknown(run, "tensor_split", input, attrs, error)
    whole = shape[at]
    each, more = divided(whole, parts), remainder(whole, parts)
    if type(more) is int:
        lengths = [plain(each + 1)] * more + [each] * (parts - more)
    else:
        lengths = [run.fresh("size") for _ in range(parts)]
    return _cut(run, "tensor_split", input, at, lengths, attrs)


@operation(*both("unbind"))
def unbind(run: Execution, input: Value, dim: Value = 0) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    at = None if shape is None else axis(dim, len(shape))
    error = None if shape is None else out_of_range(dim, len(shape))
    if shape is not None and not shape:
        error = "Dimension specified as 0 but tensor has no dimensions"
    if shape is None or at is None or error is not None:
        return _several_unknown(run, "unbind", input, {"dim": dim}, error)
    rows = shape[at]
    if type(rows) is not int or rows > 256:
        return _several_unknown(run, "unbind", input, {"dim": dim}, None)
    rest = (*shape[:at], *shape[at + 1 :])
    return run.emit("unbind", [input], [rest] * rows, {"dim": dim})
