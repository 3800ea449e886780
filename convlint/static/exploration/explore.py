"""The executions of what is followed in a file, one for each way that it may go, as far as there is
room.
"""

from __future__ import annotations

import ast
from functools import cached_property

from convlint.ir import Site
from convlint.static.domain.execution import Execution, Stop
from convlint.static.domain.values import Num, Value
from convlint.static.exploration.argument_variants import builds_on_condition, variants
from convlint.static.exploration.entry_points import EntryPoint, ExecutionPath, find_entry_points
from convlint.static.exploration.follow import follow
from convlint.static.interpreter import statements
from convlint.static.interpreter.interpreter import Interpreter
from convlint.static.interpreter.path_choices import PathChoices
from convlint.static.program.parse import walk
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule

_MOST_PATHS = 10  # of one class, function or file
_STEPS_PER_PATH = 15_000
_STEPS_PER_FILE = 4_000  # and for each of its lines:
_STEPS_PER_LINE = 1
_FACTORIES = 2  # functions followed first of those that call the same


class Exploration:
    """The executions of a root, one for each way that it can go."""

    def __init__(self, project: Project, entry_point: EntryPoint) -> None:
        self.project = project
        self.entry_point = entry_point
        self.paths: list[ExecutionPath] = []
        self._variants = variants(entry_point)
        self._variant: dict[str, Value] = {}
        self._choices: PathChoices | None = None

    def advance(self, steps: int) -> int | None:
        """Follow the next way, and give the steps that it took; None if there is none."""
        if len(self.paths) >= _MOST_PATHS:
            return None
        if self._choices is None:
            if not self._variants:
                return None
            self._variant, self._choices = self._variants.pop(0), PathChoices()
        path = self._followed(self._choices, self._variant, min(steps, _STEPS_PER_PATH))
        self.paths.append(path)
        self._choices = self._choices.next() if self._goes_on(path) else None
        return path.steps

    def with_all_inputs(self, path: ExecutionPath) -> ExecutionPath:
        """The same way with something unknown for each input that may be left out and was."""
        return self._followed(
            path.interpreter.choices.again(), path.variant, _STEPS_PER_PATH, all_inputs=True
        )

    def _followed(
        self,
        choices: PathChoices,
        variant: dict[str, Value],
        steps: int,
        *,
        all_inputs: bool = False,
    ) -> ExecutionPath:
        interpreter = Interpreter(self.project, Execution(), choices)
        interpreter.steps, interpreter.all_inputs = steps, all_inputs
        path = ExecutionPath(self.entry_point, interpreter, variant)
        try:
            follow(path, variant)
        except statements.Raised:
            path.complete = False
        except Stop as stop:
            path.complete = False
            interpreter.execution.record_gap(str(stop))
        except RecursionError:
            path.complete = False
            interpreter.execution.record_gap("it is nested too deeply to follow")
        except Exception:  # noqa: BLE001 - a mistake of ours is told, and the rest is checked
            path.complete = False
            import traceback

            path.failure = traceback.format_exc()
        path.steps = steps - interpreter.steps
        return path

    @property
    def contracts(self) -> Contracts:
        """What the class had to take for granted at each call, as far as it was followed."""
        found: Contracts = {}
        for path in self.paths:
            for step in path.execution.steps:
                if step.site is not None and step.demands:
                    found.setdefault(step.site, set()).update(step.demands)
        return found

    def _goes_on(self, path: ExecutionPath) -> bool:
        """Whether the other ways at the conditions of one could show anything: layers may be built
        on one of them alone, or what failed here may work there.
        """
        return self._has_sides or any(step.error for step in path.execution.steps)

    @cached_property
    def _has_sides(self) -> bool:
        return builds_on_condition(self.entry_point)


Contracts = dict[Site, set[tuple[Num, Num]]]


def contracts(project: Project, entry_point: EntryPoint) -> Contracts:
    """What a class takes for granted, by the call that needs it."""
    if entry_point.value not in project.contracts:
        project.contracts[entry_point.value] = exploration(project, entry_point).contracts
    found: Contracts = project.contracts[entry_point.value]
    return found


def close(project: Project, explored: Exploration) -> None:
    """Forget the executions of a root that was judged: only what its class takes for granted is
    asked for again.
    """
    entry_point = explored.entry_point
    if entry_point.kind == "class":
        project.contracts[entry_point.value] = explored.contracts
    project.explorations.pop(
        entry_point.value if entry_point.kind == "class" else entry_point, None
    )
    for path in explored.paths:
        for instance in path.interpreter.creators:
            instance.frames = ()  # they hold what holds the object: nothing would be freed


def exploration(project: Project, entry_point: EntryPoint) -> Exploration:
    """The exploration of a root: the same for a class, whoever asks. Its first way is followed."""
    key = entry_point.value if entry_point.kind == "class" else entry_point
    if key not in project.explorations:
        project.explorations[key] = made = Exploration(project, entry_point)
        made.advance(_STEPS_PER_PATH)
    found: Exploration = project.explorations[key]
    return found


def explored(project: Project, module: SourceModule) -> list[Exploration]:
    """Everything that is to be followed in a file, as far as its size gives room: first each class
    as its defaults have it, then what the file itself runs and its functions, then the other ways.
    """
    left = _STEPS_PER_FILE + _STEPS_PER_LINE * module.text.length
    found = find_entry_points(project, module)
    classes_first = [entry_point for entry_point in found if entry_point.kind == "class"]
    first, later = _bycallees([entry_point for entry_point in found if entry_point.kind != "class"])
    made: list[Exploration] = []
    for group in (classes_first, first):
        for entry_point in group:
            one = exploration(project, entry_point)
            made.append(one)
            left -= one.paths[0].steps
    pending = made[:]
    while pending and left > 0:
        one = pending.pop(0)
        steps = one.advance(left)
        if steps is not None:
            left -= steps
            pending.append(one)
    for entry_point in later:
        if left <= 0:
            break
        one = exploration(project, entry_point)
        made.append(one)
        left -= one.paths[0].steps
    return made


def _bycallees(functions: list[EntryPoint]) -> tuple[list[EntryPoint], list[EntryPoint]]:
    """Functions to follow first, and the rest: factories of one family call the same, and differ in
    a few numbers.
    """
    counts: dict[frozenset[str], int] = {}
    first: list[EntryPoint] = []
    later: list[EntryPoint] = []
    for entry_point in functions:
        key = frozenset([entry_point.kind])
        if entry_point.kind == "function":
            key = frozenset(
                node.func.id
                for node in walk(entry_point.value.node)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            )
        counts[key] = counts.get(key, 0) + 1
        (first if counts[key] <= _FACTORIES else later).append(entry_point)
    return first, later
