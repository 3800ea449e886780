"""Python's own functions that look at objects and classes: ``isinstance``, ``getattr``, ``super`` ..."""

from __future__ import annotations

from typing import Any

from convlint.static.domain.objects import Class, Function, Instance, Scope, Super
from convlint.static.domain.values import (
    UNKNOWN,
    Bound,
    Builtin,
    Library,
    Partial,
    Real,
    Tensor,
    Value,
)
from convlint.static.interpreter import attributes, classes, instantiation, module_calls
from convlint.static.interpreter.pymodel.native import Own
from convlint.symbolic import Dim


def _isinstance(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value, kinds = args
    answers = [_is_of(value, kind) for kind in (kinds if type(kinds) is tuple else (kinds,))]
    if True in answers:
        return True
    return UNKNOWN if UNKNOWN in answers else False


def _is_of(value: Value, kind: Value) -> Value:
    if value is UNKNOWN or kind is UNKNOWN:
        return UNKNOWN
    if type(kind) is Builtin:
        name = kind.name
        if type(value) is Dim:
            return name == "int"
        if type(value) is Real:
            return name == "float"
        if type(value) in (Class, Function, Instance, Library, Tensor, Bound, Partial):
            return name == "type" and type(value) is Class
        return type(value).__name__ == name or (name == "int" and type(value) is bool)
    if type(kind) is Class:
        if type(value) is Instance:
            if kind in (value.cls.mro):
                return True
            return UNKNOWN if value.incomplete else False
        if type(value) is Tensor:
            return kind.name == "torch.Tensor"
        return UNKNOWN if type(value) is Library else False
    if type(kind) is Library:
        last = kind.name.rsplit(".", 1)[-1]
        if last in ("Iterable", "Sequence", "Collection"):
            return type(value) in (list, tuple, dict, str, range)
        if last == "Tensor":
            return type(value) is Tensor
        if type(value) in (int, str, float, bool, type(None), Dim):
            return UNKNOWN if last in ("Number", "Integral") else False
    return UNKNOWN


def _issubclass(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    cls, kind = args
    if type(cls) is Class and type(kind) is Class:
        return kind in (cls.mro)
    return UNKNOWN


def _callable(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value = args[0]
    if type(value) in (Class, Function, Bound, Partial, Builtin):
        return True
    return (
        False if type(value) in (int, str, float, list, tuple, dict, type(None), Dim) else UNKNOWN
    )


def _getattr(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    if type(args[1]) is not str:
        return interpreter.record_gap("a name that is only known at run time", node, scope)
    found = attributes.get(interpreter, args[0], args[1], node, scope)
    if found is UNKNOWN and len(args) > 2 and _lacks(args[0], args[1]):
        return args[2]
    return found


def _lacks(value: Value, name: str) -> bool:
    return (
        type(value) is Instance
        and not value.incomplete
        and value.cls.node is not None
        and name not in value.attrs
    )


def _setattr(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, name, value = args
    if type(owner) is Instance:
        if type(name) is str:
            owner.attrs[name] = value
        else:
            owner.incomplete = True
    return None


def _hasattr(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value, name = args
    if type(value) is Instance and type(name) is str:
        if name in value.attrs or classes.lookup(value.cls, name) is not None:
            return True
        return False if _lacks(value, name) else UNKNOWN
    return UNKNOWN


def _type(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return args[0].cls if len(args) == 1 and type(args[0]) is Instance else UNKNOWN


def _super(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Scope) -> Value:
    inner: Scope | None = scope
    while inner is not None and "__class__" not in inner.names:
        inner = inner.outer
    if inner is None:
        return UNKNOWN
    owner = args[0] if args and type(args[0]) is Class else inner.names["__class__"]
    first = next(iter(inner.names.values()), None)
    instance = args[1] if len(args) > 1 else first
    if type(owner) is Class and type(instance) is Instance:
        return Super(owner, instance)
    return UNKNOWN


def _super_init(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    cls, instance, *rest = args
    instantiation.super_init(interpreter, cls, instance, rest, kwargs, node, scope)
    return None


def _class_init(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    """``Base.__init__(self, ...)`` of a class of torch."""
    cls, instance, *rest = args
    if type(instance) is Instance:
        library = next((one for one in cls.mro if one.is_library), cls)
        instantiation.super_init(interpreter, library, instance, rest, kwargs, node, scope)
    return None


def _class_forward(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    _, instance, *rest = args
    if type(instance) is Instance:
        return module_calls.forward_layer(interpreter, instance, rest, kwargs, node, scope)
    return UNKNOWN


FUNCTIONS: dict[str, Own] = {
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "callable": _callable,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "type": _type,
    "super": _super,
    "super.init": _super_init,
    "class.init": _class_init,
    "class.forward": _class_forward,
}
