"""Functions of the standard library, and those of torch that compute nothing, as far as models use them."""

from __future__ import annotations

import ast
import itertools
import math

from convlint.static.domain.budget import COPIES
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import LONGEST, UNKNOWN, Bound, Partial, Value, has_more
from convlint.static.interpreter import records, special_methods
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.operators import operate
from convlint.static.interpreter.pymodel import containers, introspection, lookup, type_tests
from convlint.static.interpreter.pymodel.builtin_functions import FUNCTIONS, first_argument
from convlint.static.interpreter.pymodel.library_callers import CALLERS
from convlint.static.interpreter.pymodel.native import NativeFunction, concrete, of_all_arguments, whole_value
from convlint.symbolic import Dim

_ENDLESS = 256  # items of an iterator without an end
_CHECKPOINT_OPTIONS = frozenset({"use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug"})


def _checkpoint(call: Call) -> Value:
    kwargs = {key: value for key, value in call.kwargs.items() if key not in _CHECKPOINT_OPTIONS}
    return call.interpreter.call(call.args[0], call.with_args(call.args[1:], kwargs))


def _checkpoint_sequential(call: Call) -> Value:
    """``checkpoint_sequential(functions, segments, input)``."""
    functions, value = call.argument(0, "functions", UNKNOWN), call.argument(2, "input", UNKNOWN)
    if type(functions) is Instance:
        return call.interpreter.call(functions, call.with_args([value], {}))
    for function in containers.items_of(call.interpreter, functions):
        value = call.interpreter.call(function, call.with_args([value], {}))
    return value


@of_all_arguments
def _chain(call: Call) -> Value:
    parts = [containers.items_of(call.interpreter, value) for value in call.args]
    return list(itertools.chain(*parts)) if sum(map(len, parts)) <= LONGEST else UNKNOWN


@of_all_arguments
def _combinations(call: Call) -> Value:
    """``itertools.product(*values, repeat=1)``."""
    parts = [containers.items_of(call.interpreter, value) for value in call.args]
    parts *= concrete(call.interpreter, call.kwargs.get("repeat", 1))
    return list(itertools.product(*parts)) if math.prod(map(len, parts)) <= LONGEST else UNKNOWN


def _accumulated(call: Call) -> Value:
    """``itertools.accumulate(values)``: the sums so far."""
    items = containers.items_of(call.interpreter, call.args[0])
    if len(call.args) > 1 or call.kwargs or not all(type(item) in (int, float, Dim) for item in items):
        return UNKNOWN
    return list(itertools.accumulate(items))


def _pairs(call: Call) -> Value:
    """``itertools.pairwise(values)``."""
    items = containers.items_of(call.interpreter, call.args[0])
    return UNKNOWN if has_more(items) else list(itertools.pairwise(items))


def _repeated(call: Call) -> Value:
    """``itertools.repeat(value, times)``."""
    times = concrete(call.interpreter, call.argument(1, "times", UNKNOWN))
    return [call.args[0]] * times if times <= LONGEST else UNKNOWN


@of_all_arguments
def _zip_longest(call: Call) -> Value:
    """``itertools.zip_longest(*values, fillvalue=None)``."""
    columns = [containers.items_of(call.interpreter, value) for value in call.args]
    if any(map(has_more, call.args)) or len(columns) * max(map(len, columns), default=0) > LONGEST:
        return UNKNOWN
    return list(itertools.zip_longest(*columns, fillvalue=call.kwargs.get("fillvalue")))


def _slice_of(call: Call) -> Value:
    """``itertools.islice(values, stop)`` and ``islice(values, start, stop, step)``."""
    values, *bounds = call.args
    items = containers.items_of(call.interpreter, values)
    ends = [None if bound is None else concrete(call.interpreter, bound) for bound in bounds]
    return UNKNOWN if has_more(items) else list(itertools.islice(items, *ends))


def _star_mapped(call: Call) -> Value:
    """``itertools.starmap(function, rows)``."""
    function, rows = call.args
    rows = [containers.items_of(call.interpreter, row) for row in containers.items_of(call.interpreter, rows)]
    return [call.interpreter.call(function, call.with_args(row, {})) for row in rows]


def _counted(call: Call) -> Value:
    """``itertools.count(start, step)``: as many numbers as a sequence may have, which other iterables end."""
    start = concrete(call.interpreter, call.argument(0, "start", 0))
    step = concrete(call.interpreter, call.argument(1, "step", 1))
    return [start + step * position for position in range(_ENDLESS)]


def _cycled(call: Call) -> Value:
    """``itertools.cycle(values)``."""
    items = containers.items_of(call.interpreter, call.args[0])
    return UNKNOWN if has_more(items) else list(itertools.islice(itertools.cycle(items), _ENDLESS))


def _reduced(call: Call) -> Value:
    """``functools.reduce(function, values, initial)``."""
    function, values, *initial = call.args
    items = containers.items_of(call.interpreter, values)
    if has_more(items) or not (items or initial):
        return UNKNOWN
    result, *rest = [*initial, *items]
    for item in rest:
        result = call.interpreter.call(function, call.with_args([result, item], {}))
    return result


def _fraction(call: Call) -> Value:
    """``fractions.Fraction(numerator, denominator)``."""
    from fractions import Fraction  # few programs need it

    if not all(type(value) in (int, float) for value in call.args):
        return UNKNOWN
    try:
        return Fraction(*call.args)
    except ZeroDivisionError:
        return UNKNOWN


def _product(call: Call) -> Value:
    """``math.prod``."""
    product: int | Dim = 1
    for value in containers.items_of(call.interpreter, call.args[0]):
        if type(value) not in (int, Dim):
            return UNKNOWN
        product = product * value
    return product if isinstance(product, int) else whole_value(product)


def _copied(value: Value, copies: dict[int, Value]) -> Value:
    """Return a deep copy; ``copies`` has those so far by the ``id`` of the original, which may hold itself."""
    copy: Value = copies.get(id(value))
    if copy is not None:
        return copy
    if len(copies) > COPIES:
        raise _TooManyCopiesError
    if type(value) is Instance:
        copy = copies[id(value)] = Instance(value.cls, value.site, value.frames)
        copy.kind, copy.error, copy.incomplete = value.kind, value.error, value.incomplete
        copy.attrs.update({name: _copied(item, copies) for name, item in value.attrs.items()})
    elif type(value) is list:
        copy = copies[id(value)] = []
        copy += [_copied(item, copies) for item in value]
    elif type(value) is dict:
        copy = copies[id(value)] = {}
        copy.update({key: _copied(item, copies) for key, item in value.items()})
    else:
        copy = value
    return copy


class _TooManyCopiesError(Exception):
    """A deep copy would take too much memory."""


def _deep_copied(call: Call) -> Value:
    copies: dict[int, Value] = {}
    try:
        copied = _copied(call.args[0], copies)
    except _TooManyCopiesError:
        copied = call.interpreter.execution.record_gap("this copy has too many parts")
    call.interpreter.handle_items(len(copies))
    return copied


def _partial(call: Call) -> Value:
    """``functools.partial``: one of a partial function is one of its function, with the arguments of both."""
    function, *args = call.args
    if type(function) is Partial:
        return Partial(function.function, (*function.args, *args), {**function.kwargs, **call.kwargs})
    return Partial(function, tuple(args), call.kwargs)


def _operator(op: ast.operator) -> NativeFunction:
    return lambda call: operate(op, call)


LIBRARY: dict[str, NativeFunction] = {
    **dict.fromkeys(("operator.add", "operator.concat", "operator.iconcat", "operator.iadd"), _operator(ast.Add())),
    **dict.fromkeys(("operator.mul", "operator.imul"), _operator(ast.Mult())),
    "operator.sub": _operator(ast.Sub()),
    "operator.floordiv": _operator(ast.FloorDiv()),
    "functools.partial": _partial,
    "collections.OrderedDict": FUNCTIONS["dict"],
    "torch.utils.checkpoint.checkpoint": _checkpoint,
    "torch.utils.checkpoint.checkpoint_sequential": _checkpoint_sequential,
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": lambda call: _chain(
        call.with_args(containers.items_of(call.interpreter, call.args[0]))
    ),
    "itertools.pairwise": _pairs,
    "itertools.repeat": _repeated,
    "itertools.count": _counted,
    "itertools.cycle": _cycled,
    "functools.reduce": _reduced,
    "itertools.zip_longest": _zip_longest,
    "itertools.islice": _slice_of,
    "itertools.starmap": _star_mapped,
    "itertools.product": _combinations,
    "itertools.accumulate": _accumulated,
    "math.prod": _product,
    "fractions.Fraction": _fraction,
    "torch.jit.isinstance": FUNCTIONS["isinstance"],
    "torch.jit.annotate": lambda call: call.args[-1],
    **dict.fromkeys(("copy.deepcopy", "copy.copy"), _deep_copied),
    "types.MethodType": lambda call: Bound(*call.args),
    "typing.cast": lambda call: call.args[-1],
    **dict.fromkeys(("dataclasses.replace", "copy.replace", "attr.evolve", "attrs.evolve"), records.replaced),
    **dict.fromkeys(("dataclasses.asdict", "attr.asdict", "attrs.asdict"), records.as_dict),
    "dataclasses.astuple": lambda call: tuple(records.values(call.args[0]).values()),
    "collections.namedtuple": records.named_tuple,
    "typing.NamedTuple._replace": records.replaced,
    "typing.NamedTuple._asdict": records.as_dict,
    **dict.fromkeys(("dataclasses.fields", "attr.fields", "attrs.fields"), records.field_objects),
    "dataclasses.is_dataclass": records.is_record_value,
    "importlib.import_module": lookup.import_module,
    "inspect.isfunction": lambda call: type_tests.is_of_type(call.args[0], Function),
    **dict.fromkeys(("inspect.signature", "inspect.getfullargspec"), introspection.signature),
    "inspect.isclass": lambda call: type_tests.is_of_type(call.args[0], Class),
    "object.__setattr__": special_methods.set_attribute,
    **dict.fromkeys(("object.__getattribute__", "object.__getattr__"), introspection.get_attribute),
    **dict.fromkeys(("torch.jit.script", "torch.compile", "torch.nn.DataParallel"), first_argument),
    **CALLERS,
}

_HARMLESS = ("logging.", "warnings.", "torch.jit.", "torch.manual_seed", "torch.backends.")


def is_harmless(name: str) -> bool:
    """Return whether a library function neither reads tensors nor changes its arguments."""
    return name.startswith(_HARMLESS)
