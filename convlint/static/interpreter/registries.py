"""Registries: a dict or an object of the top level in which decorators file functions and classes, or a class whose
``__init_subclass__`` files those that are derived from it.

Names of the top level are evaluated when they are used, so a decorated definition may not have run when a registry is
requested it. Once a registry has its value, the definitions that file themselves in it are executed: those of its own
file, and those of the files that the file under check imports, as importing them would.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from convlint.static.domain.budget import STEPS_OF_REGISTRIES
from convlint.static.domain.execution import Raised, Stop
from convlint.static.domain.objects import Class, Function, Instance, Scope
from convlint.static.domain.values import UNKNOWN, Bound, Partial, Value
from convlint.static.interpreter import libraries
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.dispatch import evaluate, execute
from convlint.static.interpreter.pymodel import containers
from convlint.static.program.parse import cached
from convlint.static.program.source_module import SourceModule, bound_names, changed_names, root_name

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_MOST = 100  # definitions that are filed in one registry

Decorated = tuple[ast.FunctionDef | ast.ClassDef, ast.expr]  # a definition and its decorator


def file_definitions(interpreter: Interpreter, module: SourceModule, name: str) -> None:
    """Execute the decorators that file definitions in the value of a name of a module, if it is a registry."""
    value = module.values.get(name, UNKNOWN)
    if _may_be_registry(module, name, value):
        interpreter.project.registries[module, name] = 0
        _file(interpreter, module, name, value)


def with_definitions(
    interpreter: Interpreter, module: SourceModule, statement: ast.stmt, names: dict[str, Value]
) -> bool:
    """Use the registry with all definitions where a statement of the top level creates one, or files something in it.

    Returns whether the statement is to be executed.
    """
    match statement:
        case ast.Assign(value=ast.Call() | ast.Tuple()) if not _decorating(module).isdisjoint(bound_names(statement)):
            values = {name: interpreter.name_of_module(module, name) for name in bound_names(statement)}
            known = interpreter.project.registries
            if all((module, name) in known and type(value) is Instance for name, value in values.items()):
                names.update(values)
                return False
        case ast.Expr(value=ast.Call(func=ast.Attribute() as method)):
            return (module, next(root_name(method), "")) not in interpreter.project.registries
    return True


def update_registries(interpreter: Interpreter) -> None:
    """File the definitions of the files that the file under check imports in the registries that are known."""
    for module, name in list(interpreter.project.registries):
        _file(interpreter, module, name, module.values.get(name, UNKNOWN))


def _file(interpreter: Interpreter, module: SourceModule, name: str, registry: Value) -> None:
    project = interpreter.project
    searched, paths = project.registries[module, name], project.imported()
    project.registries[module, name] = len(paths)
    owners = {} if searched else {module: None}
    for path in paths[searched:]:
        if _mentions(project.imports.data(path), module, registry) and (owner := project.load(path)) is not None:
            owners[owner] = None
    if type(registry) is Class:
        filed = [(owner, each) for owner in owners for each in _derived(interpreter, owner, module, name)]
    else:
        filed = [(owner, each) for owner in owners for each in _decorated(interpreter, owner, module, name)]
    if len(filed) > _MOST:
        _close(interpreter, module, name, registry)
        return
    steps, interpreter.steps = interpreter.steps, STEPS_OF_REGISTRIES
    try:
        for owner, decorated in filed:
            _apply(interpreter, owner, *decorated)
        for owner in owners:
            _execute_calls(interpreter, owner, module, name)
    except Stop:
        _close(interpreter, module, name, registry)
    finally:
        interpreter.steps = steps


def _close(interpreter: Interpreter, module: SourceModule, name: str, registry: Value) -> None:
    """Give up on a registry: it may hold anything."""
    containers.taint(registry)
    del interpreter.project.registries[module, name]


def _execute_calls(interpreter: Interpreter, owner: SourceModule, module: SourceModule, name: str) -> None:
    """Execute the statements ``REGISTRY.add("group", nn.GroupNorm)`` of the top level of a file."""
    scope = Scope(owner, None, "", owner.values)
    for statement in owner.main if type(module.values.get(name)) is Instance else ():
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            root = next(root_name(statement.value.func), "")
            if isinstance(statement.value.func, ast.Attribute) and _origin(interpreter, owner, root) == (module, name):
                owner.values.setdefault(root, module.values[name])
                try:
                    execute(interpreter, statement, scope)
                except Raised:
                    continue  # the name is taken


def _apply(
    interpreter: Interpreter, owner: SourceModule, definition: ast.FunctionDef | ast.ClassDef, decorator: ast.expr
) -> None:
    """Call a decorator with what a definition defines; a derived class announces itself."""
    value = interpreter.name_of_module(owner, definition.name)
    if type(value) not in (Function, Class) or decorator not in definition.decorator_list:
        return
    scope = Scope(owner, None, "", owner.values)
    try:
        callee = evaluate(interpreter, decorator, scope)
        if type(callee) in (Function, Bound, Partial):
            interpreter.call(callee, Call(interpreter, [value], {}, decorator, scope))
    except Raised:
        return  # the name is taken


def _may_be_registry(module: SourceModule, name: str, value: Value) -> bool:
    """Return whether definitions may be filed in a value: a function files in it, or it has a method that does."""
    if type(value) in (dict, list):
        return any(_changes(module, function, name) for function in module.bindings)
    if type(value) is Class:
        return type(value.lookup("__init_subclass__")) is Function
    if type(value) is not Instance or value.is_module:
        return False
    names = " ".join(f"{cls.name} {' '.join(cls.namespace)}" for cls in value.cls.mro).lower()
    return "regist" in names or "factory" in names


def _changes(module: SourceModule, function: str, name: str) -> bool:
    """Return whether a function of a module changes the value of one of the module's names."""
    node = module.bindings.get(function, [None])[-1]
    return isinstance(node, ast.FunctionDef) and name in cached(node, "changes", partial(_changed, node))


def _changed(node: ast.FunctionDef) -> frozenset[str]:
    return frozenset(changed_names(node))


def _mentions(data: bytes, module: SourceModule, registry: Value) -> bool:
    """Return whether a file may import a module and file something: its text has the last part of the name."""
    return (b"@" in data or type(registry) is Class) and module.name.rsplit(".", 1)[-1].encode() in data


def _decorated(interpreter: Interpreter, owner: SourceModule, module: SourceModule, name: str) -> Iterator[Decorated]:
    """Yield the definitions of a file with a decorator that changes the value of a name of ``module``."""
    for definition, decorator in cached(owner.text.tree, "decorated", partial(_decorators, owner.text.tree)):
        root = next(root_name(decorator.func if isinstance(decorator, ast.Call) else decorator), None)
        if root is not None:
            home, original = _origin(interpreter, owner, root)
            if home is module and original == name:
                owner.values.setdefault(root, module.values[name])  # its import may be under way
                yield definition, decorator
            elif home is module and _changes(module, original, name):
                yield definition, decorator


def _derived(interpreter: Interpreter, owner: SourceModule, module: SourceModule, name: str) -> Iterator[Decorated]:
    """Yield the classes of a file that are derived from a class of ``module``, each with its base."""
    for definition in owner.text.tree.body:
        if not isinstance(definition, ast.ClassDef):
            continue
        for base in definition.bases:
            root = next(root_name(base), None)
            if root is not None and _origin(interpreter, owner, root) == (module, name):
                owner.values.setdefault(root, module.values[name])  # its import may be under way
                yield definition, base


def _decorating(module: SourceModule) -> frozenset[str]:
    """Return the first names of the decorators of a file."""
    decorators = (
        decorator for _, decorator in cached(module.text.tree, "decorated", partial(_decorators, module.text.tree))
    )
    calls = (each.func if isinstance(each, ast.Call) else each for each in decorators)
    return frozenset(next(root_name(each), "") for each in calls)


def _decorators(tree: ast.Module) -> list[Decorated]:
    return [
        (statement, decorator)
        for statement in tree.body
        if isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for decorator in reversed(statement.decorator_list)
    ]


def _origin(interpreter: Interpreter, module: SourceModule, name: str) -> tuple[SourceModule | None, str]:
    """Return the module that defines a name of a module, and its name there."""
    for _ in range(4):  # through files that import it from others
        definition = module.bindings.get(name, [None])[-1]
        if not isinstance(definition, ast.ImportFrom):
            return module, name
        alias = next((alias for alias in definition.names if name == (alias.asname or alias.name)), None)
        if alias is None:
            return None, ""
        source = interpreter.project.find(definition.module or "", module, definition.level)
        if source is None:
            followed = libraries.followed(f"{definition.module}.{alias.name}")
            return (None, "") if followed is None else (interpreter.project.library_text(followed[0]), alias.name)
        module, name = source, alias.name
    return None, ""
