"""The types of values: ``isinstance``, ``issubclass``, ``type``."""

from __future__ import annotations

from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import (
    UNKNOWN,
    Bound,
    Builtin,
    FilePath,
    Library,
    Partial,
    Real,
    Tensor,
    Unknown,
    Value,
    Vector,
)
from convlint.static.interpreter import classes
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction
from convlint.symbolic import Dim


def _isinstance(call: Call) -> Value:
    value, kinds = call.args
    answers = [_is_of(value, kind, call) for kind in (kinds if type(kinds) is tuple else (kinds,))]
    if True in answers:
        return True
    return UNKNOWN if UNKNOWN in answers else False


def _is_of(value: Value, kind: Value, call: Call) -> Value:
    """Return whether a value is of one type: True, False or UNKNOWN."""
    if type(value) is Unknown or type(kind) is Unknown:
        return UNKNOWN
    if type(kind) is Builtin:
        name = kind.name
        if type(value) is Dim:
            return name == "int"
        if type(value) is Real:
            return name == "float"
        if type(value) is Instance and value.items is not None:
            return any(base.name == name for base in value.cls.mro)
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
        if last == "Hashable" and type(value) in _KNOWN:
            return type(value) not in (list, dict)
        if last == "Callable" and type(value) in _KNOWN:
            return type(value) in _CALLABLE
        if last in _CONTAINERS and type(value) is not Instance:
            return type(value) in _CONTAINERS[last]
        if last in _BY_METHODS and _is_known(value):
            return value.items is not None or all(value.cls.lookup(name) is not None for name in _BY_METHODS[last])
        if last in _BY_BASES and _is_known(value):
            return type(value.items) in _CONTAINERS[last]
        if last in ("EnumMeta", "EnumType") and type(value) in _KNOWN:
            return type(value) is Class and classes.is_enum(value)
        if last == "Tensor":
            return type(value) is Tensor
        if last in _OWN_TYPES and type(value) in _NEITHER_NUMBER_NOR_LIBRARY:
            return type(value) is _OWN_TYPES[last]
        if type(value) in (int, str, float, bool, type(None), Dim):
            return last in _NUMBERS and type(value) in _NUMBERS[last]
    return UNKNOWN


_OWN_TYPES: dict[str, type] = {
    "partial": Partial,
    "FunctionType": Function,
    "LambdaType": Function,
    **dict.fromkeys(("Path", "PurePath", "PosixPath", "PathLike"), FilePath),
    "ndarray": Vector,
}
_NEITHER_NUMBER_NOR_LIBRARY = (
    *(Class, Function, Partial, Bound, Instance, Tensor, FilePath, Vector),
    *(str, int, float, bool, list, tuple, dict, type(None)),
)
_CALLABLE = (Class, Function, Bound, Partial, Builtin)
_KNOWN = (*_CALLABLE, int, float, str, bool, list, tuple, dict, range, type(None), Dim)
_CONTAINERS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("Iterable", "Collection", "Sized", "Container"), (list, tuple, dict, str, range)),
    "Sequence": (list, tuple, str, range),
    "MutableSequence": (list,),
    **dict.fromkeys(("Mapping", "MutableMapping"), (dict,)),
}
_BY_METHODS = {
    "Iterable": ("__iter__",),
    "Sized": ("__len__",),
    "Container": ("__contains__",),
    "Collection": ("__iter__", "__len__", "__contains__"),
}
_BY_BASES = frozenset({"Sequence", "MutableSequence", "Mapping", "MutableMapping"})  # not by the methods of an object


_BARE = frozenset({"object", "torch.nn.Module"})
"""Classes without special methods."""


def _is_known(value: Instance) -> bool:
    """Return whether an object is of a class of the program whose bases are all known."""
    return (
        not value.incomplete
        and all(base.node is not None or base.name in _BARE or value.items is not None for base in value.cls.mro)
        and not any(type(base) is Library for each in value.cls.mro for base in each.bases)
    )


_NUMBERS = {"Number": (int, float, bool, Dim), "Integral": (int, bool, Dim), "Real": (int, float, bool, Dim)}


def is_of_type(value: Value, kind: type) -> Value:
    """Return whether a value is a function or a class of the program; UNKNOWN of an unknown one, or a library's."""
    return UNKNOWN if type(value) is Unknown or type(value) is Library else type(value) is kind


def _issubclass(call: Call) -> Value:
    cls, kind = call.args
    return kind in cls.mro if type(cls) is type(kind) is Class else UNKNOWN


def _type(call: Call) -> Value:
    if len(call.args) != 1:
        return UNKNOWN
    value = call.args[0]
    if type(value) is Instance:
        return value.cls
    if type(value) is Tensor:
        return Library("torch.Tensor")
    return Builtin(type(value).__name__) if type(value) in _PLAIN else UNKNOWN


_PLAIN = (int, float, str, bool, list, tuple, dict)


FUNCTIONS: dict[str, NativeFunction] = {"isinstance": _isinstance, "issubclass": _issubclass, "type": _type}
