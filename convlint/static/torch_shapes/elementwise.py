"""Functions of each element: of one tensor, and of several that are stretched to fit."""

from __future__ import annotations

from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Handler, Real, Shape, Tensor, Value
from convlint.static.torch_shapes.broadcasting import broadcast
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizing import (
    frozen,
    is_plain,
    out_of_range,
    shape_of,
    show,
    unseen,
)
from convlint.symbolic import Dim

_SCALARS = (int, float, bool, Dim, Real, complex)

# --- of one tensor


def unary(op: str, *parameters: str, inplace: bool = False, dtype: str | None = None) -> Handler:
    """A function that gives a tensor of the same shape. ``parameters`` are those after the tensor;
    ``dim`` or ``dims`` among them must be dimensions that it has.
    """

    def handler(run: Execution, input: Value, *args: Value, **kwargs: Value) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        attrs: dict[str, Any] = {}
        if args or kwargs:
            named = dict(zip(parameters, args, strict=False)) | kwargs
            attrs = {n: frozen(v) for n, v in named.items() if n != "training" and is_plain(v)}
            if not attrs.get("inplace", True):
                del attrs["inplace"]
        if inplace:
            attrs["inplace"] = True
        error = misplaced(run, input, attrs.get("dim", attrs.get("dims"))) if attrs else None
        return run.emit(op, [input], [], attrs, error, like=input, dtype=dtype)[0]

    return handler


def misplaced(run: Execution, x: Tensor, dim: Value) -> str | None:
    """What PyTorch says to a dimension, or one of several, that a tensor does not have."""
    shape = None if dim is None else shape_of(run, x)
    if shape is None:
        return None
    errors = [out_of_range(d, len(shape)) for d in (dim if type(dim) is tuple else (dim,))]
    return next((error for error in errors if error is not None), None)


_EVERYWHERE = (
    *("abs", "absolute", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh"),
    *("erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix", "floor", "frac", "lgamma", "log"),
    *("log10", "log1p", "log2", "logit", "nan_to_num", "neg", "negative", "reciprocal", "round"),
    *("rsqrt", "sigmoid", "sign", "sgn", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh"),
    *("trunc", "relu", "digamma", "bernoulli", "logical_not", "bitwise_not", "fliplr", "flipud"),
    *("isnan", "isinf", "isfinite", "clone", "detach", "angle", "conj", "positive", "triu", "tril"),
)
for _name in _EVERYWHERE:
    operation(*both(_name))(unary(_name))
    operation(f".{_name}_", f"{_name}_")(unary(_name, inplace=True))
for _name in ("softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp"):
    operation(*both(_name))(unary(_name, "dim"))

_ONLY_METHODS = (
    *("contiguous", "to", "type", "type_as", "float", "half", "double", "bfloat16", "cuda", "cpu"),
    *("requires_grad_", "clamp_min", "clamp_max", "fill_", "zero_", "normal_", "uniform_"),
    *("masked_fill", "masked_fill_", "retain_grad", "xpu", "pin_memory", "relu6", "copy_"),
    *("bernoulli_", "exponential_", "random_", "trunc_normal_", "share_memory_", "detach_", "exp_"),
)
for _name in _ONLY_METHODS:
    operation(f".{_name}")(unary(_name.rstrip("_"), inplace=_name.endswith("_")))
for _name in ("long", "int", "bool", "short", "byte"):
    operation(f".{_name}")(unary(_name, dtype="bool" if _name == "bool" else "int64"))
for _name in ("clamp_min", "clamp_max", "masked_fill", "renorm"):
    operation(_name)(unary(_name))
operation(*both("clamp", "clip"))(unary("clamp", "min", "max"))
operation(".clamp_", ".clip_", "clamp_")(unary("clamp", "min", "max", inplace=True))
operation(".__neg__")(unary("neg"))
operation(".__pos__")(unary("positive"))
operation(".__invert__")(unary("bitwise_not"))
operation(".__abs__")(unary("abs"))
for _name in ("zeros_like", "ones_like", "rand_like", "randn_like", "empty_like", "full_like"):
    operation(_name)(unary(_name))
operation("randint_like")(unary("randint_like"))


@operation("flip")
def _flip(run: Execution, input: Value, dims: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    attrs = {"dims": frozen(dims)} if is_plain(dims) else {}
    error = misplaced(run, input, attrs.get("dims"))
    return run.emit("flip", [input], [], attrs, error, like=input)[0]


@operation(".flip")
def _flip_method(run: Execution, self: Value, *dims: Value) -> Value:
    return _flip(run, self, dims[0] if len(dims) == 1 and type(dims[0]) is not int else dims)


# --- of several tensors


def _shape(run: Execution, value: Value) -> Shape | None:
    return shape_of(run, value) if type(value) is Tensor else ()


def merged(
    run: Execution, op: str, operands: tuple[Value, ...], attrs: dict[str, Any] | None = None
) -> Value:
    """The result of an elementwise function of tensors and numbers."""
    inputs = [value for value in operands if type(value) is Tensor]
    if not inputs:
        return UNKNOWN
    others = [v for v in operands if type(v) is not Tensor and type(v) not in _SCALARS]
    if len(inputs) == 1 and not others:
        return run.emit(op, inputs, [], attrs, like=inputs[0])[0]
    shapes = [shape_of(run, tensor) for tensor in inputs]
    known = [shape for shape in shapes if shape is not None]
    if others or len(known) < len(shapes):
        into = inputs[0] if attrs and attrs.get("inplace") else None
        if into is not None and operands[0] is into and into.shape is not None:
            return run.emit("unseen" if others else op, inputs, [], attrs, like=into)[0]
        result = _with_unknown(run, known)
        return run.emit("unseen" if others else op, inputs, [result], attrs)[0]
    result, error = broadcast(run, known)
    if attrs and attrs.get("inplace") and error is None:
        error = _kept(run, known[0], result)
    if result == shapes[0]:
        return run.emit(op, inputs, [], attrs, error, like=inputs[0])[0]
    return run.emit(op, inputs, [result], attrs, error)[0]


def _with_unknown(run: Execution, known: list[Shape]) -> Shape | None:
    """The shape of tensors together with one of which nothing is known. Tensors of few dimensions tell nothing, as the
    other is likely to have more; neither do those with ones, which are made to be stretched.
    """
    shape, error = broadcast(run, known) if known else ((), None)
    return None if len(shape) < 3 or error is not None or 1 in shape else shape


def _kept(run: Execution, before: Shape, after: Shape) -> str | None:
    """What PyTorch says of a result that does not fit into the tensor that it is written to."""
    wide = len(after) > len(before) or any(
        type(a) is type(b) is int and a != b for a, b in zip(before, after, strict=True)
    )
    if wide:
        return f"output with shape {show(before)} doesn't match the broadcast shape {show(after)}"
    return None


def _binary(op: str, *, inplace: bool = False) -> Handler:
    def handler(
        run: Execution, input: Value, other: Value, *, alpha: Value = 1, out: Value = None
    ) -> Value:
        return merged(run, op, (input, other), {"inplace": True} if inplace else None)

    return handler


def _divided(op: str, *, inplace: bool = False) -> Handler:
    def handler(
        run: Execution,
        input: Value,
        other: Value,
        *,
        rounding_mode: Value = None,
        out: Value = None,
    ) -> Value:
        return merged(run, op, (input, other), {"inplace": True} if inplace else None)

    return handler


_NAMES = {
    "add": "add",
    "sub": "sub",
    "subtract": "sub",
    "mul": "mul",
    "multiply": "mul",
    "pow": "pow",
    "float_power": "float_power",
    "floor_divide": "floor_divide",
    "fmod": "fmod",
    "remainder": "remainder",
    "atan2": "atan2",
    "maximum": "maximum",
    "minimum": "minimum",
    "hypot": "hypot",
    "eq": "eq",
    "ne": "ne",
    "lt": "lt",
    "le": "le",
    "gt": "gt",
    "ge": "ge",
    "logical_and": "logical_and",
    "logical_or": "logical_or",
    "logical_xor": "logical_xor",
    "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or",
    "bitwise_xor": "bitwise_xor",
    "fmax": "fmax",
    "fmin": "fmin",
    "rsub": "rsub",
    "xlogy": "xlogy",
}
for _name, _op in _NAMES.items():
    operation(*both(_name))(_binary(_op))
    operation(f".{_name}_")(_binary(_op, inplace=True))
for _name in ("div", "divide", "true_divide"):
    operation(*both(_name))(_divided("div"))
    operation(f".{_name}_")(_divided("div", inplace=True))

_OPERATORS = {
    **{name: name for name in ("add", "sub", "mul", "pow", "and", "or", "xor")},
    **{name: name for name in ("lshift", "rshift", "eq", "ne", "lt", "le", "gt", "ge")},
    "truediv": "div",
    "floordiv": "floordiv",
    "mod": "mod",
}
for _name, _op in _OPERATORS.items():
    operation(f".__{_name}__", f".__r{_name}__")(_binary(_op))
    operation(f".__i{_name}__")(_binary(_op, inplace=True))


@operation(*both("where"))
def _where(
    run: Execution, condition: Value, input: Value = UNKNOWN, other: Value = UNKNOWN
) -> Value:
    return merged(run, "where", (condition, input, other))


@operation(".where")
def _where_method(run: Execution, self: Value, condition: Value, other: Value = UNKNOWN) -> Value:
    return merged(run, "where", (condition, self, other))


@operation(*both("lerp"), ".lerp_")
def _lerp(run: Execution, input: Value, end: Value, weight: Value) -> Value:
    return merged(run, "lerp", (input, end, weight))


def _of_three(op: str) -> Handler:
    def handler(
        run: Execution, input: Value, tensor1: Value, tensor2: Value, *, value: Value = 1
    ) -> Value:
        return merged(run, op, (input, tensor1, tensor2))

    return handler


for _name in ("addcmul", "addcdiv"):
    operation(*both(_name))(_of_three(_name))
