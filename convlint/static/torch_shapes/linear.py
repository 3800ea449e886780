"""Linear maps and matrix products."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import (
    Attrs,
    check_parameter_sizes,
    count,
    is_given,
    is_present,
    parameter,
    unknown_result,
)
from convlint.static.torch_shapes.broadcasting import broadcast
from convlint.static.torch_shapes.registry import both, layer, operation
from convlint.static.torch_shapes.sizes import common_factor, is_indefinite, product, shape_of, shape_of_rank, show
from convlint.symbolic import Dim, Symbol

# --- linear


def _apply_linear(run: Execution, x: Tensor, in_features: Num, out_features: Num, bias: Value) -> Tensor:
    """Record a linear map of the last dimension."""
    attrs = {"in_features": in_features, "out_features": out_features, "bias": bias}
    shape = shape_of(run, x)
    last = x.cell.last
    if shape is None and last is not None and run.equal(last, in_features) is False:
        shape = shape_of_rank(run, x, 2)  # it fails whatever the rank is
    if shape is None:
        result = run.emit("linear", [x], [None], attrs)[0]
        result.cell.last = out_features
        return result
    if not shape:
        error: str | None = "both arguments to linear need to be at least 1D"
        return run.emit("linear", [x], [(out_features,)], attrs, error)[0]
    error = None
    if is_of_whole_batch(shape[-1], in_features) or not run.demand(shape[-1], in_features):
        rows = product(shape[:-1])
        error = f"mat1 and mat2 shapes cannot be multiplied ({rows}x{shape[-1]} and {in_features}x{out_features})"
        if is_indefinite(shape[-1]) and not is_of_whole_batch(shape[-1], in_features):
            attrs["multiple_of"] = common_factor(shape[-1])
    return run.emit("linear", [x], [(*shape[:-1], out_features)], attrs, error)[0]


def is_of_whole_batch(size: Num, expected: Num) -> bool:
    """Return whether a size is the expected one times an unknown batch size, so that only a batch of 1 works."""
    if type(size) is not Dim or type(expected) is not int or len(size.terms or ()) != 1:
        return False
    ((monomial, factor),) = size.terms or ()
    if factor != expected or len(monomial) != 1:
        return False
    ((atom, power),) = monomial
    return isinstance(atom, Symbol) and atom.scope == FRESH and power == 1 and atom.name.startswith("batch ")


@operation("F.linear", signature="input, weight, bias=None")
def _linear(run: Execution, input: Tensor, weight: Tensor, bias: Value) -> Value:
    shape = shape_of(run, weight)
    if shape is None or len(shape) != 2:
        return unknown_result(run, input, weight)
    return _apply_linear(run, input, shape[1], shape[0], is_given(bias))


def _construct(run: Execution, in_features: Value, out_features: Value, bias: Value) -> Attrs:
    """Return the attributes of a layer. ``in_features`` is None for a lazy one."""
    inputs = None if in_features is None else count(run, in_features, "features")
    outputs = count(run, out_features, "features")
    attrs: Attrs = {"in_features": inputs, "out_features": outputs}
    attrs["weight"] = None if inputs is None else run.tensor((outputs, inputs))
    attrs["bias"] = parameter(run, bias, (outputs,))
    check_parameter_sizes([out_features] if in_features is None else [out_features, in_features], attrs)
    return attrs


def _forward(run: Execution, layer: Instance, input: Tensor) -> Value:
    attrs = layer.attrs
    if attrs["in_features"] is None:
        shape = shape_of(run, input)
        features = shape[-1] if shape else run.fresh("features")
        attrs |= {"in_features": features, "weight": run.tensor((attrs["out_features"], features))}
    weight = attrs["weight"]
    outputs, inputs = attrs["out_features"], attrs["in_features"]
    if type(weight) is Tensor and weight.shape is not None and len(weight.shape) == 2:
        outputs, inputs = weight.shape
    return _apply_linear(run, input, inputs, outputs, is_present(attrs["bias"]))


_LINEAR = "out_features, bias=True, device=None, dtype=None"
layer("Linear", f"in_features, {_LINEAR}", _forward, _construct)
layer("NonDynamicallyQuantizableLinear", f"in_features, {_LINEAR}", _forward, _construct)
layer("LazyLinear", _LINEAR, _forward, _construct, in_features=None)

# --- bilinear


def _construct_bilinear(run: Execution, bias: Value, arguments: Attrs) -> Attrs:
    names = ("in1_features", "in2_features", "out_features")
    left, right, out = [count(run, arguments[name], "features") for name in names]
    attrs: Attrs = dict(zip(names, (left, right, out), strict=True))
    return attrs | {"weight": run.tensor((out, left, right)), "bias": parameter(run, bias, (out,))}


def _forward_bilinear(run: Execution, layer: Instance, input1: Tensor, input2: Tensor) -> Value:
    left, right = shape_of(run, input1), shape_of(run, input2)
    attrs, error = layer.attrs, None
    if not left or not right:
        return run.emit("bilinear", [input1, input2], [None])[0]
    if len(left) != len(right) or not all(run.demand(a, b) for a, b in zip(left[:-1], right[:-1], strict=True)):
        error = "bilinear(): input dimensions do not match"
    elif not run.demand(left[-1], attrs["in1_features"]) or not run.demand(right[-1], attrs["in2_features"]):
        error = "bilinear(): input size does not match weight size"
    return run.emit("bilinear", [input1, input2], [(*left[:-1], attrs["out_features"])], {}, error)[0]


_BILINEAR = "in1_features, in2_features, out_features, bias=True, device=None, dtype=None"
layer("Bilinear", _BILINEAR, _forward_bilinear, _construct_bilinear)

# --- matrix products


@operation(*both("matmul"), ".__matmul__", "linalg.matmul", signature="input, other, *, out=None", op="matmul")
def _matmul(run: Execution, op: str, input: Tensor, other: Tensor) -> Value:
    left, right = shape_of(run, input), shape_of(run, other)
    if left is None or right is None:
        return run.emit(op, [input, other], [None])[0]
    result, error = _product_shape(run, left, right)
    return run.emit(op, [input, other], [result], {}, error)[0]


@operation(*both("bmm"), signature="input, mat2, *, out=None", op="bmm", rank=3)
@operation(*both("mm"), signature="input, mat2, *, out=None", op="mm", rank=2)
def _product(run: Execution, op: str, rank: int, input: Tensor, mat2: Tensor) -> Value:
    """Multiply tensors of one rank, without broadcasting."""
    left, right = shape_of_rank(run, input, rank), shape_of_rank(run, mat2, rank)
    result: Shape | None = None
    if len(left) != rank or len(right) != rank:
        error: str | None = f"{op}: both arguments must be {rank}D, got {len(left)}D and {len(right)}D"
    elif rank == 3 and not run.demand(left[0], right[0]):
        error = f"Expected size for first dimension of batch2 tensor to be {left[0]}"
        result = (left[0], left[1], right[2])
    else:
        result, error = _product_shape(run, left, right)
    return run.emit(op, [input, mat2], [result], {}, error)[0]


def _product_shape(run: Execution, left: Shape, right: Shape) -> tuple[Shape | None, str | None]:
    """Return the shape of ``left @ right`` and PyTorch's error."""
    if not left or not right:
        return None, "both arguments to matmul need to be at least 1D, but they are 0D"
    inner = right[-1] if len(right) == 1 else right[-2]
    error = None
    if not run.demand(left[-1], inner):
        error = (
            f"mat1 and mat2 shapes cannot be multiplied ({_rows(left)} and {_rows(right)})"
            if len(left) <= 2 and len(right) <= 2
            else f"Expected size for first two dimensions of batch2 tensor to fit: {show(left)} and {show(right)}"
        )
    batch, batch_error = broadcast(run, [left[:-2], right[:-2]])
    return (*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ())), error or batch_error


def _rows(shape: Shape) -> str:
    return "x".join(map(str, shape))
