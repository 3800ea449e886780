"""Linear maps and products of matrices."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Handler, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.broadcasting import broadcast
from convlint.static.torch_shapes.registry import LAYERS, LayerKind, both, operation
from convlint.static.torch_shapes.sizing import shape_of, show, unseen
from convlint.static.torch_shapes.words import Attrs, count, parameter, present, refuse_sizes


def call(run: Execution, x: Tensor, into: Num, out: Num, bias: Value) -> Tensor:
    """Apply a linear map to the last dimension."""
    attrs = {"in_features": into, "out_features": out, "bias": bias}
    shape = shape_of(run, x)
    if shape is None:
        return run.emit("linear", [x], [None], attrs)[0]
    error = None
    if not shape:
        return run.emit(
            "linear", [x], [(out,)], attrs, "both arguments to linear need to be at least 1D"
        )[0]
    if not run.demand(shape[-1], into):
        error = f"mat1 and mat2 shapes cannot be multiplied ({_flat(shape)}x{shape[-1]} and {into}x{out})"
    return run.emit("linear", [x], [(*shape[:-1], out)], attrs, error)[0]


def _flat(shape: Shape) -> Num:
    rows: Num = 1
    for one in shape[:-1]:
        rows = rows * one
    return rows


@operation("F.linear")
def _linear(run: Execution, input: Value, weight: Value, bias: Value = None) -> Value:
    if type(input) is not Tensor or type(weight) is not Tensor:
        return unseen(run, input, weight)
    form = shape_of(run, weight)
    if form is None or len(form) != 2:
        return unseen(run, input, weight)
    given: Value = bias is not None if bias is None or type(bias) is Tensor else UNKNOWN
    return call(run, input, form[1], form[0], given)


# --- layers


def _construct(
    run: Execution,
    in_features: Value,
    out_features: Value,
    bias: Value = True,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    into = None if in_features is None else count(run, in_features, "features")
    out = count(run, out_features, "features")
    attrs: Attrs = {"in_features": into, "out_features": out}
    attrs["weight"] = None if into is None else run.tensor((out, into))
    attrs["bias"] = parameter(run, bias, (out,))
    refuse_sizes([v for v in (out_features, in_features) if v is not None], attrs)
    return attrs


def _construct_lazy(
    run: Execution,
    out_features: Value,
    bias: Value = True,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    return _construct(run, None, out_features, bias)


def _forward(run: Execution, layer: Instance, input: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    attrs = layer.attrs
    if attrs["in_features"] is None:
        shape = shape_of(run, input)
        into = shape[-1] if shape else run.fresh("features")
        attrs["in_features"] = into
        attrs["weight"] = run.tensor((attrs["out_features"], into))
    weight = attrs["weight"]
    out, into = attrs["out_features"], attrs["in_features"]
    if type(weight) is Tensor and weight.shape is not None and len(weight.shape) == 2:
        out, into = weight.shape
    return call(run, input, into, out, present(attrs["bias"]))


def _construct_bilinear(
    run: Execution,
    in1_features: Value,
    in2_features: Value,
    out_features: Value,
    bias: Value = True,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    one, other = count(run, in1_features, "features"), count(run, in2_features, "features")
    out = count(run, out_features, "features")
    return {
        "in1_features": one,
        "in2_features": other,
        "out_features": out,
        "weight": run.tensor((out, one, other)),
        "bias": parameter(run, bias, (out,)),
    }


def _forward_bilinear(run: Execution, layer: Instance, input1: Value, input2: Value) -> Value:
    if type(input1) is not Tensor or type(input2) is not Tensor:
        return unseen(run, input1, input2)
    shape, other = shape_of(run, input1), shape_of(run, input2)
    attrs, error = layer.attrs, None
    if not shape or not other:
        return run.emit("bilinear", [input1, input2], [None])[0]
    if len(shape) != len(other) or not all(
        run.demand(a, b) for a, b in zip(shape[:-1], other[:-1], strict=True)
    ):
        error = "bilinear(): input dimensions do not match"
    elif not run.demand(shape[-1], attrs["in1_features"]) or not run.demand(
        other[-1], attrs["in2_features"]
    ):
        error = "bilinear(): input size does not match weight size"
    result = (*shape[:-1], attrs["out_features"])
    return run.emit("bilinear", [input1, input2], [result], {}, error)[0]


LAYERS["Linear"] = LAYERS["NonDynamicallyQuantizableLinear"] = LayerKind(_construct, _forward)
LAYERS["LazyLinear"] = LayerKind(_construct_lazy, _forward)
LAYERS["Bilinear"] = LayerKind(_construct_bilinear, _forward_bilinear)


# --- products of matrices


def _multiplied(run: Execution, one: Shape, other: Shape) -> tuple[Shape | None, str | None]:
    """The shape of ``one @ other``, and what PyTorch says if there is none."""
    if not one or not other:
        return None, "both arguments to matmul need to be at least 1D, but they are 0D"
    inner = other[-1] if len(other) == 1 else other[-2]
    error = None
    if not run.demand(one[-1], inner):
        error = (
            f"mat1 and mat2 shapes cannot be multiplied ({_rows(one)} and {_rows(other)})"
            if len(one) <= 2 and len(other) <= 2
            else f"Expected size for first two dimensions of batch2 tensor to fit: {show(one)} and "
            f"{show(other)}"
        )
    batch, apart = broadcast(run, [one[:-2], other[:-2]])
    result = batch or ()
    if len(one) > 1:
        result = (*result, one[-2])
    if len(other) > 1:
        result = (*result, other[-1])
    return result, error or apart


def _rows(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _product(op: str, rank: int | None = None) -> Handler:
    """A product of matrices; with ``rank``, of tensors of that rank only, and without stretching."""

    def handler(run: Execution, input: Value, mat2: Value) -> Value:
        if type(input) is not Tensor or type(mat2) is not Tensor:
            return unseen(run, input, mat2)
        one, other = shape_of(run, input, rank), shape_of(run, mat2, rank)
        if one is None or other is None:
            return run.emit(op, [input, mat2], [None])[0]
        if rank is not None and (len(one) != rank or len(other) != rank):
            told = f"{op}: both arguments must be {rank}D, got {len(one)}D and {len(other)}D"
            return run.emit(op, [input, mat2], [None], {}, told)[0]
        if rank == 3 and not run.demand(one[0], other[0]):
            told = f"Expected size for first dimension of batch2 tensor to be {one[0]}"
            return run.emit(op, [input, mat2], [(one[0], one[1], other[2])], {}, told)[0]
        result, error = _multiplied(run, one, other)
        return run.emit(op, [input, mat2], [result], {}, error)[0]

    return handler


def _matmul(run: Execution, input: Value, other: Value) -> Value:
    return _any(run, input, other)


_any = _product("matmul")
operation(*both("matmul"), ".__matmul__", "linalg.matmul")(_matmul)
operation(*both("bmm"))(_product("bmm", 3))
operation(*both("mm"))(_product("mm", 2))
