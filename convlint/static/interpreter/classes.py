"""Classes: the order in which their attributes are looked up, and those of libraries."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import cache, partial

from convlint.static.domain.objects import Class
from convlint.static.domain.values import Library, Value
from convlint.static.program.parse import kept, walk

# --- of libraries


@cache
def library(name: str) -> Value:
    """What a qualified name of a library is: a class of ``torch.nn``, or something by its name."""
    name = _canonical(name)
    last = name.rsplit(".", 1)[-1]
    is_class = name.startswith("torch.nn.") and name.count(".") == 2 and last[:1].isupper()
    if is_class and last not in _NO_MODULES:
        return _layer_class(name)
    if name in ("torch.Tensor", "object", "abc.ABC") or last in _PLAIN_BASES:
        made = Class(name, qualname=last)
        made.mro = (made,)
        return made
    return Library(name)


_NO_MODULES = frozenset({"Parameter", "UninitializedParameter", "Buffer", "DataParallel"})
_PLAIN_BASES = frozenset({"Generic", "Protocol", "NamedTuple", "Enum", "ABCMeta"})


def _canonical(name: str) -> str:
    """A name in the place where the documentation has it."""
    parts = name.split(".")
    if parts[:3] == ["torch", "nn", "modules"]:
        return ".".join(["torch.nn", *parts[-1:]]) if parts[-1][:1].isupper() else name
    return name


@cache
def _layer_class(name: str) -> Class:
    made = Class(name, qualname=name.rsplit(".", 1)[-1])
    bases = _FAMILIES.get(made.qualname)
    above = [] if name == "torch.nn.Module" else [_layer_class("torch.nn.Module")]
    if bases is not None:
        above.insert(0, _family(bases))
    made.mro = (made, *above)
    return made


@cache
def _family(name: str) -> Class:
    made = Class(name, qualname=name.rsplit(".", 1)[-1])
    made.mro = (made,)
    return made


_CONV, _NORM = "torch.nn.modules.conv._ConvNd", "torch.nn.modules.batchnorm._BatchNorm"
_FAMILIES = {
    **{f"Conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": _CONV for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": _NORM for n in (1, 2, 3)},
    "SyncBatchNorm": _NORM,
}


# --- of the program


def linear(cls: Class, bases: Sequence[Value]) -> tuple[Class, ...]:
    """The classes in which attributes are looked up, in order. A base that is not known counts as
    a module whose own attributes are unknown, if the class has a forward.
    """
    above: list[Class] = []
    for base in bases:
        if type(base) is Class:
            above += base.mro
        elif type(base) is Library and _is_generic(base.name):
            continue
        else:
            above.append(_unknown_base())
            if _looks_like_module(cls, base):
                above += library("torch.nn.Module").mro
    last = {id(one): position for position, one in enumerate(above)}
    return (cls, *[one for position, one in enumerate(above) if last[id(one)] == position])


def _is_generic(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in ("typing", "typing_extensions", "abc", "object")


@cache
def _unknown_base() -> Class:
    made = Class("?", qualname="?")
    made.mro = (made,)
    return made


def is_unknown_base(cls: Class) -> bool:
    """Whether a class stands for a base of which nothing is known."""
    return cls is _unknown_base()


def has_unknown_base(cls: Class) -> bool:
    """Whether part of a class cannot be seen."""
    return _unknown_base() in (cls.mro)


def _looks_like_module(cls: Class, base: Value) -> bool:
    name = base.name.rsplit(".", 1)[-1] if type(base) is Library else ""
    assert cls.node is not None
    methods = {s.name for s in cls.node.body if isinstance(s, ast.FunctionDef)}
    return "forward" in methods or name.endswith(("Module", "Net", "Model", "Layer", "Block"))


def lookup(cls: Class, name: str) -> Value:
    """A class attribute, None if no class of the program on the way has it."""
    for one in cls.mro:
        if name in one.namespace:
            return one.namespace[name]
    return None


def is_replaced(cls: Class, name: str) -> bool:
    """Whether a method puts something else into an attribute once the object is built: a bank that grows, a cache."""
    return any(
        name in kept(one.node, "replaced", partial(_replaced, one.node))
        for one in cls.mro
        if one.node is not None
    )


def _replaced(node: ast.ClassDef) -> frozenset[str]:
    """The attributes that methods assign which neither build the object nor run it."""
    return frozenset(
        [
            target.attr
            for method in node.body
            if isinstance(method, ast.FunctionDef) and not _BUILDS_OR_RUNS.search(method.name)
            for target in walk(method)
            if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store)
        ]
    )


_BUILDS_OR_RUNS = re.compile(
    "__init__|init_weights|init_params|reset|build|make|create|setup|forward"
)
