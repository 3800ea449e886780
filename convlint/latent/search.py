"""The search for latent defects: a class is followed with many arguments, and judged by a repair.

A class that fails for some arguments, or for all, has a defect if one edit inside it makes all of them work. If there
is no such edit, the arguments that work are its contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convlint.analysis import ops
from convlint.latent.arguments import Arguments, ArgumentSpace
from convlint.latent.candidates import ClassRepair, repairs
from convlint.latent.following import Followed, follow
from convlint.latent.ranking import orphans, rank
from convlint.latent.substitution import TreeIndex
from convlint.repairs.written_numbers import Slicer
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint
from convlint.static.exploration.explore import Exploration
from convlint.static.program.project import Project

STEPS_PER_EXECUTION = 15_000
_TRIAL_STEPS = 120_000  # of all trials for one class
_MOST_TRIALS = 160
_MOST_OPTIONS = 4
_RANKS = (4, 3, 2)  # maps, tokens and vectors


@dataclass(frozen=True, eq=False)
class LatentDefect:
    """A class that fails for some arguments, or for all if ``works`` is empty, and the repair after which all work."""

    entry_point: EntryPoint
    space: ArgumentSpace
    fails: tuple[Followed, ...]
    works: tuple[Followed, ...]
    repair: ClassRepair
    alternatives: tuple[ClassRepair, ...] = ()


class Search:
    """The search in one project. ``slicer`` follows numbers back to where they are written."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._slicer = Slicer(project.texts, project.root)
        self._trees: dict[str, TreeIndex] = {}
        self._rank: int | None = None

    def defect(self, entry_point: EntryPoint, widths: Sequence[str]) -> LatentDefect | None:
        """The latent defect of a class whose layers use the parameters ``widths``; None if it has none."""
        space = ArgumentSpace(entry_point.value, widths)
        if not space.can_vary:
            return None
        patterns = list(space.patterns())
        self._rank = self._rank_of_input(entry_point, space)
        tried = [self._follow(entry_point, space.with_pattern(pattern)) for pattern in patterns[:2]]
        options: list[Arguments] = list(space.options())[:_MOST_OPTIONS]
        tried += [self._follow(entry_point, space.with_pattern(patterns[0]) | option) for option in options]
        if not any(each.outcome == "fails" for each in tried):
            return None
        tried += [self._follow(entry_point, space.with_pattern(pattern)) for pattern in patterns[2:]]
        tried += [self._follow(entry_point, space.with_pattern(patterns[1]) | option) for option in options]
        can_work = any(each.outcome == "works" for each in tried)
        return self._judged(entry_point, space, [each for each in tried if not (can_work and breaks_contract(each))])

    def _follow(self, entry_point: EntryPoint, arguments: Arguments) -> Followed:
        return follow(self._project, entry_point, arguments, STEPS_PER_EXECUTION, self._rank)

    def _rank_of_input(self, entry_point: EntryPoint, space: ArgumentSpace) -> int | None:
        """The dimensions of the input with which a class that does not determine them comes furthest."""
        pattern = next(space.patterns())
        first = follow(self._project, entry_point, space.with_pattern(pattern), STEPS_PER_EXECUTION)
        if not first.has_unknown_input:
            return None
        furthest: tuple[int, int | None] = (0, None)
        for rank in _RANKS:
            again = follow(self._project, entry_point, space.with_pattern(pattern), STEPS_PER_EXECUTION, rank)
            if again.outcome == "works":
                return rank
            steps = again.path.execution.steps
            length = steps.index(again.step) if again.step is not None else len(steps)
            if again.outcome == "fails" and length > furthest[0]:
                furthest = (length, rank)
        return furthest[1]

    def _judged(self, entry_point: EntryPoint, space: ArgumentSpace, tried: Sequence[Followed]) -> LatentDefect | None:
        fails = [each for each in tried if each.outcome == "fails"]
        works = [each for each in tried if each.outcome == "works"]
        if not fails:
            return None
        accepted: list[tuple[ClassRepair, list[Followed]]] = []
        steps = 0
        for repair in repairs(fails[0], self._slicer)[:_MOST_TRIALS]:
            if steps > _TRIAL_STEPS:
                break
            after: list[Followed] = []
            with self._tree(repair.written.place.path).replaced(repair.written.node, repair.text) as done:
                if not done:
                    continue
                for each in (*fails, *works):
                    again = self._follow(entry_point, each.arguments)
                    steps += again.path.steps
                    if again.outcome != "works" or not _reaches(again, each):
                        break
                    after.append(again)
            if len(after) == len(fails) + len(works) and not orphans(repair):
                accepted.append((repair, after))
        if not accepted:
            return None
        ordered = rank(entry_point, space, works, accepted)
        return LatentDefect(entry_point, space, tuple(fails), tuple(works), ordered[0], tuple(ordered[1:]))

    def _tree(self, path: str) -> TreeIndex:
        if path not in self._trees:
            module = self._project.load(path)
            assert module is not None
            self._trees[path] = TreeIndex(module.text.tree)
        return self._trees[path]


def breaks_contract(followed: Followed) -> bool:
    """Return whether a class adds its input to something of another width: it requires equal widths of its caller."""
    step = followed.step
    if step is None or step.op not in ("add", "sub"):
        return False
    return any(_is_input(followed, tensor.id) for tensor in step.inputs)


def _reaches(again: Followed, before: Followed) -> bool:
    """Return whether an execution came to the operation that failed before, with numbers that are known."""
    if before.outcome != "fails" or before.step is None:
        return True
    site = before.step.site
    known = (step for step in again.path.execution.steps if step.site == site and step.op == before.step.op)
    return any(all(tensor.shape is not None for tensor in step.inputs) for step in known)


def _is_input(followed: Followed, tensor: int | None) -> bool:
    """Return whether the channels of a tensor are those of an input of the class."""
    producers = {output.id: step for step in followed.path.execution.steps for output in step.outputs}
    while True:
        step = producers.get(tensor)
        if step is None:
            return False
        if step.op == "input":
            return True
        if step.op in ops.PROJECTIONS or len(step.inputs) != 1:
            return False
        tensor = step.inputs[0].id


def widths_of(exploration: Exploration) -> list[str]:
    """The parameters that the executions of a class used as widths."""
    return sorted({s.name for p in exploration.paths for s in p.execution.widths if s.scope == PARAMETERS})


def defects(project: Project, explorations: Sequence[Exploration]) -> Iterator[LatentDefect]:
    """Yield the latent defects of the classes that were explored."""
    search = Search(project)
    for exploration in explorations:
        if exploration.entry_point.kind == "class":
            defect = search.defect(exploration.entry_point, widths_of(exploration))
            if defect is not None:
                yield defect
