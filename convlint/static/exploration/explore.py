"""The executions of the entry points of a file, one for each path through it, within a budget of steps."""

from __future__ import annotations

import ast
from collections import Counter, deque
from collections.abc import Iterator
from functools import cached_property

from convlint.ir import Site
from convlint.static.domain.budget import FileBudget, steps_of_a_path
from convlint.static.domain.execution import Execution, Gap, Stop
from convlint.static.domain.values import Num, Value
from convlint.static.exploration.argument_variants import (
    argument_variants,
    builds_on_condition,
    default_numbers,
    fails_at_defaults,
)
from convlint.static.exploration.entry_points import EntryPoint, ExecutionPath, find_entry_points
from convlint.static.exploration.execute import execute_entry_point
from convlint.static.interpreter import Interpreter, PathChoices, Raised, update_registries
from convlint.static.program.parse import positional, walk
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.support.dataclass import dataclass

_MOST_PATHS = 10  # of one entry point
_MOST_DECIDING_PATHS = 32  # of one that fails on a branch
_COUNTS = (2, 3, 4, 5, 6)  # of blocks, or of items of a list
_ALIKE = {"factory": 1}
"""How many of the functions that call the same are executed first, 2 of other kinds."""


class Exploration:
    """The executions of an entry point, one for each path through it."""

    def __init__(self, project: Project, entry_point: EntryPoint) -> None:
        self.project = project
        self.entry_point = entry_point
        self.paths: list[ExecutionPath] = []
        lines = entry_point.module.text.length
        self._most = FileBudget.of_lines(lines).first if entry_point.kind == "file" else steps_of_a_path(lines)
        self.fails_at_defaults = False  # as far as the first execution shows
        self.fails_on_a_branch = False  # whether one fails that took a branch of a condition; another may work
        # The paths to take next: the first with each set of arguments, then others with these.
        self._pending = deque((variant, PathChoices()) for variant in argument_variants(entry_point))
        self._count = _COUNTS[0]

    def advance(self, steps: int | None = None) -> int | None:
        """Execute the next path, within ``steps`` if given. Returns the steps taken, None if no path is left."""
        if len(self.paths) >= (_MOST_DECIDING_PATHS if self.fails_on_a_branch else _MOST_PATHS) or not self._pending:
            return None
        variant, choices = self._pending.popleft()
        path = self._execute(choices, variant, self._most if steps is None else min(steps, self._most))
        for count in _COUNTS[1:]:
            if path.complete or self.paths or not path.execution.has_settled:
                break
            self._count = count  # the class may only accept lists of another length
            path = self.with_count(path, count)
        self.paths.append(path)
        self.fails_on_a_branch |= bool(path.interpreter.choices.choices) and _fails(path)
        if len(self.paths) == 1 and fails_at_defaults(path):
            self._pending.appendleft((default_numbers(path), PathChoices()))
            self.fails_at_defaults = True
            return path.steps
        # Other branches may build other layers, or work where this path fails, or is not followed.
        has_more_to_show = self._builds_on_condition or self.fails_on_a_branch or bool(path.execution.unfollowed)
        others = choices.next() if has_more_to_show else None
        if others is not None:
            self._pending.append((variant, others))
        return path.steps

    def with_all_inputs(self, path: ExecutionPath) -> ExecutionPath:
        """Return the same path with UNKNOWN for each optional input that the path left out."""
        return self._execute(path.interpreter.choices.again(), path.variant, self._most, all_inputs=True)

    def with_count(self, path: ExecutionPath, count: int) -> ExecutionPath:
        """Return the same path with another number of everything that a caller may give any number of."""
        return self._execute(path.interpreter.choices.again(), path.variant, self._most, count=count)

    def _execute(
        self, choices: PathChoices, variant: dict[str, Value], steps: int, *, all_inputs: bool = False, count: int = 0
    ) -> ExecutionPath:
        interpreter = Interpreter(self.project, Execution(count=count or self._count), choices)
        interpreter.steps, interpreter.pass_all_inputs = steps, all_inputs
        path = ExecutionPath(self.entry_point, interpreter, variant, complete=False)
        try:
            execute_entry_point(path)
            path.complete = True
        except Raised as raised:  # nothing after it is executed
            if "NotImplementedError" not in str(raised):  # of a class that others are derived from
                owner = None if raised.may_not_happen else raised.owner
                path.raised = Gap(raised.site or interpreter.execution.site, str(raised), owner=owner)
        except Stop as stop:
            interpreter.execution.record_gap(str(stop))
        except RecursionError:
            interpreter.execution.record_gap("the code is nested too deeply")
        except Exception:  # noqa: BLE001 - an error in convlint becomes a problem; the rest is checked
            import traceback

            path.failure = traceback.format_exc()
        path.steps = steps - interpreter.steps
        return path

    @property
    def has_more_branches(self) -> bool:
        """Return whether conditions have branches that no execution took yet."""
        return any(choices.choices for _, choices in self._pending)

    @property
    def contracts(self) -> Contracts:
        """The equalities that the executions assumed, by the call that needs them."""
        contracts: Contracts = {}
        for path in self.paths:
            for step in path.execution.steps:
                if step.site is not None and step.demands:
                    contracts.setdefault(step.site, set()).update(step.demands)
        return contracts

    @cached_property
    def _builds_on_condition(self) -> bool:
        return self.entry_point.kind != "factory" and builds_on_condition(self.entry_point)


def _fails(path: ExecutionPath) -> bool:
    return any(step.error for step in path.execution.steps) or any(each.error for each in path.interpreter.creators)


Contracts = dict[Site, set[tuple[Num, Num]]]


def contracts(project: Project, entry_point: EntryPoint) -> Contracts:
    """Return the equalities that a class assumes, by the call that needs them."""
    if entry_point.value not in project.contracts:
        project.contracts[entry_point.value] = exploration(project, entry_point).contracts
    known: Contracts = project.contracts[entry_point.value]
    return known


def close(project: Project, explored: Exploration) -> None:
    """Free the executions of an entry point, except the contracts of a class."""
    entry_point = explored.entry_point
    if entry_point.kind == "class":
        project.contracts[entry_point.value] = explored.contracts
    project.explorations.pop(_key(entry_point), None)
    for path in explored.paths:
        for instance in path.interpreter.creators:
            instance.frames = ()  # breaks a cycle: the frames refer to what holds the object


def exploration(project: Project, entry_point: EntryPoint, steps: int | None = None) -> Exploration:
    """Return the exploration of an entry point, shared within the project; its first path is executed, within
    ``steps`` if given.
    """
    key = _key(entry_point)
    if key not in project.explorations:
        project.explorations[key] = new = Exploration(project, entry_point)
        new.advance(steps)
        if new.fails_at_defaults:
            new.advance()
    known: Exploration = project.explorations[key]
    return known


def _key(entry_point: EntryPoint) -> object:
    return entry_point.value if entry_point.kind == "class" else entry_point


@dataclass(frozen=True)
class Explored:
    """The explorations of a file, and the classes and functions for which there were no steps left."""

    explorations: list[Exploration]
    left_out: list[EntryPoint]


def explored(project: Project, module: SourceModule) -> Explored:
    """Explore a file within a budget: classes, then the top level and functions, then more paths and functions."""
    if project.registries:
        update_registries(Interpreter(project, Execution(), PathChoices()))
    budget = FileBudget.of_lines(module.text.length)
    entry_points = find_entry_points(project, module)
    classes = [entry_point for entry_point in entry_points if entry_point.kind == "class"]
    first, later = _by_callees([entry for entry in entry_points if entry.kind != "class"])
    explorations: list[Exploration] = []
    left_out: list[EntryPoint] = []
    entered: set[ast.AST] = set()  # functions that were called with the arguments of a caller
    for entry_point in (*classes, *sorted(first, key=_needs_arguments)):
        if _needs_arguments(entry_point) and entry_point.value.node in entered:
            continue
        if budget.first <= 0:
            left_out.append(entry_point)
            continue
        left = budget.first if entry_point.kind == "file" else None  # a script may run many models
        explorations.append(exploration(project, entry_point, left))
        path = explorations[-1].paths[0]
        entered |= path.interpreter.entered if path.complete else set()
        budget.first -= path.steps
        budget.further -= path.steps
    pending = deque(explorations)
    while pending and budget.further > 0:
        current = pending.popleft()
        taken = current.advance(budget.further)
        if taken is not None:
            budget.further -= taken
            pending.append(current)
    for current in explorations:  # one failing branch proves nothing without the others
        while budget.first > 0 and current.fails_on_a_branch and current.has_more_branches:
            taken = current.advance(budget.first)
            if taken is None:
                break
            budget.first -= taken
    for entry_point in later:
        if budget.further <= 0:
            break
        explorations.append(exploration(project, entry_point))
        budget.further -= explorations[-1].paths[0].steps
    return Explored(explorations, left_out)


def up_to(project: Project, module: SourceModule, kind: str, name: str, number: int) -> Explored:
    """Explore one entry point of a file, up to its execution ``number``."""
    found = [each for each in find_entry_points(project, module) if (each.kind, each.name) == (kind, name)]
    explorations = [exploration(project, entry_point) for entry_point in found]
    for each in explorations:
        while len(each.paths) <= number and each.advance() is not None:
            pass
    return Explored(explorations, [])


def _needs_arguments(entry_point: EntryPoint) -> bool:
    """Return whether a function has parameters without a default: its callers show more than an execution of it."""
    if entry_point.kind not in ("function", "factory"):
        return False
    parameters = entry_point.value.node.args
    return len(entry_point.value.defaults) < len(positional(parameters)) + len(parameters.kwonlyargs)


def _by_callees(functions: list[EntryPoint]) -> tuple[list[EntryPoint], list[EntryPoint]]:
    """Return functions to execute first, and the rest: those that call the same functions as earlier ones."""
    counts: Counter[frozenset[str]] = Counter()
    first: list[EntryPoint] = []
    later: list[EntryPoint] = []
    for entry_point in functions:
        key = frozenset([entry_point.kind])
        if entry_point.kind in ("function", "factory"):
            key = frozenset(_called_and_passed(entry_point.value.node))
        counts[key] += 1
        (first if counts[key] <= _ALIKE.get(entry_point.kind, 2) else later).append(entry_point)
    return first, later


def _called_and_passed(function: ast.AST) -> Iterator[str]:
    """Yield the names that a function calls, and those of classes that it passes to calls."""
    for node in walk(function):
        if isinstance(node, ast.Call):
            names = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
            for name in names:
                if isinstance(name, ast.Name) and (name is node.func or name.id[:1].isupper()):
                    yield name.id
