"""The models that the files of a project define, and the input that each takes, as far as their text says so.

Files are followed as in source mode: nothing is imported or run. What a project defines is a class that no other
class builds, or a function that returns one, if it holds a convolution.
"""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from convlint.settings.config import ModelEntry
from convlint.settings.input_shapes import InputSpec
from convlint.settings.targets import parse_target
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Tensor
from convlint.static.exploration.entry_points import (
    EntryPoint,
    ExecutionPath,
    callees,
    find_entry_points,
)
from convlint.static.exploration.execute import descendants
from convlint.static.exploration.explore import Exploration, explored
from convlint.static.input_guess import fitting
from convlint.static.program.parse import UnreadableError, walk
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.recursion import with_room
from convlint.support.errors import UsageError

_STEPS = 15_000
_ALIKE = 3  # functions followed of those in a file that call the same

Key = tuple[str, str]
"""A class: its file and its qualified name."""


@dataclass(frozen=True, slots=True)
class Detected:
    """A model. ``target`` is what to check, ``inputs`` are samples as for ``--input``, none where a run is to find one;
    ``why`` says where they are from. ``missing`` says what has to be filled in before it can run, "" for nothing.
    """

    target: str
    inputs: tuple[str, ...] = ()
    why: str = ""
    missing: str = ""
    family: Key = ("", "")  # the class that is built


@dataclass
class _Seen:
    """What the code of a project does with its classes."""

    parts: set[Key] = field(default_factory=set)  # built by another class
    built: dict[Key, str] = field(
        default_factory=dict
    )  # the arguments of a call, where all are literals
    fed: dict[Key, tuple[tuple[InputSpec, ...], str]] = field(
        default_factory=dict
    )  # and by which file


def detect(files: Iterable[str], root: str) -> list[Detected]:
    """The models in files, in their order. ``root`` is the folder of the project, to which targets are relative."""
    return with_room(lambda: _detect([*files], root))


def _detect(files: list[str], root: str) -> list[Detected]:
    project, seen = Project(root), _Seen()
    modules = [m for m in (_module(project, file) for file in files) if m is not None]
    for module in modules:
        for exploration in explored(project, module):
            for path in exploration.paths:
                _note(path, seen)
    found = [one for module in modules for one in _in_module(project, module, seen)]
    return [one for one in found if one.family not in seen.parts]


def _module(project: Project, file: str) -> SourceModule | None:
    """The module of a file, None where it cannot be read or has nothing to do with torch."""
    try:
        with open(file, "rb") as stream:
            module = project.add(file, stream.read())
    except (OSError, UnreadableError):
        return None  # what is wrong with it, `check` tells
    return module if any(b"torch" in one.data for one in project.reached(module)) else None


def _note_parts(path: ExecutionPath, seen: _Seen) -> None:
    for instance, creator in path.interpreter.creators.items():
        if creator is not None and creator.cls.node is not None and instance.cls is not creator.cls:
            seen.parts.add(_key(instance.cls))


def _note(path: ExecutionPath, seen: _Seen) -> None:
    _note_parts(path, seen)
    if path.entry_point.kind not in ("file", "function"):
        return
    for call in path.interpreter.calls:
        place = path.interpreter.called_at.get(call.instance)
        key = _key(call.instance.cls)
        if place is None or not isinstance(place[0], ast.Call) or call.instance.cls.node is None:
            continue
        if (arguments := _literals(place[0])) is not None and not _is_returned(
            place[0], path.entry_point
        ):
            seen.built.setdefault(key, arguments)
        if specs := _specs(path, call.inputs):
            seen.fed.setdefault(key, (specs, path.entry_point.module.path))


def _is_returned(call: ast.Call, entry_point: EntryPoint) -> bool:
    """Whether a function is there to make a call: it stands for it then."""
    return entry_point.kind == "function" and any(
        isinstance(node, ast.Return) and node.value is call for node in walk(entry_point.value.node)
    )


def _literals(call: ast.Call) -> str | None:
    """The arguments of a call as text, None where one is no literal."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    try:
        for value in values:
            ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError):
        return None
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    return ", ".join([ast.unparse(part) for part in (*call.args, *call.keywords)])


def _specs(path: ExecutionPath, tensors: tuple[Tensor, ...]) -> tuple[InputSpec, ...]:
    """Tensors of a call as inputs without their batch; none where a size is not known."""
    found = []
    for tensor in tensors:
        shape = tuple(path.execution.reduced(size) for size in tensor.shape or ())
        plain = tuple(size for size in shape if type(size) is int)
        if len(plain) < 2 or len(plain) != len(shape):
            return ()
        found.append(
            InputSpec(plain[1:], dtype=None if tensor.dtype == "float32" else tensor.dtype)
        )
    return tuple(found)


def _key(cls: Class) -> Key:
    return (cls.module.path if cls.module else "", cls.qualname)


# --- what a file defines


def _in_module(project: Project, module: SourceModule, seen: _Seen) -> Iterator[Detected]:
    where = os.path.relpath(module.path, project.root)
    for one in find_entry_points(project, module):
        if one.name.startswith("_") or one.kind not in ("class", "function") or "." in one.name:
            continue
        call = f"{where}:{one.name}"
        maker = one.value.lookup("__init__") if one.kind == "class" else one.value
        needed = _needed(maker, skip=int(one.kind == "class"))
        key = _key(one.value) if one.kind == "class" else ("", "")
        if key in seen.parts or (needed and one.kind == "function"):
            continue
        if needed and (given := seen.built.get(key)):
            call, needed = f"{call}({given})", []
        if needed:
            if _has_convolution(_first_path(project, one)):
                yield Detected(call, missing=f"needs arguments: {', '.join(needed)}", family=key)
            continue
        yield from _proposed(project, module, call, seen)
    for name in _factories(project, module):
        yield from _proposed(project, module, f"{where}:{name}", seen)


def _factories(project: Project, module: SourceModule) -> Iterator[str]:
    """Functions that leave it to another one to build what they return: no roots, for they name no class. Of those
    that call the same the first few: packages have hundreds.
    """
    followed = {one.name for one in find_entry_points(project, module)}
    counts: Counter[frozenset[str]] = Counter()
    for name, bindings in module.bindings.items():
        node = bindings[-1]
        if not isinstance(node, ast.FunctionDef) or name in followed or name.startswith("_"):
            continue
        called = frozenset(one.id for one in callees(node) if isinstance(one, ast.Name))
        if called and isinstance(node.body[-1], ast.Return) and not _required(node.args):
            counts[called] += 1
            if counts[called] <= _ALIKE:
                yield name


def _needed(maker: object, skip: int) -> list[str]:
    """The parameters of a function without a default, but for the first ``skip``."""
    return _required(maker.node.args, skip) if type(maker) is Function else []


def _required(given: ast.arguments, skip: int = 0) -> list[str]:
    positional = [*given.posonlyargs, *given.args]
    without = positional[skip : len(positional) - len(given.defaults)]
    without += [
        one
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is None
    ]
    return [one.arg for one in without]


def _proposed(project: Project, module: SourceModule, call: str, seen: _Seen) -> Iterator[Detected]:
    """The model that a call gives, if it gives one, with its input."""

    def run(inputs: tuple[InputSpec, ...] = ()) -> ExecutionPath | None:
        target = parse_target(f"./{call}")
        return _first_path(project, EntryPoint(module, "model", call, ModelEntry(target, inputs)))

    try:
        path = run()
    except UsageError:
        return  # a file whose name cannot stand in a target
    model = None if path is None else path.model
    if path is None or type(model) is not Instance or not _has_convolution(path):
        return
    _note_parts(path, seen)
    key = _key(model.cls) if model.cls.node is not None else (module.path, call)
    made = Detected(call, family=key)
    wanted = _needed(model.cls.lookup("forward"), skip=1)
    if _has_example(model):
        yield replace(made, why="its input is example_input_array")
    elif key in seen.fed and len(seen.fed[key][0]) >= len(wanted):
        specs, by = seen.fed[key]
        yield replace(made, inputs=tuple(map(str, specs)), why=f"as in {by}")
    elif len(wanted) > 1:
        yield replace(made, missing=f"forward takes {len(wanted)} inputs: {', '.join(wanted)}")
    else:
        specs, why = fitting(path, run)
        yield replace(made, inputs=tuple(map(str, specs)), why=why)


def _first_path(project: Project, entry_point: EntryPoint) -> ExecutionPath | None:
    """The first execution of something that is followed for itself."""
    exploration = Exploration(project, entry_point)
    exploration.advance(_STEPS)
    path = exploration.paths[0] if exploration.paths else None
    return None if path is None or path.failure else path


def _has_convolution(path: ExecutionPath | None) -> bool:
    if path is None:
        return False
    modules = [module for instance in path.interpreter.built for module in descendants(instance)]
    kinds = {str(module.kind) for module in modules} | {step.op for step in path.execution.steps}
    return any(kind.lower().startswith("conv") for kind in kinds)


def _has_example(model: Instance) -> bool:
    own = model.attrs.get("example_input_array")
    return own is not None or model.cls.lookup("example_input_array") is not None
