"""Reading arguments of a program: sizes, flags, counts, and the parameters that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from convlint import symbolic
from convlint.static.domain.execution import ConstructorError, Execution
from convlint.static.domain.values import UNKNOWN, Num, Real, Tensor, Value, as_number, has_more, is_small
from convlint.symbolic import Atom, Dim, Symbol

Attrs = dict[str, Value]

_PLAIN = (int, float, str, bool, Dim, Real)

# --- sizes


def size(run: Execution, value: Value, name: str = "size") -> Num:
    """Return a value that is an integer, and an unknown number called ``name`` for any other."""
    known = as_number(value)
    return _unknown(run, name) if known is None else known


def sizes(run: Execution, value: Value, count: int, name: str = "size") -> tuple[Num, ...]:
    """Return one integer for each of ``count`` dimensions, from one number or a sequence."""
    if type(value) is int:
        return (value,) * count
    if is_sequence(value):
        if len(value) == count:
            return tuple([size(run, item, name) for item in value])
        if len(value) == 1:
            return (size(run, value[0], name),) * count
    known = as_number(value)
    if known is not None:
        return (known,) * count
    return tuple([_unknown(run, name) for _ in range(count)])


def _unknown(run: Execution, name: str) -> Num:
    """An unknown number. Symbols are positive, and a padding may be 0."""
    return run.fresh(name) - 1 if name == "padding" else run.fresh(name)


def size_list(run: Execution, values: Sequence[Value]) -> list[Num] | None:
    """Return sizes that are passed one by one or as one sequence; None if their number is unknown."""
    if len(values) == 1 and is_sequence(values[0]):
        if has_more(values[0]):
            return None
        values = values[0]
    elif len(values) == 1 and as_number(values[0]) is None:
        return None
    return [size(run, value) for value in values]


def fresh_sizes(run: Execution, count: int) -> tuple[Num, ...]:
    """Return ``count`` unknown sizes."""
    return tuple([run.fresh("size") for _ in range(count)])


# --- flags and counts


def flag(value: Value) -> Value:
    """Return whether a flag is set: True, False, or the value itself if that is unknown."""
    return bool(value) if value is None or type(value) in (bool, int, float, str) else value


def count(run: Execution, value: Value, name: str) -> Num:
    """Return a number of channels or features, rounded if it is a float."""
    if isinstance(value, int | Dim):
        return int(value) if type(value) is bool else value
    if isinstance(value, float) and abs(value) < 2**31:
        return round(value)
    if type(value) is Real:
        return symbolic.apply("round", value.dim)
    return run.fresh(name)


# --- the parameters of a layer


def parameter(run: Execution, wanted: Value, shape: tuple[Num, ...]) -> Value:
    """Return the parameter that a layer has if a flag is set; the flag itself if that is unknown."""
    is_set = flag(wanted)
    if is_set is True:
        return run.tensor(shape)
    return None if is_set is False else is_set


def is_present(value: Value) -> Value:
    """Return whether a layer has a parameter: True, False, or the flag that decides it."""
    return True if type(value) is Tensor else flag(value)


def is_given(value: Value) -> Value:
    """Return whether a function gets an optional tensor; UNKNOWN for an unknown argument."""
    return value is not None if value is None or type(value) is Tensor else UNKNOWN


_LARGEST_SIZE = 2**63 - 1


def check_parameter_sizes(values: Sequence[Value], attrs: Mapping[str, Value]) -> None:
    """Raise ConstructorError if values cannot be the sizes of a parameter."""
    for value in values:
        if type(value) is float or (type(value) is Real and _is_float(value.dim)):
            raise ConstructorError(
                "empty(): argument 'size' failed to unpack the object with error "
                '"type must be tuple of ints,but got float"',
                attrs,
            )
        if type(value) is int and value > _LARGEST_SIZE:
            raise ConstructorError(
                "empty(): argument 'size' failed to unpack: Overflow when unpacking long long", attrs
            )
    for value in values:
        if type(value) is int and value < 0:
            text = ", ".join(map(str, values))
            raise ConstructorError(f"Trying to create tensor with negative dimension {value}: [{text}]", attrs)


def _is_float(number: Dim) -> bool:
    """Return whether a number is a float for certain, not only for some values: a power of integers may be either."""
    return any(_makes_float(atom) for monomial, _ in number.terms or () for atom, _ in monomial)


def _makes_float(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return False
    if atom.op in _OF_FLOATS or (atom.op == "round" and len(atom.args) > 1) or atom.op.replace(".", "", 1).isdigit():
        return True
    parts = [_is_float(argument) for argument in atom.args]
    return all(parts) if atom.op in ("max", "min") else any(parts) and atom.op in _ARITHMETIC


_OF_FLOATS = frozenset({"truediv", "sqrt", "log", "log2", "exp"})
_ARITHMETIC = frozenset({"add", "sub", "mul", "pow", "floordiv", "mod"})

# --- values of any kind


def is_sequence(value: Value) -> bool:
    """Return whether a value is a list or a tuple."""
    return type(value) in (tuple, list)


def unpacked(values: tuple[Value, ...]) -> Value:
    """Return the arguments of ``f(*values)``, or the sequence if one was passed instead."""
    return values[0] if len(values) == 1 and is_sequence(values[0]) else values


def is_plain(value: Value) -> bool:
    """Return whether a value is a number or string, or a sequence of them, as ``Node.attrs`` holds."""
    if is_sequence(value):
        return is_small(value) and all(is_plain(item) for item in value)
    return type(value) in _PLAIN


def frozen(value: Value) -> Value:
    """Return a value for ``Node.attrs``, with tuples for lists."""
    if not is_sequence(value):
        return value
    return tuple([frozen(item) for item in value]) if is_small(value) else UNKNOWN


def tensors(values: Iterable[Value]) -> list[Tensor]:
    """Return the tensors among values, those in lists and tuples included."""
    result: list[Tensor] = []
    for value in values:
        if type(value) is Tensor:
            result.append(value)
        elif is_sequence(value) and is_small(value):
            result += tensors(value)
    return result


def unknown_result(run: Execution, *values: Value) -> Value:
    """Return the result of a call that cannot be analyzed: a tensor of unknown shape if it gets one."""
    inputs = tensors(values)
    return run.note_operand(run.emit("unseen", inputs, [None])[0], values) if inputs else UNKNOWN
