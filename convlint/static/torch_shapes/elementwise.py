"""Elementwise functions: of one tensor, and of several that are broadcast."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Real, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, frozen, is_plain
from convlint.static.torch_shapes.broadcasting import broadcast
from convlint.static.torch_shapes.registry import Parameter, both, operation
from convlint.static.torch_shapes.sizes import dim_error, shape_of, show
from convlint.symbolic import Dim

_SCALARS = (int, float, bool, Dim, Real, complex)

# --- of one tensor


def unary(run: Execution, op: str, input: Tensor, inplace: bool, dtype: str | None, passed: Attrs) -> Value:
    """Record a function whose result has the shape of its input.

    Plain arguments become attributes; those called ``dim`` or ``dims`` must be dimensions of the input.
    """
    attrs = {n: frozen(v) for n, v in passed.items() if n != "training" and is_plain(v)}
    if inplace or attrs.get("inplace"):
        attrs["inplace"] = True
    else:
        attrs.pop("inplace", None)
    error = dims_error(run, input, attrs.get("dim", attrs.get("dims"))) if attrs else None
    return run.emit(op, [input], [], attrs, error, like=input, dtype=dtype)[0]


def register_unary(
    op: str, *names: str, signature: str = "input, *args, **kwargs", inplace: bool = False, dtype: str | None = None
) -> None:
    """Register names of a function that keeps the shape, whatever its other arguments are."""
    operation(*names, signature=signature, op=op, inplace=inplace, dtype=dtype)(unary)


def dims_error(run: Execution, x: Tensor, dims: Value) -> str | None:
    """Return PyTorch's error for a dimension, or one of several, that a tensor does not have."""
    shape = None if dims is None else shape_of(run, x)
    if shape is None:
        return None
    errors = [dim_error(dim, len(shape)) for dim in (dims if type(dims) is tuple else (dims,))]
    return next((error for error in errors if error is not None), None)


_WITHOUT_INPLACE = "angle clone conj fliplr flipud isfinite isinf isnan positive"
_WITH_INPLACE_METHOD = "absolute bernoulli bitwise_not digamma erfinv lgamma logical_not sgn sign tril triu"
_WITH_INPLACE_FUNCTION = (
    "abs acos acosh asin asinh atan atanh ceil cos cosh detach erf erfc exp exp2 expm1 fix floor frac log log10 log1p "
    "log2 logit nan_to_num neg negative reciprocal relu round rsqrt sigmoid sin sinc sinh sqrt square tan tanh trunc"
)
for _name in f"{_WITHOUT_INPLACE} {_WITH_INPLACE_METHOD} {_WITH_INPLACE_FUNCTION}".split():
    register_unary(_name, *both(_name))
for _name in f"{_WITH_INPLACE_METHOD} {_WITH_INPLACE_FUNCTION}".split():
    register_unary(_name, f".{_name}_", inplace=True)
for _name in _WITH_INPLACE_FUNCTION.split():
    register_unary(_name, f"{_name}_", inplace=True)

_METHODS = (
    "bfloat16 clamp_max clamp_min contiguous copy_ cpu cuda double exponential_ fill_ float half "
    "masked_fill masked_fill_ normal_ pin_memory random_ requires_grad_ retain_grad share_memory_ "
    "to type type_as uniform_ xpu zero_"
)
for _name in _METHODS.split():
    register_unary(_name.rstrip("_"), f".{_name}", inplace=_name.endswith("_"))
_FUNCTIONS = (
    "clamp_max clamp_min empty_like full_like masked_fill ones_like rand_like randint_like randn_like renorm zeros_like"
)
for _name in _FUNCTIONS.split():
    register_unary(_name, _name)
for _name in ("long", "int", "bool", "short", "byte"):
    register_unary(_name, f".{_name}", dtype="bool" if _name == "bool" else "int64")
for _name, _op in (("neg", "neg"), ("pos", "positive"), ("invert", "bitwise_not"), ("abs", "abs")):
    register_unary(_op, f".__{_name}__", signature="input")
for _name in ("softmax", "log_softmax"):
    register_unary(_name, *both(_name), signature="input, dim, dtype=None, *, out=None")
for _name in ("cumsum", "cumprod"):
    register_unary(_name, *both(_name), signature="input, dim, *, dtype=None, out=None")
register_unary("logcumsumexp", *both("logcumsumexp"), signature="input, dim, *, out=None")
_CLAMP = "input, min=None, max=None, *, out=None"
register_unary("clamp", *both("clamp", "clip"), signature=_CLAMP)
register_unary("clamp", ".clamp_", ".clip_", "clamp_", signature=_CLAMP, inplace=True)


@operation("flip")
def _flip(run: Execution, input: Tensor, dims: Value) -> Value:
    attrs = {"dims": frozen(dims)} if is_plain(dims) else {}
    return run.emit("flip", [input], [], attrs, dims_error(run, input, attrs.get("dims")), like=input)[0]


@operation(".flip", signature="input, *dims")
def _flip_method(run: Execution, input: Tensor, dims: tuple[Value, ...]) -> Value:
    return _flip(run, input, dims[0] if len(dims) == 1 and type(dims[0]) is not int else dims)


# --- of several tensors


def elementwise(run: Execution, op: str, operands: tuple[Value, ...], attrs: Attrs | None = None) -> Value:
    """Record an elementwise function of tensors and numbers."""
    inputs = [value for value in operands if type(value) is Tensor]
    if not inputs:
        return UNKNOWN
    unknown = any(type(v) is not Tensor and type(v) not in _SCALARS for v in operands)
    if len(inputs) == 1 and not unknown:
        return run.emit(op, inputs, [], attrs, like=inputs[0])[0]
    shapes = [shape_of(run, tensor) for tensor in inputs]
    known = [shape for shape in shapes if shape is not None]
    is_inplace = attrs is not None and attrs.get("inplace") is True
    if unknown or len(known) < len(shapes):
        recorded = "unseen" if unknown else op
        if is_inplace and operands[0] is inputs[0] and inputs[0].shape is not None:
            return run.emit(recorded, inputs, [], attrs, like=inputs[0])[0]
        result = run.emit(recorded, inputs, [_with_unknown(run, known)], attrs)[0]
        return run.note_operand(result, operands) if unknown else result
    shape, error = broadcast(run, known)
    if is_inplace and error is None:
        error = _inplace_error(known[0], shape)
    if shape == shapes[0]:
        return run.emit(op, inputs, [], attrs, error, like=inputs[0])[0]
    return run.emit(op, inputs, [shape], attrs, error)[0]


def _with_unknown(run: Execution, known: list[Shape]) -> Shape | None:
    """Return the common shape of known tensors and an unknown one, None if it is uncertain.

    Tensors of few dimensions do not determine it, as the unknown one is likely to have more; neither
    do those with a size of 1, which are likely to be broadcast.
    """
    shape, error = broadcast(run, known) if known else ((), None)
    return None if len(shape) < 3 or error is not None or 1 in shape else shape


def _inplace_error(before: Shape, after: Shape) -> str | None:
    """Return PyTorch's error for a result that does not fit the tensor it is written to."""
    if len(after) > len(before) or any(
        type(a) is type(b) is int and a != b for a, b in zip(before, after, strict=True)
    ):
        return f"output with shape {show(before)} doesn't match the broadcast shape {show(after)}"
    return None


def _binary(run: Execution, op: str, input: Value, other: Value, inplace: bool) -> Value:
    return elementwise(run, op, (input, other), {"inplace": True} if inplace else None)


_OTHER = "input, other, *, out=None"
_ALPHA = "input, other, *, alpha=1, out=None"
_ROUNDING = "input, other, *, rounding_mode=None, out=None"
_SIGNATURES = {**dict.fromkeys(("add", "sub", "subtract"), _ALPHA), **dict.fromkeys(("div", "divide"), _ROUNDING)}
_ALIASES = {"subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div"}
_BINARY = (
    "add atan2 bitwise_and bitwise_or bitwise_xor div divide eq floor_divide fmax fmin fmod ge gt hypot le logical_and "
    "logical_or logical_xor lt maximum minimum mul multiply ne remainder sub subtract true_divide xlogy"
)
for _name in _BINARY.split():
    _op, _signature = _ALIASES.get(_name, _name), _SIGNATURES.get(_name, _OTHER)
    operation(*both(_name), signature=_signature, op=_op, inplace=False)(_binary)
    if _name not in ("fmax", "fmin", "maximum", "minimum"):
        operation(f".{_name}_", signature=_signature, op=_op, inplace=True)(_binary)
_CLOSE = "input, other, rtol=1e-05, atol=1e-08, equal_nan=False"
operation(*both("isclose"), signature=_CLOSE, op="isclose", inplace=False)(_binary)
operation("rsub", signature="input, other, *, alpha=1", op="rsub", inplace=False)(_binary)
for _name in ("pow", "float_power"):
    _power = {"signature": "input, exponent, *, out=None", "op": _name, "other": Parameter("exponent")}
    operation(*both(_name), **_power, inplace=False)(_binary)
    operation(f".{_name}_", **_power, inplace=True)(_binary)

_OPERATORS = "add sub mul pow and or xor lshift rshift eq ne lt le gt ge truediv floordiv mod"
for _name in _OPERATORS.split():
    _op = "div" if _name == "truediv" else _name
    operation(f".__{_name}__", op=_op, inplace=False)(_binary)
    if _name not in ("eq", "ne", "lt", "le", "gt", "ge"):
        operation(f".__r{_name}__", op=_op, inplace=False)(_binary)
        operation(f".__i{_name}__", op=_op, inplace=True)(_binary)


@operation("where", signature="condition, input=None, other=None, *, out=None")
@operation(".where", signature="input, condition, other=None")
def _where(run: Execution, condition: Value, input: Value, other: Value) -> Value:
    return elementwise(run, "where", (condition, input, other))


def _ternary(run: Execution, op: str, input: Value, tensor1: Value, tensor2: Value) -> Value:
    return elementwise(run, op, (input, tensor1, tensor2))


_LERP = {"signature": "input, end, weight, *, out=None", "tensor1": Parameter("end"), "tensor2": Parameter("weight")}
operation(*both("lerp"), ".lerp_", op="lerp", **_LERP)(_ternary)
for _name in ("addcmul", "addcdiv"):
    _signature = "input, tensor1, tensor2, *, value=1, out=None"
    operation(*both(_name), signature=_signature, op=_name)(_ternary)
