"""The executions of one class: with arguments of one space, on inputs of one rank, and with edits of its code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convlint.latent.arguments import DIFFERENT, EQUAL, Arguments, ArgumentSpace
from convlint.latent.contracts import is_input
from convlint.latent.following import Followed, follow
from convlint.latent.substitution import TreeIndex
from convlint.static.exploration.entry_points import EntryPoint
from convlint.static.program.project import Project
from convlint.support.dataclass import replace

if TYPE_CHECKING:
    from convlint.latent.candidates import ClassRepair

_LEAST_STEPS, _FACTOR = 1_000, 3  # of one execution: as many, and times those of the symbolic one
_DIVISORS = (32, 16, 8, 4, 2)
_MOST_SHOWN = 4
_RANKS = (4, 3, 2)  # maps, tokens and vectors


class ClassTrials:
    """Follows a class with arguments. An input whose dimensions its code leaves open gets those that come furthest."""

    def __init__(self, project: Project, entry_point: EntryPoint, space: ArgumentSpace, explored: int) -> None:
        self.steps = 0  # of all executions so far
        self._most = _LEAST_STEPS + _FACTOR * explored
        self.entry_point = entry_point
        self.space = space
        self._project = project
        self._trees: dict[str, TreeIndex] = {}
        self._edits = 0  # that are in effect
        self._known: dict[tuple[str, int | None], Followed] = {}  # executions without an edit
        self._rank, self.first = self._rank_of_input()

    def follow(self, pattern: Sequence[int], options: Arguments | None = None) -> Followed:
        """Execute the class with widths in the proportions of ``pattern``."""
        return self._follow(self.space.with_pattern(pattern), options or {}, self._rank)

    def with_defaults(self) -> list[Followed]:
        """The execution with the defaults of all parameters, if they have any."""
        if any(parameter.is_required for parameter in self.space.parameters):
            return []
        return [self._follow({p.name: p.default for p in self.space.parameters}, {}, self._rank)]

    def with_arguments(self, arguments: Arguments) -> Followed:
        """Execute the class with arguments that no pattern gives."""
        return self._follow(arguments, {}, self._rank)

    def repeated(self, followed: Followed) -> Followed:
        """Execute the class again with the same arguments."""
        return self._follow(followed.arguments, dict(followed.options), self._rank)

    @contextmanager
    def edited(self, repair: ClassRepair) -> Iterator[bool]:
        """Execute the class with a repair from here on; yields False if that is not possible."""
        path = repair.written.place.path
        if path not in self._trees:
            module = self._project.load(path)
            if module is None:
                yield False
                return
            self._trees[path] = TreeIndex(module.text.tree)
        with self._trees[path].replaced(repair.written.node, repair.text) as is_possible:
            self._edits += 1
            try:
                yield is_possible
            finally:
                self._edits -= 1

    def smallest(
        self, fails: Sequence[Followed], works: Sequence[Followed], repair: ClassRepair
    ) -> tuple[list[Followed], list[Followed]]:
        """The same executions with the smallest widths that have the same outcomes and also work after the repair."""
        for divisor in _DIVISORS:
            fewer = [self._divided(each, divisor) for each in (*fails[:_MOST_SHOWN], *works[:_MOST_SHOWN])]
            if any(each is None for each in fewer):
                continue
            small = [each for each in fewer if each is not None]
            if [each.outcome for each in small] != ["fails"] * len(fails[:_MOST_SHOWN]) + ["works"] * len(
                works[:_MOST_SHOWN]
            ):
                continue
            with self.edited(repair):
                if all(self.repeated(each).outcome == "works" for each in small):
                    count = len(fails[:_MOST_SHOWN])
                    return small[:count], small[count:]
        return list(fails), list(works)

    def _divided(self, followed: Followed, divisor: int) -> Followed | None:
        """The execution with all widths divided."""
        widths = {p.name for p in (*self.space.widths, *self.space.width_lists)}
        arguments = dict(followed.arguments)
        options = dict(followed.options)
        for name, value in arguments.items():
            if type(value) is int and value >= divisor and (name in widths or name in options):
                arguments[name] = value // divisor
            elif type(value) in (list, tuple) and name in widths:
                arguments[name] = type(value)([number // divisor for number in value])
        if any(type(v) is int and followed.arguments[n] % divisor for n, v in arguments.items() if n in widths):
            return None
        return self._follow(arguments, {name: arguments[name] for name in options}, self._rank)

    def _follow(self, arguments: Arguments, options: Arguments, rank: int | None) -> Followed:
        key = (repr(arguments | options), rank)
        if not self._edits and key in self._known:
            return self._known[key]
        followed = follow(self._project, self.entry_point, arguments, options, self._most, rank)
        self.steps += followed.path.steps
        if followed.step is not None:
            from convlint.latent.numbers import is_undetermined  # most classes never fail

            if is_undetermined(followed.path.execution, followed.step):
                followed = replace(followed, outcome="undecided")
        if not self._edits:
            self._known[key] = followed
        return followed

    def _rank_of_input(self) -> tuple[int | None, Followed]:
        """The dimensions of the input, None where the code determines them, and the first execution."""
        arguments = self.space.with_pattern(DIFFERENT)
        first = self._follow(arguments, {}, None)
        rank = first.rank_of_inputs if _may_read_unknown_input(first) else None
        if first.has_unknown_input:
            equal = self.space.with_pattern(EQUAL)
            kinds = {instance.kind for instance in first.path.interpreter.creators}
            ranks = reversed(_RANKS) if "BatchNorm1d" in kinds else _RANKS
            rank = next((rank for rank in ranks if self._follow(equal, {}, rank).outcome == "works"), None)
            rank = rank or self._furthest(arguments)
        return rank, first if rank is None else self._follow(arguments, {}, rank)

    def _furthest(self, arguments: Arguments) -> int | None:
        """The dimensions of the input with which a class comes furthest if it works with none."""
        furthest: tuple[int, int | None] = (0, None)
        for rank in _RANKS:
            followed = self._follow(arguments, {}, rank)
            steps = followed.path.execution.steps
            if followed.step is not None and steps.index(followed.step) > furthest[0]:
                furthest = (steps.index(followed.step), rank)
        return furthest[1]


def _may_read_unknown_input(followed: Followed) -> bool:
    """Return whether a layer that accepts any number of dimensions reads the input: its own may be known only later."""
    return any(
        step.op in _OF_ANY_RANK and is_input(followed, step.inputs[0].id) for step in followed.path.execution.steps
    )


_OF_ANY_RANK = frozenset({"linear", "layer_norm", "batch_norm", "group_norm", "instance_norm"})
