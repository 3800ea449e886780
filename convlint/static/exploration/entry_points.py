"""The entry points of a file: its classes, its functions, its top level, and the models that are configured for it."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convlint.ir import Site
from convlint.static.domain.execution import Execution, Gap, Stop
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.exploration.ignored_parameters import ignored_parameters
from convlint.static.interpreter import Interpreter, PathChoices
from convlint.static.program.parse import cached, children, walk
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.support.dataclass import dataclass, field
from convlint.support.reachability import Reachability

if TYPE_CHECKING:
    from convlint.ir import Graph

PARAMETERS = 0  # the scope of the symbols that stand for parameters


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EntryPoint:
    """A piece of the program that is executed by itself.

    ``kind`` is "class", "function", "factory" (a function that calls such a one, or passes a class to one), "file",
    "example" (a class with an ``example_input_array``) or "model" (a configured target); ``value`` is the class, the
    function or the configured entry.
    """

    module: SourceModule
    kind: str
    name: str
    value: Value = None
    ignored: tuple[tuple[str, str, Site], ...] = ()  # parameters of a class that it never reads


@dataclass(slots=True, eq=False, repr=False)
class ExecutionPath:
    """One execution of an entry point."""

    entry_point: EntryPoint
    interpreter: Interpreter
    variant: dict[str, Value] = field(default_factory=dict)  # arguments other than the defaults
    complete: bool = True  # whether it ran to its end
    last: ast.stmt | None = None  # of the top level: the statement in which the steps were used up
    raised: Gap | None = None  # the exception of the program that ended it
    failure: str | None = None  # the traceback of an error in convlint itself
    names: dict[str, Value] = field(default_factory=dict)  # of the top level, if that was executed
    instance: Instance | None = None  # of the class
    model: Value = None  # what a configured target returned
    graph: Graph | None = None  # in which findings were made
    steps: int = 0  # statements and calls of the program, approximately
    unreported: frozenset[tuple[str, int]] = frozenset()  # lines with errors that an input which it left out may change
    rebuilt: tuple[tuple[str, Site], ...] = ()  # layers that every forward builds: classes and constructor calls
    hooked: frozenset[Site] = frozenset()  # constructor calls of layers with a hook, in any execution of the file

    @property
    def execution(self) -> Execution:
        return self.interpreter.execution


def find_entry_points(project: Project, module: SourceModule) -> list[EntryPoint]:
    """Return the entry points of a file, in their order."""
    return list(_entry_points(project, module))


def _entry_points(project: Project, module: SourceModule) -> Iterator[EntryPoint]:
    calls_a_user = _calls_a_user(module)
    for name, bindings in module.bindings.items():
        definition = bindings[-1]
        if isinstance(definition, ast.ClassDef):
            value = _defined(project, module, name)
            if type(value) is Class and value.is_module and value.node is definition:
                yield EntryPoint(module, "class", name, value, tuple(ignored_parameters(value)))
                if type(value.namespace.get("example_input_array")) in (Tensor, tuple):
                    yield EntryPoint(module, "example", name, value)
            elif type(value) is Class and value.node is definition:
                for method, function in value.namespace.items():  # of a test case, a trainer
                    if type(function) is Function and _may_use_models(function.node):
                        yield EntryPoint(module, "function", f"{value.qualname}.{method}", function)
        elif isinstance(definition, ast.FunctionDef) and calls_a_user(definition):
            value = _defined(project, module, name)
            if type(value) is Function:
                kind = "function" if _may_use_models(definition) else "factory"
                yield EntryPoint(module, kind, name, value)
    if any(_may_use_models(statement) for statement in module.main):
        yield EntryPoint(module, "file", "")
    here = os.path.abspath(module.path)
    for entry in project.entries:
        file = entry.target.path
        if entry.target.name and file is not None and os.path.abspath(file) == here:
            yield EntryPoint(module, "model", entry.target.text, entry)


def _defined(project: Project, module: SourceModule, name: str) -> Value:
    interpreter = Interpreter(project, Execution(), PathChoices())
    try:
        return interpreter.name_of_module(module, name)
    except (Stop, RecursionError):
        return UNKNOWN


def _may_use_models(node: ast.AST) -> bool:
    """Return whether code calls something named like a class, or creates a tensor."""
    return cached(node, "may_use_models", lambda: any(_may_give_a_model(callee) for callee in callees(node)))


def _may_pass_models(module: SourceModule, node: ast.AST) -> bool:
    """Return whether code passes a class to a function, as ``build(ResNet, ...)`` does."""
    return cached(node, "may_pass_models", lambda: any(_names_a_class(module, name) for name in _passed_first(node)))


def _names_a_class(module: SourceModule, name: ast.Name) -> bool:
    definition = module.bindings.get(name.id, [None])[-1]
    return isinstance(definition, ast.ClassDef) or (definition is not None and _may_give_a_model(name))


def _calls_a_user(module: SourceModule) -> Reachability[ast.FunctionDef]:
    """Return whether a function, or one of its file that it calls, directly or not, may use models."""

    def called(function: ast.FunctionDef) -> Iterator[ast.FunctionDef]:
        for callee in (*callees(function), *_commands(function)):
            definition = module.bindings.get(callee.id, [None])[-1] if isinstance(callee, ast.Name) else None
            if isinstance(definition, ast.FunctionDef):
                yield definition

    return Reachability(called, lambda each: _may_use_models(each) or _may_pass_models(module, each))


def callees(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the callees of the calls in some code, except those in dict displays: these are tables."""
    pending = [node]
    while pending:
        inner = pending.pop()
        if isinstance(inner, ast.Call):
            yield inner.func
        if not isinstance(inner, ast.Dict):
            pending += children(inner)


def _commands(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield what a function sets as the default of an option: ``parser.set_defaults(func=train)``."""
    for callee in callees(function):
        if isinstance(callee, ast.Attribute) and callee.attr == "set_defaults":
            calls = (node for node in walk(function) if isinstance(node, ast.Call))
            yield from [keyword.value for call in calls if call.func is callee for keyword in call.keywords]


def _passed_first(node: ast.AST) -> Iterator[ast.Name]:
    """Yield the names that are first arguments of calls of plain functions: ``build(ResNet, ...)``."""
    for inner in walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id not in _ASKING:
            yield from [first for first in inner.args[:1] if isinstance(first, ast.Name)]


def _may_give_a_model(callee: ast.expr) -> bool:
    name = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
    if name[:1].isupper():
        return not name.endswith(_NOT_MODELS)
    return name in _CREATING or (name.startswith(_BUILDING) and name.endswith(_BUILT))


_CREATING = frozenset({"randn", "rand", "zeros", "ones", "empty", "full", "summary"})
_BUILDING = ("build", "create_", "make_", "get_", "instantiate")
_BUILT = ("build", "model", "net", "network", "backbone", "detector", "from_config", "from_cfg")
_ASKING = frozenset({"isinstance", "issubclass", "hasattr", "getattr", "print", "len", "super", "type", "str"})
_NOT_MODELS = (
    *("Error", "Exception", "Warning", "Path", "Namespace", "ArgumentParser"),
    *("OrderedDict", "Counter", "TypeVar", "ParamSpec", "NewType", "Enum"),
)
