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
from convlint.static.exploration.entry_points import Root, Way, roots
from convlint.static.exploration.follow import follow
from convlint.static.interpreter import statements
from convlint.static.interpreter.interpreter import Interpreter
from convlint.static.interpreter.path_choices import Choices
from convlint.static.program.parse import walk
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule

_MOST_WAYS = 10  # of one class, function or file
_STEPS_OF_A_WAY = 15_000
_STEPS_OF_A_FILE = 4_000  # and for each of its lines:
_STEPS_OF_A_LINE = 1
_FACTORIES = 2  # functions followed first of those that call the same


class Exploration:
    """The executions of a root, one for each way that it can go."""

    def __init__(self, project: Project, root: Root) -> None:
        self.project = project
        self.root = root
        self.ways: list[Way] = []
        self._variants = variants(root)
        self._variant: dict[str, Value] = {}
        self._choices: Choices | None = None

    def advance(self, steps: int) -> int | None:
        """Follow the next way, and give the steps that it took; None if there is none."""
        if len(self.ways) >= _MOST_WAYS:
            return None
        if self._choices is None:
            if not self._variants:
                return None
            self._variant, self._choices = self._variants.pop(0), Choices()
        way = self._followed(self._choices, self._variant, min(steps, _STEPS_OF_A_WAY))
        self.ways.append(way)
        self._choices = self._choices.next() if self._goes_on(way) else None
        return way.steps

    def with_all_inputs(self, way: Way) -> Way:
        """The same way with something unknown for each input that may be left out and was."""
        return self._followed(way.it.choices.again(), way.variant, _STEPS_OF_A_WAY, all_inputs=True)

    def _followed(
        self, choices: Choices, variant: dict[str, Value], steps: int, *, all_inputs: bool = False
    ) -> Way:
        it = Interpreter(self.project, Execution(), choices)
        it.steps, it.all_inputs = steps, all_inputs
        way = Way(self.root, it, variant)
        try:
            follow(way, variant)
        except statements.Raised:
            way.complete = False
        except Stop as stop:
            way.complete = False
            it.run.lose(str(stop))
        except RecursionError:
            way.complete = False
            it.run.lose("it is nested too deeply to follow")
        except Exception:  # noqa: BLE001 - a mistake of ours is told, and the rest is checked
            way.complete = False
            import traceback

            way.failure = traceback.format_exc()
        way.steps = steps - it.steps
        return way

    @property
    def contracts(self) -> Contracts:
        """What the class had to take for granted at each call, as far as it was followed."""
        found: Contracts = {}
        for way in self.ways:
            for step in way.run.steps:
                if step.site is not None and step.demands:
                    found.setdefault(step.site, set()).update(step.demands)
        return found

    def _goes_on(self, way: Way) -> bool:
        """Whether the other ways at the conditions of one could show anything: layers may be built
        on one of them alone, or what failed here may work there.
        """
        return self._has_sides or any(step.error for step in way.run.steps)

    @cached_property
    def _has_sides(self) -> bool:
        return builds_on_condition(self.root)


Contracts = dict[Site, set[tuple[Num, Num]]]


def contracts(project: Project, root: Root) -> Contracts:
    """What a class takes for granted, by the call that needs it."""
    if root.value not in project.contracts:
        project.contracts[root.value] = exploration(project, root).contracts
    found: Contracts = project.contracts[root.value]
    return found


def close(project: Project, explored: Exploration) -> None:
    """Forget the executions of a root that was judged: only what its class takes for granted is
    asked for again.
    """
    root = explored.root
    if root.kind == "class":
        project.contracts[root.value] = explored.contracts
    project.explorations.pop(root.value if root.kind == "class" else root, None)
    for way in explored.ways:
        for instance in way.it.creators:
            instance.frames = ()  # they hold what holds the object: nothing would be freed


def exploration(project: Project, root: Root) -> Exploration:
    """The exploration of a root: the same for a class, whoever asks. Its first way is followed."""
    key = root.value if root.kind == "class" else root
    if key not in project.explorations:
        project.explorations[key] = made = Exploration(project, root)
        made.advance(_STEPS_OF_A_WAY)
    found: Exploration = project.explorations[key]
    return found


def explored(project: Project, module: SourceModule) -> list[Exploration]:
    """Everything that is to be followed in a file, as far as its size gives room: first each class
    as its defaults have it, then what the file itself runs and its functions, then the other ways.
    """
    left = _STEPS_OF_A_FILE + _STEPS_OF_A_LINE * module.text.length
    found = roots(project, module)
    classes_first = [root for root in found if root.kind == "class"]
    first, later = _bycallees([root for root in found if root.kind != "class"])
    made: list[Exploration] = []
    for group in (classes_first, first):
        for root in group:
            one = exploration(project, root)
            made.append(one)
            left -= one.ways[0].steps
    pending = made[:]
    while pending and left > 0:
        one = pending.pop(0)
        steps = one.advance(left)
        if steps is not None:
            left -= steps
            pending.append(one)
    for root in later:
        if left <= 0:
            break
        one = exploration(project, root)
        made.append(one)
        left -= one.ways[0].steps
    return made


def _bycallees(functions: list[Root]) -> tuple[list[Root], list[Root]]:
    """Functions to follow first, and the rest: factories of one family call the same, and differ in
    a few numbers.
    """
    counts: dict[frozenset[str], int] = {}
    first: list[Root] = []
    later: list[Root] = []
    for root in functions:
        key = frozenset([root.kind])
        if root.kind == "function":
            key = frozenset(
                node.func.id
                for node in walk(root.value.node)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            )
        counts[key] = counts.get(key, 0) + 1
        (first if counts[key] <= _FACTORIES else later).append(root)
    return first, later
