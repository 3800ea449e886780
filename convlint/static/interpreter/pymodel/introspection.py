"""Python's own functions that look at objects and classes: ``isinstance``, ``getattr``, ``super`` ..."""

from __future__ import annotations

from convlint.static.domain.objects import Class, Function, Instance, Scope, Super
from convlint.static.domain.values import UNKNOWN, Bound, Builtin, Library, Partial, Real, Tensor, Value
from convlint.static.interpreter import attributes, instantiation, module_calls
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction
from convlint.symbolic import Dim


def _isinstance(call: Call) -> Value:
    value, kinds = call.args
    answers = [_is_of(value, kind) for kind in (kinds if type(kinds) is tuple else (kinds,))]
    if True in answers:
        return True
    return UNKNOWN if UNKNOWN in answers else False


def _is_of(value: Value, kind: Value) -> Value:
    """Return whether a value is of one type: True, False or UNKNOWN."""
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
            if kind in value.cls.mro:
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


def _issubclass(call: Call) -> Value:
    cls, kind = call.args
    return kind in cls.mro if type(cls) is type(kind) is Class else UNKNOWN


def _callable(call: Call) -> Value:
    kind = type(call.args[0])
    if kind in (Class, Function, Bound, Partial, Builtin):
        return True
    return False if kind in (int, str, float, list, tuple, dict, type(None), Dim) else UNKNOWN


def _getattr(call: Call) -> Value:
    owner, name, *default = call.args
    if type(name) is not str:
        return call.interpreter.record_gap("an attribute name that is only known at run time", call.node, call.scope)
    value = attributes.get(call.interpreter, owner, name, call.node, call.scope)
    return default[0] if value is UNKNOWN and default and _lacks(owner, name) else value


def _lacks(value: Value, name: str) -> bool:
    """Return whether an object is known to have no attribute of this name."""
    return type(value) is Instance and not value.incomplete and value.cls.node is not None and name not in value.attrs


def _setattr(call: Call) -> Value:
    owner, name, value = call.args
    if type(owner) is Instance:
        if type(name) is str:
            owner.attrs[name] = value
        else:
            owner.incomplete = True
    return None


def _hasattr(call: Call) -> Value:
    value, name = call.args
    if type(value) is not Instance or type(name) is not str:
        return UNKNOWN
    if name in value.attrs or value.cls.lookup(name) is not None:
        return True
    return False if _lacks(value, name) else UNKNOWN


def _super(call: Call) -> Value:
    args = call.args
    method: Scope | None = call.scope
    while method is not None and "__class__" not in method.names:
        method = method.outer
    if method is None:
        return UNKNOWN
    owner = args[0] if args and type(args[0]) is Class else method.names["__class__"]
    instance = args[1] if len(args) > 1 else next(iter(method.names.values()), None)
    return Super(owner, instance) if type(owner) is Class and type(instance) is Instance else UNKNOWN


def _super_init(call: Call) -> Value:
    cls, instance, *rest = call.args
    instantiation.super_init(cls, instance, call.with_args(rest))
    return None


def _class_init(call: Call) -> Value:
    """``Base.__init__(self, ...)`` of a class of torch."""
    cls, instance, *rest = call.args
    if type(instance) is Instance:
        library = next((base for base in cls.mro if base.is_library), cls)
        instantiation.super_init(library, instance, call.with_args(rest))
    return None


def _class_forward(call: Call) -> Value:
    """``Base.forward(self, ...)`` of a class of torch."""
    _, instance, *rest = call.args
    return module_calls.forward_layer(instance, call.with_args(rest)) if type(instance) is Instance else UNKNOWN


FUNCTIONS: dict[str, NativeFunction] = {
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "callable": _callable,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "type": lambda call: call.args[0].cls if len(call.args) == 1 and type(call.args[0]) is Instance else UNKNOWN,
    "super": _super,
    "super.init": _super_init,
    "class.init": _class_init,
    "class.forward": _class_forward,
}
