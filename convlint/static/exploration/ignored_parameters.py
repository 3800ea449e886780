"""The parameters of a constructor that it never reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint.ir import Site
from convlint.static.domain.objects import Class, Function
from convlint.static.program.parse import positional, walk

Definition = ast.FunctionDef | ast.AsyncFunctionDef

# Functions that read all local variables, in the function itself or in its callers.
_OF_ALL_NAMES = frozenset({"locals", "vars", "eval", "exec"})
_OF_FRAMES = frozenset({"currentframe", "_getframe", "getargvalues", "stack", "f_back", "f_locals", "store_attr"})
_SAVE = "save_hyperparameters"  # of Lightning: it keeps the arguments of all constructors that are running


def ignored_parameters(cls: Class) -> Iterator[tuple[str, str, Site]]:
    """Yield the parameters of a class's own constructor that nothing reads: name, class, place."""
    init = cls.namespace.get("__init__")
    if type(init) is not Function or isinstance(init.node, ast.Lambda):
        return
    parameters = init.node.args
    names = [*positional(parameters)[1:], *parameters.kwonlyargs]
    read = _names_in(init.node)
    unread = [parameter for parameter in names if parameter.arg not in read]
    if not unread or _is_wrapped(cls, init.node) or not _OF_ALL_NAMES.isdisjoint(read):
        return
    kept = set().union(*[_kept_by(base, {parameter.arg for parameter in unread}) for base in cls.mro])
    for parameter in unread:
        if parameter.arg not in kept:
            yield parameter.arg, cls.qualname, init.scope.module.text.site(parameter, init.qualname)


def _names_in(function: Definition) -> set[str]:
    """Return the names that a function reads, other than to give the same name another value: ``n = n or 8``."""
    found: set[str] = set()
    for statement in function.body:
        own = _only_given(statement)
        found.update(n.id for n in walk(statement) if isinstance(n, ast.Name) and n.id != own)
    return found


def _only_given(statement: ast.stmt) -> str | None:
    """Return the name to which a statement gives a value, if that is all it does."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.If(body=[ast.Assign(targets=[ast.Name(id=name)])], orelse=[]):
            return name
    return None


def _is_wrapped(cls: Class, init: Definition) -> bool:
    """Return whether the arguments pass through other code first: a decorator, ``__new__`` or a metaclass."""
    if init.decorator_list:
        return True
    for base in cls.mro:
        if base.node is not None:
            metaclasses = [keyword.value for keyword in base.node.keywords if keyword.arg == "metaclass"]
            if any("ABCMeta" not in ast.unparse(metaclass) for metaclass in metaclasses):
                return True
            if not {"__new__", "__init_subclass__"}.isdisjoint(base.namespace):
                return True
    return False


def _kept_by(cls: Class, names: set[str]) -> set[str]:
    """Return which arguments the constructor of a class keeps without naming them."""
    init = cls.namespace.get("__init__")
    if type(init) is not Function or isinstance(init.node, ast.Lambda):
        return set()
    kept: set[str] = set()
    for statement in init.node.body:
        for node in walk(statement):
            name = _last_name(node)
            if name in _OF_FRAMES:
                return names
            if isinstance(node, ast.Call):
                called = _last_name(node.func)
                if called == _SAVE:
                    kept |= _saved(node, names)
                elif _reads_frames(cls, init, called):
                    return names
    return kept


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _saved(call: ast.Call, names: set[str]) -> set[str]:
    """Return the arguments that ``save_hyperparameters(*names, ignore=...)`` keeps."""
    if call.args:
        constants = {node.value for argument in call.args for node in walk(argument) if isinstance(node, ast.Constant)}
        return {name for name in names if name in constants} or names
    ignored = [keyword.value for keyword in call.keywords if keyword.arg == "ignore"]
    left_out = {node.value for value in ignored for node in walk(value) if isinstance(node, ast.Constant)}
    return names - left_out


def _reads_frames(cls: Class, init: Function, name: str) -> bool:
    """Return whether a method or function of the program reads the variables of its callers."""
    method = cls.lookup(name)
    if type(method) is Function:
        definitions = [method.node]
    else:
        bound = init.scope.module.bindings.get(name, ())
        definitions = [node for node in bound if isinstance(node, ast.FunctionDef)]
    return any(_last_name(node) in _OF_FRAMES for definition in definitions for node in walk(definition))
