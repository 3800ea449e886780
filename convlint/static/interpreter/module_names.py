"""Names at the top level of a module."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

from convlint.static.domain.execution import Stop
from convlint.static.domain.objects import Class, Function, Scope
from convlint.static.domain.values import UNKNOWN, Library, Partial, Unknown, Value
from convlint.static.interpreter import classes, libraries, registries
from convlint.static.interpreter.dispatch import execute
from convlint.static.interpreter.pymodel import builtin_functions
from convlint.static.program.source_module import SourceModule, bound_names, is_main_guard
from convlint.static.torch_shapes import function

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def value_of(interpreter: Interpreter, module: SourceModule, name: str) -> Value:
    """Return the value of a name at the top level of a module; UNKNOWN if it cannot be determined."""
    if name in module.values:
        return module.values[name]
    if name not in module.bindings:
        known = None if module.stars else builtin_functions.NAMES.get(name)
        return _from_star(interpreter, module, name) if known is None else known
    if name in module.pending:
        return UNKNOWN
    module.pending.add(name)
    scope = Scope(module, None, "", module.values)
    frames, interpreter.frames = interpreter.frames, []
    constructing, interpreter.constructing = interpreter.constructing, []
    built, interpreter.top_modules = interpreter.top_modules, []
    bound: dict[str, None] = {name: None}
    try:
        for statement in _statements_for(module, name):
            execute(interpreter, statement, scope)
            bound.update(dict.fromkeys(bound_names(statement)))
        if name in module.fallbacks and type(module.values.get(name)) is Library:
            _fall_back(interpreter, module, name)
        for each in bound:  # one statement may create several
            registries.file_definitions(interpreter, module, each)
    except Stop:
        module.values.setdefault(name, UNKNOWN)
        if interpreter.steps < 0:
            raise
    finally:
        interpreter.frames, interpreter.constructing, interpreter.top_modules = (frames, constructing, built)
        module.pending.discard(name)
    return module.values.setdefault(name, UNKNOWN)


def _fall_back(interpreter: Interpreter, module: SourceModule, name: str) -> None:
    """Bind a name that comes from an unknown library to what replaces it without the library, if that is known."""
    known = module.values[name]
    if known.name.startswith("torch."):
        return
    scope = Scope(module, None, "")
    execute(interpreter, module.fallbacks[name], scope)
    if type(scope.names.get(name)) in (Class, Function, Partial):
        module.values[name] = scope.names[name]


def of_library(interpreter: Interpreter, name: str) -> Value:
    """Return the value of a qualified name of a library."""
    if name in libraries.VERSIONS:
        return libraries.VERSIONS[name]
    followed = libraries.followed(name)
    if name.startswith("torch.") and followed is None:
        return classes.library(name)
    if followed is not None:
        path, inner = followed
        value: Value = interpreter.project.library_text(path)
        if not inner:
            return value
        if inner in value.bindings:
            return value_of(interpreter, value, inner)
    constant = libraries.constant(name)
    return classes.library(name) if constant is None else constant


def _statements_for(module: SourceModule, name: str) -> list[ast.stmt]:
    """Return the statements to execute for the value of a name."""
    if module.ran or not module.depends_on_order(name):
        return module.bindings[name]
    module.ran = True
    return [s for s in module.main if not (isinstance(s, ast.If) and is_main_guard(s.test))]


def _from_star(interpreter: Interpreter, module: SourceModule, name: str) -> Value:
    if name.startswith("__"):
        package = module.name if module.is_package else module.name.rpartition(".")[0]
        own = {"__name__": module.name, "__file__": os.path.abspath(module.path), "__package__": package}
        return own[name] if name in own else builtin_functions.NAMES.get(name, UNKNOWN)
    for statement in module.stars:
        source = statement.module or ""
        other = interpreter.project.find(source, module, statement.level)
        if other is None:
            if source.split(".")[0] == "torch":
                value = classes.library(f"{source}.{name}")
                if isinstance(value, Class) or function(value.name) is not None:
                    return value
            continue
        if other is not module and (name in other.bindings or other.stars):
            value = value_of(interpreter, other, name)
            if type(value) is not Unknown:
                return value
    return builtin_functions.NAMES.get(name, UNKNOWN)
