"""Classes of libraries, the order in which attributes of a class are looked up, and its caches."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import cache, partial

from convlint.static.domain.budget import BASES
from convlint.static.domain.objects import Class, Function
from convlint.static.domain.values import Builtin, Library, Value
from convlint.static.program.parse import cached, walk
from convlint.static.torch_shapes import FLOAT_FUNCTIONAL

# --- libraries


@cache
def library(name: str) -> Value:
    """Return the value of a qualified name of a library: a class for those of ``torch.nn``, else a Library."""
    name = _canonical(name)
    last = name.rsplit(".", 1)[-1]
    is_class = name.startswith("torch.nn.") and name.count(".") == 2 and last[:1].isupper()
    if is_class and last not in _NOT_MODULES:
        return _layer_class(name)
    if name in ("torch.Tensor", "object", "abc.ABC") or last in _PLAIN_BASES:
        return _plain_class(name)
    return Library(name)


_NOT_MODULES = frozenset({"Parameter", "UninitializedParameter", "Buffer", "DataParallel"})
_PLAIN_BASES = frozenset({"Generic", "Protocol", "NamedTuple", "Enum", "IntEnum", "StrEnum", "ABCMeta"})


def is_enum(cls: Class) -> bool:
    """Return whether a class of the program is an enumeration."""
    return cls.node is not None and any(base.is_library and base.qualname in _ENUMS for base in cls.mro)


def members(cls: Class) -> dict[str, Value]:
    """Return the values of the members of an enumeration, by name; none of any other class."""
    own = cls.namespace.items() if is_enum(cls) else ()
    return {name: value for name, value in own if type(value) is not Function and not name.startswith("_")}


def is_autograd_function(cls: Class) -> bool:
    """Return whether a class of the program is a ``torch.autograd.Function``."""
    return cls.node is not None and any(
        type(base) is Library and base.name in ("torch.autograd.Function", "torch.autograd.function.Function")
        for each in cls.mro
        for base in each.bases
    )


_ENUMS = frozenset({"Enum", "IntEnum", "StrEnum"})


def _canonical(name: str) -> str:
    """Return the documented name of something that torch defines in a submodule of ``torch.nn.modules``."""
    parts = name.split(".")
    is_class = parts[:3] == ["torch", "nn", "modules"] and parts[-1][:1].isupper()
    is_class |= parts[0] == "torch" and "quantized" in parts and parts[-1] in FLOAT_FUNCTIONAL
    if parts[:2] == ["torch", "jit"] and parts[-1] == "ScriptModule":
        return "torch.nn.Module"
    if parts[0] == "torch" and "quantization" in parts and parts[-1] in ("QuantStub", "DeQuantStub"):
        return "torch.nn.Identity"  # of a model that is not converted yet
    return f"torch.nn.{parts[-1]}" if is_class else name


@cache
def _layer_class(name: str) -> Class:
    cls = Class(name, qualname=name.rsplit(".", 1)[-1])
    bases = [] if name == "torch.nn.Module" else [_layer_class("torch.nn.Module")]
    family = _FAMILIES.get(cls.qualname)
    if family is not None:
        bases.insert(0, _plain_class(family))
    cls.mro = (cls, *bases)
    return cls


@cache
def _plain_class(name: str) -> Class:
    """Return a class without bases."""
    cls = Class(name, qualname=name.rsplit(".", 1)[-1])
    cls.mro = (cls,)
    return cls


def named_tuple() -> Class:
    """Return the base of the classes of named tuples."""
    return _plain_class("typing.NamedTuple")


_CONV, _NORM = "torch.nn.modules.conv._ConvNd", "torch.nn.modules.batchnorm._BatchNorm"
_FAMILIES = {
    **{f"Conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": _CONV for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": _NORM for n in (1, 2, 3)},
    "SyncBatchNorm": _NORM,
}


# --- classes of the program


def linear(cls: Class, bases: Sequence[Value]) -> tuple[Class, ...]:
    """Return the method resolution order of a class, in which an unknown base may stand for ``nn.Module``."""
    order: list[Class] = []
    for base in bases:
        if type(base) is Class:
            order += base.mro
        elif type(base) in (Builtin, Library) and base.name in _CONTAINERS:
            order.append(_plain_class(_CONTAINERS[base.name]))
        elif type(base) is Library and base.name.split(".", 1)[0] in ("typing", "typing_extensions", "abc", "object"):
            continue
        else:
            order.append(_plain_class(_UNKNOWN_BASE))
            if _looks_like_module(cls, base):
                order += library("torch.nn.Module").mro
    if len(order) > BASES:
        order = [_plain_class(_UNKNOWN_BASE), *([each for each in order if each.is_library and each.is_module])]
    last = {id(base): position for position, base in enumerate(order)}
    return (cls, *[base for position, base in enumerate(order) if last[id(base)] == position])


_CONTAINERS = {
    **{name: name for name in ("dict", "list", "tuple")},
    **dict.fromkeys(("collections.OrderedDict", "typing.Dict", "collections.UserDict"), "dict"),
}
_UNKNOWN_BASE = "?"


def is_unknown_base(cls: Class) -> bool:
    """Return whether a class stands for an unknown base."""
    return cls.name == _UNKNOWN_BASE


def _looks_like_module(cls: Class, base: Value) -> bool:
    name = base.name.rsplit(".", 1)[-1] if type(base) is Library else ""
    assert cls.node is not None
    methods = {s.name for s in cls.node.body if isinstance(s, ast.FunctionDef)}
    return "forward" in methods or name.endswith(("Module", "Net", "Model", "Layer", "Block"))


def is_replaced(cls: Class, name: str) -> bool:
    """Return whether a method that is called after construction assigns an attribute, such as a cache."""
    nodes = [base.node for base in cls.mro if base.node is not None]
    return any(name in cached(node, "replaced", partial(_replaced, node)) for node in nodes)


def _replaced(node: ast.ClassDef) -> frozenset[str]:
    """Return the attributes that are assigned by methods that neither build the object nor run it."""
    return frozenset(
        [
            target.attr
            for method in node.body
            if isinstance(method, ast.FunctionDef) and not _BUILDS_OR_RUNS.search(method.name)
            for target in walk(method)
            if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store)
        ]
    )


_BUILDS_OR_RUNS = re.compile("__init__|init_weights|init_params|reset|build|make|create|setup|forward")
