"""The models that the files of a project define, and their inputs, as far as static analysis can determine.

A model is a class that no other class builds, or a function that returns one, if it contains a convolution.
"""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from convlint.settings.config import ModelEntry
from convlint.settings.input_shapes import InputSpec
from convlint.settings.targets import parse_target
from convlint.static import example_arguments
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Tensor
from convlint.static.exploration.entry_points import EntryPoint, ExecutionPath, callees, find_entry_points
from convlint.static.exploration.execute import descendants
from convlint.static.exploration.explore import Exploration, explored
from convlint.static.input_guess import guess_input
from convlint.static.program.parse import UnreadableError, positional, walk
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.recursion import with_room
from convlint.support.dataclass import dataclass, field, replace
from convlint.support.errors import UsageError
from convlint.support.regular_file import read_regular_file

_MOST_EXAMPLES = 12  # arguments that are tried for one model
_ALIKE = 3  # functions executed of those in a file that call the same

ClassKey = tuple[str, str]  # the file and the qualified name of a class


@dataclass(frozen=True, slots=True)
class Detected:
    """A model. ``target`` is its target on the command line, and ``inputs`` are its inputs as for
    ``--input``, none if only a run can determine them; ``why`` says where they come from. ``missing``
    says what has to be filled in before it can run, "" for nothing.
    """

    target: str
    inputs: tuple[str, ...] = ()
    why: str = ""
    missing: str = ""
    family: ClassKey = ("", "")  # the class that is built


@dataclass
class _Usage:
    """The use of classes by the code of a project."""

    parts: set[ClassKey] = field(default_factory=set)  # built by another class
    arguments: dict[ClassKey, str] = field(default_factory=dict)  # of a call, if all are literals
    inputs: dict[ClassKey, tuple[tuple[InputSpec, ...], str]] = field(default_factory=dict)
    # ... and the file that passes them


def detect(files: Iterable[str], root: str) -> list[Detected]:
    """Find the models in files, in their order; their targets are relative to ``root``, the project's folder."""
    return with_room(lambda: _detect([*files], root))


def _detect(files: list[str], root: str) -> list[Detected]:
    project, usage = Project(root), _Usage()
    modules = [m for m in (_module(project, file) for file in files) if m is not None]
    for module in modules:
        for exploration in explored(project, module).explorations:
            for path in exploration.paths:
                _note_usage(path, usage)
    models = [model for module in modules for model in _models_in(project, module, usage)]
    return [model for model in models if model.family not in usage.parts]


def _module(project: Project, file: str) -> SourceModule | None:
    """Return the module of a file; None if it cannot be read, which ``check`` reports, or does not use torch."""
    try:
        data = read_regular_file(file)
        return project.add(file, data) if project.is_followed(file, data) else None
    except (OSError, UnreadableError):
        return None


# --- how classes are used


def _note_parts(path: ExecutionPath, usage: _Usage) -> None:
    for instance, creator in path.interpreter.creators.items():
        if creator is not None and creator.cls.node is not None and instance.cls is not creator.cls:
            usage.parts.add(_key(instance.cls))


def _note_usage(path: ExecutionPath, usage: _Usage) -> None:
    _note_parts(path, usage)
    if path.entry_point.kind not in ("file", "function"):
        return
    for call in path.interpreter.calls:
        node, _ = path.interpreter.built_at.get(call.instance, (None, None))
        if not isinstance(node, ast.Call) or call.instance.cls.node is None:
            continue
        key = _key(call.instance.cls)
        arguments = _literals(node)
        if arguments is not None and not _is_returned(node, path.entry_point):
            usage.arguments.setdefault(key, arguments)
        if specs := _specs(path, call.inputs):
            usage.inputs.setdefault(key, (specs, path.entry_point.module.path))


def _is_returned(call: ast.Call, entry_point: EntryPoint) -> bool:
    """Return whether a function returns a call: then the function is the model, not the class with these arguments."""
    return entry_point.kind == "function" and any(
        isinstance(node, ast.Return) and node.value is call for node in walk(entry_point.value.node)
    )


def _literals(call: ast.Call) -> str | None:
    """Return the arguments of a call as text; None unless all are literals."""
    try:
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError):
        return None
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    return ", ".join([ast.unparse(part) for part in (*call.args, *call.keywords)])


def _specs(path: ExecutionPath, tensors: tuple[Tensor, ...]) -> tuple[InputSpec, ...]:
    """Return the shapes of tensors without their batch dimension; none if a size is not known."""
    specs = []
    for tensor in tensors:
        shape = tuple(path.execution.reduced(size) for size in tensor.shape or ())
        plain = tuple(size for size in shape if type(size) is int)
        if len(plain) < 2 or len(plain) != len(shape):
            return ()
        specs.append(InputSpec(plain[1:], dtype=None if tensor.dtype == "float32" else tensor.dtype))
    return tuple(specs)


def _key(cls: Class) -> ClassKey:
    return (cls.module.path if cls.module else "", cls.qualname)


# --- the models of a file


def _models_in(project: Project, module: SourceModule, usage: _Usage) -> Iterator[Detected]:
    file = os.path.relpath(module.path, project.root)
    for entry_point in find_entry_points(project, module):
        name, value = entry_point.name, entry_point.value
        is_class = entry_point.kind == "class"
        if name.startswith("_") or "." in name or not (is_class or entry_point.kind == "function"):
            continue
        target = f"{file}:{name}"
        required = _required_of(value.lookup("__init__") if is_class else value, skip=int(is_class))
        key = _key(value) if is_class else ("", "")
        if key in usage.parts:
            continue
        if required and (arguments := usage.arguments.get(key)):
            target, required = f"{target}({arguments})", []
        if not required:
            yield from _model(project, module, target, usage)
        elif len(required) == 1 and (model := _with_example(project, module, entry_point, target, usage)):
            yield model
        elif is_class and _has_convolution(_first_path(project, entry_point)):
            names = ", ".join(parameter.arg for parameter in required)
            yield Detected(target, missing=f"needs arguments: {names}", family=key)
    for name in _factories(project, module):
        yield from _model(project, module, f"{file}:{name}", usage)


def _with_example(
    project: Project, module: SourceModule, entry_point: EntryPoint, target: str, usage: _Usage
) -> Detected | None:
    """The model that is built with one of the arguments that the project has for it, if any is."""
    is_class = entry_point.kind == "class"
    function = entry_point.value.lookup("__init__") if is_class else entry_point.value
    (parameter,) = _required(function.node.args, skip=int(is_class))
    scope = entry_point.value.node
    found = example_arguments.texts(module, scope, parameter, project.root, project.imports.read_files())
    for text in islice(found, _MOST_EXAMPLES):
        for model in _model(project, module, f"{target}({text})", usage):
            return model
    return None


def _factories(project: Project, module: SourceModule) -> Iterator[str]:
    """Yield functions that return the result of another function, few of those that call the same."""
    others = {each.name for each in find_entry_points(project, module) if each.kind != "factory"}
    counts: Counter[frozenset[str]] = Counter()
    for name, bindings in module.bindings.items():
        node = bindings[-1]
        if not isinstance(node, ast.FunctionDef) or name in others or name.startswith("_"):
            continue
        called = frozenset(callee.id for callee in callees(node) if isinstance(callee, ast.Name))
        if called and isinstance(node.body[-1], ast.Return) and not _required(node.args):
            counts[called] += 1
            if counts[called] <= _ALIKE:
                yield name


def _required_of(function: object, skip: int) -> list[ast.arg]:
    """Return the required parameters of a function, without the first ``skip``; none of anything else."""
    return _required(function.node.args, skip) if type(function) is Function else []


def _required(parameters: ast.arguments, skip: int = 0) -> list[ast.arg]:
    by_position = positional(parameters)
    by_name = zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
    required = by_position[skip : len(by_position) - len(parameters.defaults)]
    return [*required, *(parameter for parameter, default in by_name if default is None)]


def _model(project: Project, module: SourceModule, target: str, usage: _Usage) -> Iterator[Detected]:
    """Yield the model that a target returns, with its input; nothing unless it is one."""

    def run(inputs: tuple[InputSpec, ...] = ()) -> ExecutionPath | None:
        entry = ModelEntry(parse_target(f"./{target}"), inputs)
        return _first_path(project, EntryPoint(module, "model", target, entry))

    try:
        path = run()
    except UsageError:
        return  # the name of the file cannot be part of a target
    model = None if path is None else path.model
    if path is None or type(model) is not Instance or not _has_convolution(path):
        return
    _note_parts(path, usage)
    key = _key(model.cls) if model.cls.node is not None else (module.path, target)
    detected = Detected(target, family=key)
    required = _required_of(model.cls.lookup("forward"), skip=1)
    if _has_example(model):
        yield replace(detected, why="its input is example_input_array")
    elif key in usage.inputs and len(usage.inputs[key][0]) >= len(required):
        specs, file = usage.inputs[key]
        yield replace(detected, inputs=tuple(map(str, specs)), why=f"as in {file}")
    elif len(required) > 1:
        names = ", ".join(parameter.arg for parameter in required)
        yield replace(detected, missing=f"forward takes {len(required)} inputs: {names}")
    else:
        specs, why = guess_input(path, run)
        yield replace(detected, inputs=tuple(map(str, specs)), why=why)


def _first_path(project: Project, entry_point: EntryPoint) -> ExecutionPath | None:
    """Return the first execution of an entry point; None if convlint failed."""
    exploration = Exploration(project, entry_point)
    exploration.advance()
    path = exploration.paths[0] if exploration.paths else None
    return None if path is None or path.failure else path


def _has_convolution(path: ExecutionPath | None) -> bool:
    if path is None:
        return False
    modules = [module for instance in path.interpreter.top_modules for module in descendants(instance)]
    kinds = {str(module.kind) for module in modules} | {step.op for step in path.execution.steps}
    return any(kind.lower().startswith("conv") for kind in kinds)


def _has_example(model: Instance) -> bool:
    own = model.attrs.get("example_input_array")
    return own is not None or model.cls.lookup("example_input_array") is not None
