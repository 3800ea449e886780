"""Classes: the order in which their attributes are looked up, and those of libraries."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from convlint.source.dispatch import evaluate
from convlint.source.values import (
    UNKNOWN,
    Class,
    Function,
    Instance,
    Library,
    Scope,
    Value,
)

if TYPE_CHECKING:
    from convlint.source.interpreter import Interpreter


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


def with_unknown(
    construct: Callable[..., Any], args: Sequence[Value], kwargs: dict[str, Value]
) -> dict[str, Value]:
    """Keywords with UNKNOWN for every parameter that was not passed."""
    names = parameters(construct)[1:]
    return dict.fromkeys(names[len(args) :], UNKNOWN) | kwargs


@cache
def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters."""
    return tuple(inspect.signature(function).parameters)


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


# --- objects


def special(
    it: Interpreter,
    cls: Class,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> tuple[Value] | None:
    """What calling a class gives that makes no ordinary object, in a tuple."""
    if cls.is_library and not cls.is_module:
        return (it.call_unknown(args, kwargs, node, scope),)
    if any(one.is_library and one.qualname in ("Enum", "NamedTuple") for one in cls.mro):
        return _tuple_like(it, cls, args, kwargs)
    return None


def _tuple_like(
    it: Interpreter, cls: Class, args: Sequence[Value], kwargs: dict[str, Value]
) -> tuple[Value]:
    instance = Instance(cls)
    fill_fields(it, instance, args, kwargs)
    return (instance,)


def default_init(
    it: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_: bool,
) -> None:
    """The constructor of a class that has none of its own: that of a library, or of a dataclass."""
    layer = instance.cls.layer
    if layer is not None and instance.cls.is_module:
        it.construct_layer(instance, layer, args, kwargs, node, scope, open_=open_)
    elif is_dataclass(instance.cls):
        fill_fields(it, instance, args, kwargs)
    if has_unknown_base(instance.cls):
        instance.incomplete = True


def is_dataclass(cls: Class) -> bool:
    """Whether a class gets its constructor from its annotations."""
    return any(
        "dataclass" in ast.dump(decorator)
        for one in cls.mro
        if one.node is not None
        for decorator in one.node.decorator_list
    )


def fields(cls: Class) -> list[tuple[str, ast.expr | None, Class]]:
    """Names and defaults of a dataclass's fields, those of its bases first."""
    found: dict[str, tuple[str, ast.expr | None, Class]] = {}
    for one in reversed(cls.mro):
        for statement in one.node.body if one.node is not None else ():
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name = statement.target.id
                found[name] = (name, statement.value, one)
    return list(found.values())


def fill_fields(
    it: Interpreter, instance: Instance, args: Sequence[Value], kwargs: dict[str, Value]
) -> None:
    """Set the fields of a dataclass object."""
    for position, (name, default, owner) in enumerate(fields(instance.cls)):
        if position < len(args):
            instance.attrs[name] = args[position]
        elif name in kwargs:
            instance.attrs[name] = kwargs[name]
        elif default is not None:
            instance.attrs[name] = _field_default(it, default, owner, name)
        else:
            instance.attrs[name] = UNKNOWN
    after = lookup(instance.cls, "__post_init__")
    if type(after) is Function:
        it.call_function(after, [instance], {}, _nowhere(instance.cls), _scope(instance.cls))


def _field_default(it: Interpreter, default: ast.expr, owner: Class, name: str) -> Value:
    if not isinstance(default, ast.Call):
        return owner.namespace.get(name, UNKNOWN)
    for keyword in default.keywords:
        if keyword.arg == "default":
            return evaluate(it, keyword.value, _scope(owner))
        if keyword.arg == "default_factory":
            made = evaluate(it, keyword.value, _scope(owner))
            return it.call(made, [], {}, default, _scope(owner))
    return UNKNOWN


def _scope(cls: Class) -> Scope:
    assert cls.module is not None
    return Scope(cls.module, None, cls.qualname)


def _nowhere(cls: Class) -> Any:
    return cls.node


def super_init(
    it: Interpreter,
    cls: Class,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> None:
    """``super().__init__(...)`` where the class behind is one of a library."""
    if cls.is_module:
        it.construct_layer(instance, cls.qualname, args, kwargs, node, scope)
    elif cls is _unknown_base():
        instance.incomplete = True
        if instance.is_module:
            instance.kind = "Module"
