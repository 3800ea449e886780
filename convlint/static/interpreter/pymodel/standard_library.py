"""What the standard library, and what of torch is no operation, do as far as models use them."""

from __future__ import annotations

import itertools
import math
from typing import Any

from convlint import symbolic
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import LONGEST, UNKNOWN, Partial, Real, Value, as_real
from convlint.static.exploration.library_callers import CALLERS
from convlint.static.interpreter.pymodel import containers
from convlint.static.interpreter.pymodel.builtin_functions import FUNCTIONS, whole
from convlint.static.interpreter.pymodel.native import Own, real_value, whole_value
from convlint.symbolic import Dim


def _given(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return args[0] if args else UNKNOWN


def _last(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return args[-1] if args else UNKNOWN


def _partial(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return Partial(args[0], tuple(args[1:]), kwargs) if args else UNKNOWN


def _checkpoint(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    own = ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug")
    rest = {name: value for name, value in kwargs.items() if name not in own}
    return interpreter.call(args[0], list(args[1:]), rest, node, scope) if args else UNKNOWN


def _chain(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    try:
        found = [containers.items_of(interpreter, value) for value in args]
    except TypeError:
        return UNKNOWN
    return list(itertools.chain(*found)) if sum(map(len, found)) <= LONGEST else UNKNOWN


def _product(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    """``math.prod``, ``numpy.prod``."""
    try:
        found = containers.items_of(interpreter, args[0])
    except TypeError:
        return UNKNOWN
    result: Any = 1
    for value in found:
        if type(value) not in (int, Dim):
            return UNKNOWN
        result = result * value
    return result if type(result) is int else whole_value(result)


def _mathematical(name: str) -> Own:
    compute = getattr(math, name)

    def own(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
        if all(type(value) in (int, float) for value in args):
            try:
                return compute(*args)
            except (ValueError, TypeError, OverflowError):
                return UNKNOWN
        if all(type(value) in (int, float, Dim, Real) for value in args):
            made = symbolic.apply(name, *[as_real(value) for value in args])
            return whole_value(made) if name == "gcd" else real_value(made)
        return UNKNOWN

    return own


def _deepcopy(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return _copied(args[0], {}) if args else UNKNOWN


def _copied(value: Value, done: dict[int, Value]) -> Value:
    """A copy all the way down. ``done`` has the copies by the identity of what was copied: what
    stands in two places, or in itself, does so in the copy.
    """
    copy: Value = done.get(id(value))
    if copy is not None:
        return copy
    if type(value) is Instance:
        copy = done[id(value)] = Instance(value.cls, value.site, value.frames)
        copy.kind, copy.error, copy.incomplete = value.kind, value.error, value.incomplete
        copy.attrs.update({name: _copied(item, done) for name, item in value.attrs.items()})
    elif type(value) is list:
        copy = done[id(value)] = []
        copy += [_copied(item, done) for item in value]
    elif type(value) is dict:
        copy = done[id(value)] = {}
        copy.update({key: _copied(item, done) for key, item in value.items()})
    else:
        copy = value
    return copy


LIBRARY: dict[str, Own] = {
    "functools.partial": _partial,
    "collections.OrderedDict": FUNCTIONS["dict"],
    "torch.utils.checkpoint.checkpoint": _checkpoint,
    "itertools.chain": _chain,
    "math.prod": _product,
    "numpy.prod": _product,
    "math.floor": whole("floor", math.floor),
    "math.ceil": whole("ceil", math.ceil),
    "math.trunc": whole("int", math.trunc),
    **{f"math.{name}": _mathematical(name) for name in ("gcd", "log", "log2", "sqrt", "pow")},
    "copy.deepcopy": _deepcopy,
    "copy.copy": _deepcopy,
    "typing.cast": _last,
    "torch.jit.script": _given,
    "torch.compile": _given,
    "torch.nn.DataParallel": _given,
    **CALLERS,
}

_HARMLESS = ("logging.", "warnings.", "torch.jit.", "torch.manual_seed", "torch.backends.")


def is_harmless(name: str) -> bool:
    """Whether a function of a library neither reads tensors nor changes what it gets."""
    return name.startswith(_HARMLESS)
