"""What is followed in a file: its classes, its functions, what runs at its top level, and the models
that are configured for it.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from convlint.ir import Site
from convlint.static.domain.execution import Execution, Stop
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.interpreter.interpreter import Interpreter
from convlint.static.interpreter.path_choices import PathChoices
from convlint.static.program.parse import children, kept, walk
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule

PARAMETERS = 0  # the scope of the symbols that stand for parameters


@dataclass(slots=True, eq=False)
class ExecutionPath:
    """One execution of a root. ``complete``: it ran to its end; ``steps``: of the program, about."""

    entry_point: EntryPoint
    interpreter: Interpreter
    variant: dict[str, Value] = field(default_factory=dict)  # arguments beside the defaults
    complete: bool = True
    failure: str | None = None  # the traceback of a mistake of convlint's own
    names: dict[str, Value] = field(default_factory=dict)
    instance: Instance | None = None
    model: Value = None  # what a configured target gave
    steps: int = 0

    @property
    def execution(self) -> Execution:
        return self.interpreter.execution


@dataclass(frozen=True, slots=True, eq=False)
class EntryPoint:
    """A piece of the program that is followed for itself: a class, a function, or the file."""

    module: SourceModule
    kind: str  # "class", "function", "file"
    name: str
    value: Value = None
    ignored: tuple[tuple[str, str, Site], ...] = ()  # parameters of a class that it never reads


def find_entry_points(project: Project, module: SourceModule) -> list[EntryPoint]:
    """What is to be followed in a file."""
    return list(_entry_points(project, module))


def _entry_points(project: Project, module: SourceModule) -> Iterator[EntryPoint]:
    for name, bindings in module.bindings.items():
        definition = bindings[-1]
        if isinstance(definition, ast.ClassDef):
            value = _defined(project, module, name)
            if type(value) is Class and value.is_module and value.node is definition:
                yield EntryPoint(module, "class", name, value, tuple(_ignored(value)))
                if type(value.namespace.get("example_input_array")) in (Tensor, tuple):
                    yield EntryPoint(module, "example", name, value)
            elif type(value) is Class and value.node is definition:
                yield from _tests(module, value)
        elif isinstance(definition, ast.FunctionDef) and _is_worth_it(definition):
            value = _defined(project, module, name)
            if type(value) is Function:
                yield EntryPoint(module, "function", name, value)
    if any(_is_worth_it(statement) for statement in module.main):
        yield EntryPoint(module, "file", "")
    here = os.path.abspath(module.path)
    for entry in project.entries:
        path = entry.target.path
        if entry.target.name and path is not None and os.path.abspath(path) == here:
            yield EntryPoint(module, "model", entry.target.text, entry)


def _tests(module: SourceModule, cls: Class) -> Iterator[EntryPoint]:
    """The methods of a class that is no module: a test case, a trainer."""
    for name, value in cls.namespace.items():
        if type(value) is Function and _is_worth_it(value.node):
            yield EntryPoint(module, "function", f"{cls.qualname}.{name}", value)


def _ignored(cls: Class) -> Iterator[tuple[str, str, Site]]:
    """The parameters of a class's own constructor that its body never reads: name, class, place."""
    init = cls.namespace.get("__init__")
    if type(init) is not Function or isinstance(init.node, ast.Lambda):
        return
    read = {n.id for s in init.node.body for n in walk(s) if isinstance(n, ast.Name)}
    if not read.isdisjoint(("locals", "vars")):
        return
    given = init.node.args
    for parameter in [*[*given.posonlyargs, *given.args][1:], *given.kwonlyargs]:
        if parameter.arg not in read:
            text = init.scope.module.text
            yield parameter.arg, cls.qualname, text.site(parameter, init.qualname)


def _defined(project: Project, module: SourceModule, name: str) -> Value:
    interpreter = Interpreter(project, Execution(), PathChoices())
    try:
        return interpreter.name_of_module(module, name)
    except (Stop, RecursionError):
        return UNKNOWN


def _is_worth_it(node: ast.AST) -> bool:
    """Whether code builds or calls anything that could be a model: it calls something that is named
    like a class, or makes a tensor.
    """
    return kept(node, "is_worth_it", lambda: any(_is_telling(callee) for callee in callees(node)))


def callees(node: ast.AST) -> Iterator[ast.expr]:
    """What some code calls, without what only fills a table."""
    pending = [node]
    while pending:
        inner = pending.pop()
        if isinstance(inner, ast.Call):
            yield inner.func
        if not isinstance(inner, ast.Dict):
            pending += children(inner)


def _is_telling(callee: ast.expr) -> bool:
    name = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
    return name in _CREATING or (
        name[:1].isupper() and not name.isupper() and not name.endswith(_ERRORS)
    )


_CREATING = frozenset({"randn", "rand", "zeros", "ones", "empty", "full", "summary"})
_ERRORS = ("Error", "Exception", "Warning", "Path", "Namespace", "ArgumentParser")
