"""Attributes: the value of ``value.name``."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Children, Class, Function, Instance, Names, Scope, Super, site_of
from convlint.static.domain.values import (
    UNKNOWN,
    Bound,
    Builtin,
    FilePath,
    InputMapping,
    Library,
    OpenFile,
    Partial,
    Real,
    Sizes,
    Tensor,
    Value,
    Vector,
)
from convlint.static.interpreter import classes, input_mappings, parameter_lists, records, special_methods
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.libraries.computed import pathlib
from convlint.static.interpreter.pymodel import methods, module_containers
from convlint.static.program.source_module import SourceModule
from convlint.static.torch_shapes import FLOAT_FUNCTIONAL, attribute, float_functional_method, method
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def get(interpreter: Interpreter, value: Value, name: str, node: ast.expr, scope: Scope) -> Value:
    """Return the attribute ``name`` of a value; UNKNOWN if it has none that is known."""
    kind = type(value)
    if kind is Instance:
        return _of_instance(interpreter, value, name, node, scope)
    if kind is Tensor:
        return _of_tensor(interpreter, value, name, node, scope)
    if kind is Library:
        return interpreter.of_library(f"{value.name}.{name}")
    if kind is SourceModule:
        if name in value.bindings or value.stars:
            return interpreter.name_of_module(value, name)
        if value.is_library:
            return interpreter.of_library(f"{value.name}.{name}")
        return interpreter.project.find(f"{value.name}.{name}", value) or UNKNOWN
    if kind is Class:
        return _of_class(value, name)
    if kind is Super:
        return _of_super(value, name)
    if kind is Dim and name == "__dir__":
        return Bound(Builtin("dir"), value)
    if kind is Dim and name != "astype":
        return parameter_lists.part(value, f".{name}")
    if kind is Builtin and value.name in _TYPES:
        return Builtin(f"{value.name}.{name}")
    if kind is Children:
        return _of_instance(interpreter, value.module, name, node, scope) if name in _VIEWS else UNKNOWN
    if kind is Names and name == "get":
        return Bound(Builtin("names.get"), value)
    if kind is InputMapping:
        is_method = name in input_mappings.METHODS
        return Bound(Builtin(f"input.{name}"), value) if is_method else input_mappings.part(interpreter, value, name)
    if kind is Vector:
        if name in ("size", "shape", "ndim"):
            return {"size": len(value.items), "shape": (len(value.items),), "ndim": 1}[name]
        return Bound(Library(f"numpy.ndarray.{name}"), value)
    if kind in methods.METHODS and name in methods.METHODS[kind]:
        return Bound(Builtin(f"{kind.__name__}.{name}"), value)
    if kind is FilePath:
        return pathlib.attribute(value, name)
    if kind is OpenFile:
        return Bound(Library(f"pathlib.File.{name}"), value)
    if kind is re.Match and name in ("group", "groups", "groupdict"):
        return Bound(Builtin(f"match.{name}"), value)
    if kind in (int, float, Real, Dim) and name in ("astype", "item", "tolist"):
        return Bound(Library(f"numpy.generic.{name}"), value)
    if name == "value" and kind in _VALUES:
        return value  # of a member of an enumeration, for which its value stands
    if kind is Function:
        return value.qualname.rsplit(".", 1)[-1] if name == "__name__" else UNKNOWN
    if kind is Partial:
        return {"func": value.function, "args": value.args, "keywords": dict(value.kwargs)}.get(name, UNKNOWN)
    return UNKNOWN


def _of_instance(interpreter: Interpreter, instance: Instance, name: str, node: ast.expr, scope: Scope) -> Value:
    if name in instance.attrs:
        value = instance.attrs[name]
        if instance.has_unknown_attributes and not instance.is_module:
            return UNKNOWN
        if type(value) is Tensor and value.id is None and classes.is_replaced(instance.cls, name):
            return interpreter.execution.tensor(None, value.dtype)
        return value
    value = instance.cls.lookup(name)
    if type(value) is Function:
        if value.kind == "property":
            return interpreter.call_function(value, Call(interpreter, [instance], {}, node, scope))
        if value.kind == "staticmethod":
            return value
        return Bound(value, instance.cls if value.kind == "classmethod" else instance)
    if value is not None:
        return value
    if instance.kind in FLOAT_FUNCTIONAL and (operation := float_functional_method(name)) is not None:
        return operation
    if instance.items is not None:
        kind = type(instance.items)
        if name in methods.METHODS[kind]:
            return Bound(Builtin(f"{kind.__name__}.{name}"), instance)
    if instance.is_module:
        if name == "training":
            return bool(interpreter.constructing)  # a check is of inference
        if name == "__getattr__":
            return Bound(Library("object.__getattr__"), instance)
        if name == "_modules":
            return Children(instance)
        if name == "forward" or name in module_containers.METHODS:
            return Bound(Builtin(f"module.{name}"), instance)
    if name in ("_replace", "_asdict") and records.is_named_tuple(instance.cls):
        return Bound(Library(f"typing.NamedTuple.{name}"), instance)
    if name == "__class__":
        return instance.cls
    if name == "__dict__":
        return instance.attrs
    if name == "__dir__":
        return Bound(Builtin("dir"), instance)
    if name in _OF_EVERY_OBJECT:
        return UNKNOWN
    if special_methods.defines(instance, "__getattr__") and not name.startswith("__"):
        return special_methods.call_special(interpreter, instance, "__getattr__", name, node=node, scope=scope)
    if instance.stands_for is not None:
        return parameter_lists.part(instance.stands_for, f".{name}")
    if instance.has_unknown_attributes or instance.cls.lookup("_has_more_attributes"):
        return UNKNOWN  # of a library, whose text has only what matters here
    if not instance.incomplete and instance.cls.node is not None:
        if instance.is_module and instance in interpreter.constructing:
            interpreter.raises_type_error = True  # nothing outside a constructor gives its object attributes
        interpreter.record_gap(f"unknown attribute {name}", node, scope, is_value=True)
    return UNKNOWN


def _of_class(cls: Class, name: str) -> Value:
    value = cls.lookup(name)
    if name == "apply" and classes.is_autograd_function(cls):
        return Bound(Builtin("function.apply"), cls)
    if value is not None:
        if type(value) is Function and value.kind == "classmethod":
            return Bound(value, cls)
        return value
    if name in ("__name__", "__qualname__"):
        return cls.name.rsplit(".", 1)[-1]
    if name == "__init__" or (name == "forward" and cls.is_module):
        return Bound(Builtin("class.init" if name == "__init__" else "class.forward"), cls)
    return UNKNOWN


def _of_super(value: Super, name: str) -> Value:
    mro = value.instance.cls.mro
    start = mro.index(value.owner) + 1 if value.owner in mro else len(mro)
    for cls in mro[start:]:
        if name in cls.namespace:
            member = cls.namespace[name]
            return Bound(member, value.instance) if type(member) is Function else member
        if cls.is_library and name == "__init__" and cls.name != "object":
            return Bound(Bound(Builtin("super.init"), cls), value.instance)
        if cls.is_library and cls.name in special_methods.CONTAINERS:
            return Bound(Builtin(f"{cls.name}.{name}"), value.instance)
    if name == "__init__":
        return Bound(Builtin("super.nothing"), value.instance)
    if name == "forward" or name in module_containers.METHODS:
        return Bound(Builtin(f"module.{name}"), value.instance)
    if name in ("__setattr__", "__getattr__", "__getattribute__", "__delattr__"):
        return Bound(Library(f"object.{name}"), value.instance)
    return UNKNOWN


_OF_EVERY_OBJECT = frozenset({*dir(object), "__module__", "__weakref__"})
_TYPES = (*special_methods.CONTAINERS, "str")
_VALUES = (int, str, float, bool, tuple)
_VIEWS = frozenset({"keys", "values", "items", "get", "pop", "update"})  # of the dict of a module's children


def _of_tensor(interpreter: Interpreter, tensor: Tensor, name: str, node: ast.expr, scope: Scope) -> Value:
    if name in ("shape", "size") and (tensor.shape is None or tensor.cell.is_guess):
        return Sizes(tensor) if name == "shape" else Bound(Builtin("tensor.size"), tensor)
    handler = method(name)
    if handler is not None:
        return Bound(handler, tensor)
    interpreter.execution.site = site_of(node, scope)
    return attribute(interpreter.execution, tensor, name)
