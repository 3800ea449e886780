"""Functions of the standard library, and those of torch that compute nothing, as far as models use them."""

from __future__ import annotations

import itertools
import math

from convlint import symbolic
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import LONGEST, UNKNOWN, Partial, Real, Value, as_real
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel import containers
from convlint.static.interpreter.pymodel.builtin_functions import FUNCTIONS, first_argument, to_integer
from convlint.static.interpreter.pymodel.library_callers import CALLERS
from convlint.static.interpreter.pymodel.native import NativeFunction, real_value, whole_value
from convlint.symbolic import Dim

_CHECKPOINT_OPTIONS = frozenset({"use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug"})


def _checkpoint(call: Call) -> Value:
    kwargs = {key: value for key, value in call.kwargs.items() if key not in _CHECKPOINT_OPTIONS}
    return call.interpreter.call(call.args[0], call.with_args(call.args[1:], kwargs))


def _chain(call: Call) -> Value:
    parts = [containers.items_of(call.interpreter, value) for value in call.args]
    return list(itertools.chain(*parts)) if sum(map(len, parts)) <= LONGEST else UNKNOWN


def _product(call: Call) -> Value:
    """``math.prod``, ``numpy.prod``."""
    product: int | Dim = 1
    for value in containers.items_of(call.interpreter, call.args[0]):
        if type(value) not in (int, Dim):
            return UNKNOWN
        product = product * value
    return product if isinstance(product, int) else whole_value(product)


def _mathematical(name: str) -> NativeFunction:
    compute = getattr(math, name)

    def function(call: Call) -> Value:
        if all(type(value) in (int, float) for value in call.args):
            return compute(*call.args)
        if all(type(value) in (int, float, Dim, Real) for value in call.args):
            result = symbolic.apply(name, *[as_real(value) for value in call.args])
            return whole_value(result) if name == "gcd" else real_value(result)
        return UNKNOWN

    return function


def _copied(value: Value, copies: dict[int, Value]) -> Value:
    """Return a deep copy; ``copies`` has those so far by the ``id`` of the original, which may hold itself."""
    copy: Value = copies.get(id(value))
    if copy is not None:
        return copy
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


LIBRARY: dict[str, NativeFunction] = {
    "functools.partial": lambda call: Partial(call.args[0], tuple(call.args[1:]), call.kwargs),
    "collections.OrderedDict": FUNCTIONS["dict"],
    "torch.utils.checkpoint.checkpoint": _checkpoint,
    "itertools.chain": _chain,
    "math.prod": _product,
    "numpy.prod": _product,
    "math.floor": to_integer("floor", math.floor),
    "math.ceil": to_integer("ceil", math.ceil),
    "math.trunc": to_integer("int", math.trunc),
    **{f"math.{name}": _mathematical(name) for name in ("gcd", "log", "log2", "sqrt", "pow")},
    **dict.fromkeys(("copy.deepcopy", "copy.copy"), lambda call: _copied(call.args[0], {})),
    "typing.cast": lambda call: call.args[-1],
    **dict.fromkeys(("torch.jit.script", "torch.compile", "torch.nn.DataParallel"), first_argument),
    **CALLERS,
}

_HARMLESS = ("logging.", "warnings.", "torch.jit.", "torch.manual_seed", "torch.backends.")


def is_harmless(name: str) -> bool:
    """Return whether a library function neither reads tensors nor changes its arguments."""
    return name.startswith(_HARMLESS)
