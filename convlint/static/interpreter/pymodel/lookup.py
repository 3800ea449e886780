"""Names and expressions that a program looks up while it runs: ``vars``, ``eval``, ``importlib.import_module`` ..."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from convlint.static.domain.execution import Raised
from convlint.static.domain.objects import Instance, Names, Scope
from convlint.static.domain.values import UNKNOWN, Unknown, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.interpreter.pymodel.native import NativeFunction
from convlint.static.program.parse import walk
from convlint.static.program.source_module import SourceModule

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def _vars(call: Call) -> Value:
    """``vars()``, ``locals()`` and ``vars(object)``."""
    if not call.args:
        return {name: value for name, value in call.scope.names.items() if name != "__class__"}
    value = call.args[0]
    if type(value) is SourceModule:
        return Names(value)
    return value.attrs if type(value) is Instance else UNKNOWN


def _names_of_caller(call: Call) -> Value:
    """Return the names in the function of the program that calls the text of a library, ``kwargs`` unpacked."""
    if call.scope.called_from is None:
        return UNKNOWN
    _, scope = call.scope.called_from
    names = {name: value for name, value in scope.names.items() if name not in ("self", "__class__")}
    rest = names.pop("kwargs", None)
    return {**{key: value for key, value in (rest or {}).items() if type(key) is not Unknown}, **names}


def _name_or_default(call: Call) -> Value:
    """``globals().get(name, default)``."""
    names, name, *default = call.args
    module = names.module
    if type(name) is not str:
        return UNKNOWN
    if name in module.bindings or name in module.values:
        return call.interpreter.name_of_module(module, name)
    return UNKNOWN if module.stars else default[0] if default else None


def module_named(interpreter: Interpreter, name: str, scope: Scope) -> Value:
    """Return a module by its name, as ``importlib.import_module`` does."""
    if name == scope.module.name:
        return scope.module
    dots = len(name) - len(name.lstrip("."))
    found = interpreter.project.find(name[dots:], scope.module, dots)
    return found or (UNKNOWN if dots else interpreter.of_library(name))


def import_module(call: Call) -> Value:
    """``importlib.import_module(name)`` of a name that is written in the program."""
    name = call.argument(0, "name")
    _, scope = call.scope.called_from or (None, call.scope)
    return module_named(call.interpreter, name, scope) if type(name) is str else UNKNOWN


_LONGEST_TEXT = 500  # characters of an expression for ``eval``


def _eval(call: Call) -> Value:
    """``eval(text)``: the value of an expression, followed like any other; a name that nothing binds raises."""
    text = call.args[0]
    if type(text) is not str or len(text) > _LONGEST_TEXT or len(call.args) > 1 or call.kwargs:
        return UNKNOWN
    return evaluated(text, call)


def _mapping(call: Call) -> Value:
    """Return the content of a configuration file, with its items as attributes."""
    value = call.args[0]
    if type(value) is list:
        return [_mapping(call.with_args([item])) for item in value]
    if type(value) is not dict:
        return value
    return call.interpreter.call(call.interpreter.of_library("attribute_dict.AttributeDict"), call.with_args([value]))


def evaluated(text: str, call: Call) -> Value:
    """Return the value of an expression at the place of a call; a name that nothing binds raises."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return UNKNOWN
    for part in walk(node):
        part.site = call.site  # type: ignore[attr-defined]  # what it does, the program does at the call
        ast.copy_location(part, call.node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and _is_unbound(part.id, call.scope):
            raise Raised("a name is not defined")
    return evaluate(call.interpreter, node, call.scope)


def _is_unbound(name: str, scope: Scope | None) -> bool:
    """Return whether no scope can bind a name, and Python has no such function."""
    assert scope is not None
    module = scope.module
    if name in module.bindings or name in module.values or module.stars or hasattr(builtins, name) or name[:2] == "__":
        return False
    while scope is not None:
        if name in scope.names:
            return False
        scope = scope.outer
    return True


FUNCTIONS: dict[str, NativeFunction] = {
    "vars": _vars,
    "locals": _vars,
    "globals": lambda call: Names(call.scope.module),
    "names.get": _name_or_default,
    "eval": _eval,
    "__mapping__": _mapping,
    "__names_of_caller__": _names_of_caller,
}
"""Functions of Python and of the texts of libraries that look up names."""
