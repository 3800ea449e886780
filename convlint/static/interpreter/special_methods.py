"""The methods of the program's classes that syntax and built-in functions call: ``__getitem__``, ``__len__`` ..."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Class, Function, Instance, Outside, Scope
from convlint.static.domain.values import UNKNOWN, Builtin, FilePath, Value
from convlint.static.interpreter.call import Call

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

CONTAINERS = ("dict", "list", "tuple")  # the built-in classes whose content an object has in ``items``


def new_items(cls: Class) -> dict[Value, Value] | list[Value] | None:
    """Return the empty content of an object of a class, None if its class is not derived from a container."""
    for base in cls.mro:
        if base.is_library and base.name in CONTAINERS:
            return {} if base.name == "dict" else []
    return None


def defines(value: Value, name: str) -> bool:
    """Return whether a value is an object whose class in the program has a special method."""
    return type(value) is Instance and type(value.cls.lookup(name)) in (Function, Builtin)


def call_special(
    interpreter: Interpreter,
    instance: Instance,
    name: str,
    *args: Value,
    node: ast.expr | None = None,
    scope: Scope | None = None,
) -> Value:
    """Call a special method that the class of an object defines, by default as if its definition called it."""
    method = instance.cls.lookup(name)
    if node is None or scope is None:
        scope = method.scope if type(method) is Function else Scope(instance.cls.module)  # type: ignore[arg-type]
        node = Outside(name, ast.Load())
        node.lineno = node.end_lineno = getattr(instance.cls.node, "lineno", 1)
        node.col_offset = node.end_col_offset = 0
    return interpreter.call(method, Call(interpreter, [instance, *args], {}, node, scope))


def text_of(interpreter: Interpreter, value: Value) -> str | None:
    """Return ``str(value)`` of a plain value, a short list of them, or an object that says it; None if not known."""
    kind = type(value)
    if kind in _PLAIN or (kind in (list, tuple) and len(value) <= _LONGEST and _PLAIN.issuperset(map(type, value))):
        return str(value)
    name = "__str__" if defines(value, "__str__") else "__repr__"
    text = call_special(interpreter, value, name) if defines(value, name) else None
    return text if type(text) is str else None


_PLAIN = frozenset({int, str, float, bool, FilePath})
_LONGEST = 64


def set_attribute(call: Call) -> Value:
    """``object.__setattr__(owner, name, value)``."""
    owner, name, value = call.args
    if type(owner) is Instance:
        if type(name) is str:
            owner.attrs[name] = value
        elif owner.is_module:
            owner.incomplete = True
        else:
            owner.attrs[UNKNOWN] = UNKNOWN  # type: ignore[index]
    elif type(owner) is Class and type(name) is str:
        owner.namespace[name] = value
    return None
