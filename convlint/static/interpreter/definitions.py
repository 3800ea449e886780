"""Definitions of functions and classes, and imports."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Class, Function, Scope
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.interpreter import classes, libraries
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.dispatch import evaluate, execute
from convlint.static.program.parse import positional
from convlint.static.program.source_module import SourceModule, root_name

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


# --- functions


def define_function(interpreter: Interpreter, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
    """``def name(...): ...``. Decorators are assumed to return the function, except those of some libraries."""
    value: Value = make_function(interpreter, node, scope)
    for decorator in reversed(node.decorator_list):
        if isinstance(decorator, ast.Call) and _is_followed(scope.module, decorator.func):
            callee = evaluate(interpreter, decorator, scope)
            value = interpreter.call(callee, Call(interpreter, [value], {}, decorator, scope))
    scope.names[node.name] = value


def _is_followed(module: SourceModule, decorator: ast.expr) -> bool:
    """Return whether a decorator comes from a library whose decorators change what a function takes."""
    name = next(root_name(decorator), None)
    for statement in module.bindings.get(name or "", ()):
        if isinstance(statement, ast.ImportFrom):
            return statement.module in libraries.DECORATING
        if isinstance(statement, ast.Import):
            return name in libraries.DECORATING
    return False


def make_function(
    interpreter: Interpreter, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope
) -> Function:
    """Return the function that a definition creates; its defaults are evaluated."""
    name = getattr(node, "name", "<lambda>")
    prefix = f"{scope.qualname}.<locals>." if scope.qualname else ""
    by_position = positional(node.args)
    with_default = by_position[len(by_position) - len(node.args.defaults) :]
    defaults = [
        *zip(with_default, node.args.defaults, strict=True),
        *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
    ]
    values = {
        parameter.arg: _default(interpreter, default, scope) for parameter, default in defaults if default is not None
    }
    return Function(node, scope, prefix + name, values)


def _default(interpreter: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """Return the value of a default. A definition at the top level is executed when its name is first used;
    a variable that the top level changes may then have another value, so it is unknown.
    """
    unsteady = scope.module.unsteady if scope.outer is None else frozenset()
    if isinstance(node, ast.Name) and node.id not in scope.module.rebound:
        unsteady = frozenset()  # it is the same object at any time
    if unsteady and any(isinstance(n, ast.Name) and n.id in unsteady for n in ast.walk(node)):
        return UNKNOWN
    return evaluate(interpreter, node, scope)


# --- classes


def define_class(interpreter: Interpreter, node: ast.ClassDef, scope: Scope) -> None:
    """``class Name: ...``. Decorators are assumed to return the class."""
    qualname = f"{scope.qualname}.{node.name}" if scope.qualname else node.name
    bases = tuple([evaluate(interpreter, base, scope) for base in node.bases])
    cls = Class(node.name, bases, node, scope.module, qualname=qualname)
    cls.mro = classes.linear(cls, bases)
    inner = Scope(scope.module, scope, qualname, cls.namespace)
    # Methods do not see the names of the class body: their scope is the one around the class.
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            _method(interpreter, cls, statement, scope)
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            execute(interpreter, statement, inner)
    scope.names[node.name] = cls
    _announce(interpreter, cls, node, scope)


def _announce(interpreter: Interpreter, cls: Class, node: ast.ClassDef, scope: Scope) -> None:
    """Call ``__init_subclass__`` of the bases of a class."""
    hook = next(
        (base.namespace["__init_subclass__"] for base in cls.mro[1:] if "__init_subclass__" in base.namespace), None
    )
    if type(hook) is Function:
        keywords = [each for each in node.keywords if each.arg not in (None, "metaclass")]
        options = {str(each.arg): evaluate(interpreter, each.value, scope) for each in keywords}
        place = ast.copy_location(ast.Name(node.name, ast.Load()), node)
        interpreter.call_function(hook, Call(interpreter, [cls], options, place, scope))


def _method(interpreter: Interpreter, cls: Class, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
    function = make_function(interpreter, node, scope)
    function.owner = cls
    function.qualname = f"{cls.qualname}.{node.name}"
    for decorator in node.decorator_list:
        name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
        if name in ("property", "cached_property"):
            function.kind = "property"
        elif name in ("staticmethod", "classmethod"):
            function.kind = name
        elif name in ("setter", "deleter", "overload"):
            return
    cls.namespace[node.name] = function


# --- modules


def import_modules(interpreter: Interpreter, node: ast.Import, scope: Scope) -> None:
    """``import a, b as c``."""
    for alias in node.names:
        name = alias.name if alias.asname else alias.name.split(".")[0]
        scope.names[alias.asname or name] = interpreter.project.find(name, scope.module) or interpreter.of_library(name)


def import_names(interpreter: Interpreter, node: ast.ImportFrom, scope: Scope) -> None:
    """``from a import b, c as d``."""
    source = node.module or ""
    if scope.module.is_library:
        for alias in node.names:
            scope.names[alias.name] = interpreter.of_library(f"{source}.{alias.name}")
        return
    module = interpreter.project.find(source, scope.module, node.level)
    for alias in node.names:
        if alias.name == "*":
            continue
        inner = f"{source}.{alias.name}" if source else alias.name
        value: Value
        if module is not None and (module is not scope.module or alias.name not in module.pending):
            if alias.name in module.bindings or module.stars:
                value = interpreter.name_of_module(module, alias.name)
            else:
                value = interpreter.project.find(inner, scope.module, node.level) or UNKNOWN
        else:
            found = interpreter.project.find(inner, scope.module, node.level)
            value = found or (UNKNOWN if node.level else interpreter.of_library(inner))
        scope.names[alias.asname or alias.name] = value
