"""The shapes that static analysis knows: the results of calls, and the modules that constructor calls build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from math import prod

from convlint.analysis import ops
from convlint.integrations.lsp.shapes import BuiltModule, Dims, Result, of_functions, outermost
from convlint.ir import Site
from convlint.source_text.texts import SourceTexts
from convlint.static.domain.budget import FileBudget
from convlint.static.domain.execution import Execution
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Tensor, symbols_of
from convlint.static.exploration.entry_points import EntryPoint, ExecutionPath, find_entry_points
from convlint.static.exploration.explore import close, exploration
from convlint.static.interpreter import Interpreter, ModuleCall, PathChoices, update_registries
from convlint.static.layer_kinds import WITH_PARAMETERS
from convlint.static.program.parse import UnreadableError
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.recursion import with_room
from convlint.support.dataclass import dataclass

KINDS = ("model", "example", "file", "function", "class", "factory")
"""Entry points, first those that show the shapes of a real call."""
_RECURRENT = {"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"}
_UNCOUNTED = frozenset({*_RECURRENT, "MultiheadAttention"})  # layers with more than a weight and a bias
_FRESH_NAME = re.compile(r"\b[a-z]+ \d+\b")
_LETTERS = {"batch": "N"}  # of sizes of an input; the first letter of others
_LONGEST_SIZE = 24


@dataclass(frozen=True, slots=True)
class ExecutionShapes:
    """The results and modules of one execution of an entry point. ``name`` is the target of a configured model."""

    kind: str
    name: str
    results: tuple[Result, ...]
    built: tuple[BuiltModule, ...]


def shapes_in(path: str, others: Sequence[str], project: Project, texts: SourceTexts) -> tuple[ExecutionShapes, ...]:
    """Execute the entry points of a file, and the configured models in ``others``; nothing if it has a syntax error."""
    return with_room(partial(_shapes_in, path, others, project, texts))


def _shapes_in(path: str, others: Sequence[str], project: Project, texts: SourceTexts) -> tuple[ExecutionShapes, ...]:
    try:
        module = _module(path, project, texts)
        modules = [other for file in others if (other := _module(file, project, texts)) is not None]
    except (OSError, UnreadableError):
        return ()
    if module is None:
        return ()
    if project.registries:
        update_registries(Interpreter(project, Execution(), PathChoices()))
    entries = [entry for entry in find_entry_points(project, module) if entry.kind in KINDS]
    entries += [entry for other in modules for entry in find_entry_points(project, other) if entry.kind == "model"]
    budget = FileBudget.of_lines(module.text.length).first
    found = []
    for entry in sorted(entries, key=lambda each: KINDS.index(each.kind)):
        if budget <= 0:
            break
        explored = exploration(project, entry)
        execution = explored.paths[-1]
        budget -= execution.steps
        found.append(_of(entry, execution))
        close(project, explored)
    return tuple(found)


def _module(path: str, project: Project, texts: SourceTexts) -> SourceModule | None:
    data = texts.data(path)
    return project.add(path, data) if project.is_followed(path, data) else None


def _of(entry: EntryPoint, path: ExecutionPath) -> ExecutionShapes:
    shapes = _Shapes(path)
    layers = tuple(shapes.layers())
    functions = tuple(of_functions(list(shapes.operators()), layers))
    return ExecutionShapes(entry.kind, entry.name, (*layers, *functions), tuple(shapes.built()))


@dataclass(frozen=True, slots=True)
class _RepeatedCall:
    """A call of a module on shapes that one like it had before: it is not executed again."""

    start: int
    stop: int
    site: Site | None
    outputs: tuple[Tensor, ...]


class _Shapes:
    """The shapes in one execution. Those after an error of the program are not known: it would have ended there."""

    def __init__(self, path: ExecutionPath) -> None:
        self.path = path
        self.execution = path.execution
        steps = self.execution.steps
        errors = (number for number, step in enumerate(steps) if step.error and not step.hypothetical)
        self.last = next(errors, len(steps))
        self.calls = [call for call in path.interpreter.calls if call.stop <= self.last]
        self.names = _names(path)
        self.letters = self._letters()

    def layers(self) -> Iterator[Result]:
        calls: list[ModuleCall | _RepeatedCall] = [*self.calls]
        calls += [
            _RepeatedCall(number, number + 1, step.site, step.outputs)
            for number, step in enumerate(self.execution.steps[: self.last])
            if step.op == "unseen" and "known" in step.attrs
        ]
        for call, site in outermost(calls):
            yield Result(site, self._name(call), self.shapes(call.outputs))

    def _name(self, call: ModuleCall | _RepeatedCall) -> str:
        if isinstance(call, _RepeatedCall):
            return "another"
        return self.names.get(call.instance) or call.instance.cls.name

    def operators(self) -> Iterator[Result]:
        for step in self.execution.steps[: self.last]:
            if step.site is not None and step.layer is None and step.op not in ops.NOT_CALLS and step.outputs:
                yield Result(step.site, step.op, self.shapes(step.outputs), is_layer=False)

    def built(self) -> Iterator[BuiltModule]:
        calls: dict[Instance, list[ModuleCall]] = {}
        for call in self.calls:
            calls.setdefault(call.instance, []).append(call)
        for module, name in self.names.items():
            if module.site is None:
                continue
            called = calls.get(module, [])
            inputs, outputs = (called[0].inputs, called[0].outputs) if called else ((), ())
            yield BuiltModule(
                site=module.site,
                name=name,
                kind=module.cls.qualname.rsplit(".", 1)[-1],
                calls=len(called),
                inputs=self.shapes(inputs) or (),
                outputs=self.shapes(outputs) or (),
                params=self.parameters(module),
                macs=None,
            )

    def shapes(self, tensors: Sequence[Tensor]) -> tuple[Dims, ...] | None:
        found = []
        for tensor in tensors:
            if tensor.shape is None or tensor.cell.is_guess:
                return None
            found.append(tuple([self.size(number) for number in tensor.shape]))
        return tuple(found) or None

    def size(self, number: Num) -> int | str:
        size = self.execution.reduced(number)
        if type(size) is int:
            return size
        if any(symbol.scope == FRESH and symbol.name not in self.letters for symbol in symbols_of(size)):
            return "?"
        text = _FRESH_NAME.sub(lambda match: self.letters.get(match[0], "?"), str(size)).replace(" ", "")
        return text if len(text) <= _LONGEST_SIZE else "?"

    def _letters(self) -> dict[str, str]:
        """Return a letter for each size of the first input: others of the same kind may have another value."""
        letters: dict[str, str] = {}
        inputs = [tensor for step in self.execution.steps if step.op == "input" for tensor in step.outputs]
        for tensor in inputs:
            for number in tensor.shape or ():
                for symbol in symbols_of(self.execution.reduced(number)):
                    word = symbol.name.split()[0]
                    letter = _LETTERS.get(word, word[0].upper())
                    if symbol.scope == FRESH and letter not in letters.values():
                        letters.setdefault(symbol.name, letter)
        return letters

    def parameters(self, module: Instance) -> int | None:
        """Return the number of parameters of a module and the modules in it; None if it is not known."""
        total = 0
        for each in dict.fromkeys((module, *_below(module))):
            if each.incomplete or each.may_have_more_children or each.kind in _UNCOUNTED:
                return None
            if each.kind not in WITH_PARAMETERS:
                if any(type(value) is Tensor for value in each.attrs.values()):
                    return None  # a parameter or a buffer
                continue
            for name in ("weight", "bias"):
                value = each.attrs.get(name)
                if type(value) is not Tensor:
                    if value is None:
                        continue
                    return None
                sizes = [self.size(number) for number in value.shape or ()]
                if value.shape is None or not all(isinstance(size, int) for size in sizes):
                    return None
                total += prod(size for size in sizes if isinstance(size, int))
        return total


def _below(module: Instance) -> Iterator[Instance]:
    for _, child in module.children():
        yield child
        yield from _below(child)


def _names(path: ExecutionPath) -> dict[Instance, str]:
    """Return the paths of the modules of an execution, below the class of a model if there are several."""
    built = path.interpreter.top_modules
    owned = {child for module in built for _, child in module.children()}
    tops = [module for module in built if module not in owned]
    names: dict[Instance, str] = {}
    for top in tops:
        _name(top, "" if len(tops) == 1 or top in (path.instance, path.model) else top.cls.qualname, names)
    return names


def _name(module: Instance, name: str, names: dict[Instance, str]) -> None:
    if module not in names:
        names[module] = name
        for key, child in module.children():
            _name(child, f"{name}.{key}" if name else key, names)
