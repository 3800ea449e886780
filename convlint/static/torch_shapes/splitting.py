"""Splitting tensors into parts."""

from __future__ import annotations

from collections.abc import Sequence

from convlint import symbolic
from convlint.static.domain.execution import Execution
from convlint.static.domain.values import LONGEST, UNKNOWN, Num, Tensor, Value, as_number, has_more
from convlint.static.torch_shapes.arguments import Attrs, frozen, is_sequence
from convlint.static.torch_shapes.arguments import size as size_of
from convlint.static.torch_shapes.registry import Parameter, both, operation
from convlint.static.torch_shapes.sizes import (
    any_below,
    below,
    divided,
    is_indefinite,
    locate,
    plain,
    remainder,
    replaced,
    shape_of,
    show,
    total,
)
from convlint.symbolic import Apply, Dim
from convlint.symbolic.expr import only_atom

_MOST_PARTS = 1024


def _cut(
    run: Execution, op: str, x: Tensor, position: int, lengths: Sequence[Num], attrs: Attrs, error: str | None = None
) -> tuple[Tensor, ...]:
    """Record the parts of a tensor with ``lengths`` along a dimension."""
    shape = shape_of(run, x) or ()
    return run.emit(op, [x], [replaced(shape, position, length) for length in lengths], attrs, error)


def _unknown_parts(run: Execution, op: str, x: Tensor, attrs: Attrs, error: str | None = None) -> Value:
    """Record a split into an unknown number of parts."""
    run.emit(op, [x], [None], attrs, error)
    return UNKNOWN


# --- split


_SPLIT = {"input": Parameter("tensor"), "wanted": Parameter("split_size_or_sections")}


@operation("split", signature="tensor, split_size_or_sections, dim=0", **_SPLIT)
@operation(".split", signature="input, split_size, dim=0", wanted=Parameter("split_size"))
@operation(*both("split_with_sizes"), signature="input, split_sizes, dim=0", wanted=Parameter("split_sizes"))
def _split(run: Execution, input: Tensor, wanted: Value, dim: Value) -> Value:
    attrs = {"split_size_or_sections": frozen(wanted), "dim": dim}
    if has_more(wanted):
        return _unknown_parts(run, "split", input, attrs)
    if is_sequence(wanted):
        return _split_by_lengths(run, input, list(wanted), dim, attrs)
    shape, position, error = locate(run, input, dim)
    each = as_number(wanted)
    if shape is None or position is None or each is None:
        return _unknown_parts(run, "split", input, attrs, error)
    whole = shape[position]
    if below(each, 0):
        error = f"split expects split_size be non-negative, but got split_size={each}"
        return _cut(run, "split", input, position, [whole], attrs, error)
    if below(each, 1) and run.equal(whole, 0) is False:
        error = f"split_size can only be 0 if dimension size is 0, but got dimension size of {whole}"
        return _cut(run, "split", input, position, [whole], attrs, error)
    lengths = _equal_lengths(run, whole, each)
    if lengths is None or len(lengths) > _MOST_PARTS:
        return _unknown_parts(run, "split", input, attrs)
    return _cut(run, "split", input, position, lengths, attrs)


def _equal_lengths(run: Execution, whole: Num, each: Num) -> list[Num] | None:
    """Return lengths of ``each`` with a shorter last one; None if their number is unknown."""
    if type(whole) is int and type(each) is int:
        if each <= 0 or whole <= 0:
            return [whole]
        if whole // each > LONGEST:
            return None
        return [min(each, whole - start) for start in range(0, whole, each)]
    quotient = only_atom(each) if isinstance(each, Dim) else None
    if isinstance(quotient, Apply) and quotient.op == "//" and quotient.args[0] == whole:
        count = quotient.args[1].value  # split(c // 2): c is assumed to be a multiple of 2
        if count is not None and 0 < count <= 64 and run.demand(plain(each * count), whole):
            return [each] * count
    parts = divided(whole, each)
    if type(parts) is int and 0 < parts <= 64 and run.equal(plain(each * parts), whole):
        return [each] * parts
    return None


def _split_by_lengths(run: Execution, x: Tensor, wanted: list[Value], dim: Value, attrs: Attrs) -> Value:
    lengths = [size_of(run, length) for length in wanted]
    shape, position, error = locate(run, x, dim)
    if shape is None or position is None:
        return run.emit("split", [x], [None] * len(lengths), attrs, error)
    if any_below(lengths, 0):
        error = f"split_with_sizes expects split_sizes have only non-negative entries, but got {show(lengths)}"
    elif not run.demand(shape[position], total(lengths)):
        error = (
            f"split_with_sizes expects split_sizes to sum exactly to {shape[position]} (input "
            f"tensor's size at dimension {position}), but got split_sizes={show(lengths)}"
        )
    return _cut(run, "split", x, position, lengths, attrs, error)


# --- chunk, tensor_split, unbind


@operation(*both("chunk"))
def _chunk(run: Execution, input: Tensor, chunks: Value, dim: Value = 0) -> Value:
    attrs = {"chunks": chunks, "dim": dim}
    if type(chunks) is not int or chunks > _MOST_PARTS:
        return _unknown_parts(run, "chunk", input, attrs)
    if chunks < 1:
        return _unknown_parts(run, "chunk", input, attrs, f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    shape, position, error = locate(run, input, dim)
    if shape is None or position is None:
        return run.emit("chunk", [input], [None] * chunks, attrs, error)
    whole = _as_multiple(run, shape[position], chunks)
    each = divided(plain(whole + chunks - 1), chunks)
    lengths = _equal_lengths(run, whole, each) if type(whole) is int else None
    if lengths is None:
        if remainder(whole, chunks) == 0:
            each = divided(whole, chunks)
        lengths = [each] * (chunks - 1) + [plain(whole - each * (chunks - 1))]
    return _cut(run, "chunk", input, position, lengths, attrs)


def _as_multiple(run: Execution, whole: Num, parts: int) -> Num:
    """Assume that an unknown length is a multiple of the number of its parts."""
    if isinstance(whole, Dim) and is_indefinite(whole) and len(whole.symbols()) == 1:
        (symbol,) = whole.symbols()
        if whole == symbolic.symbol(symbol.name, symbol.scope):
            run.demand(whole, run.fresh("size") * parts)
            return run.reduced(whole)
    return whole


@operation(*both("tensor_split"), signature="input, indices_or_sections=None, dim=0")
def _tensor_split(run: Execution, input: Tensor, indices_or_sections: Value, dim: Value) -> Value:
    attrs = {"indices_or_sections": frozen(indices_or_sections), "dim": dim}
    shape, position, error = locate(run, input, dim)
    parts = indices_or_sections
    if shape is None or position is None or type(parts) is not int or not 0 < parts <= _MOST_PARTS:
        if type(parts) is int and parts < 1:
            error = f"number of sections must be larger than 0, got {parts}"
        return _unknown_parts(run, "tensor_split", input, attrs, error)
    each, rest = divided(shape[position], parts), remainder(shape[position], parts)
    if type(rest) is int:
        lengths = [plain(each + 1)] * rest + [each] * (parts - rest)
    else:
        lengths = [run.fresh("size") for _ in range(parts)]
    return _cut(run, "tensor_split", input, position, lengths, attrs)


@operation(*both("unbind"))
def unbind(run: Execution, input: Tensor, dim: Value = 0) -> Value:
    """Record ``torch.unbind``."""
    attrs = {"dim": dim}
    shape, position, error = locate(run, input, dim)
    if shape is not None and not shape:
        error = "Dimension specified as 0 but tensor has no dimensions"
    if shape is None or position is None or error is not None:
        return _unknown_parts(run, "unbind", input, attrs, error)
    rows = shape[position]
    if type(rows) is not int or rows > 256:
        return _unknown_parts(run, "unbind", input, attrs)
    return run.emit("unbind", [input], [replaced(shape, position)] * rows, attrs)
