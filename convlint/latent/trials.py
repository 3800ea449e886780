"""The executions of one class: with arguments of one space, on inputs of one rank, and with edits of its code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING

from convlint.analysis import ops
from convlint.latent.arguments import DESCENDING, DIFFERENT, EQUAL, Arguments, ArgumentSpace
from convlint.latent.contracts import is_input
from convlint.latent.following import Followed, Ranks, follow, ranks_of_inputs
from convlint.latent.substitution import Substitution
from convlint.static.domain.objects import Function
from convlint.static.exploration.entry_points import ExecutionPath
from convlint.static.exploration.execute import optional_tensors
from convlint.static.program.project import Project
from convlint.support.dataclass import replace

if TYPE_CHECKING:
    from convlint.latent.candidates import ClassRepair

_LEAST_STEPS, _FACTOR = 1_000, 3  # of one execution: as many, and times those of the symbolic one
_DIVISORS = (32, 16, 8, 4, 2)
_MOST_SHOWN = 4
_RANKS = (4, 3, 2)  # maps, tokens and vectors
_RANKS_OF_OPTIONAL = (2, 4, 3)  # embeddings first
_MOST_DIFFERENT = 2  # inputs of unknown dimensions, of which each may have others


class ClassTrials:
    """Follows a class with arguments. An input of open dimensions gets those that work or come furthest."""

    def __init__(self, project: Project, explored: ExecutionPath, space: ArgumentSpace) -> None:
        self.steps = 0  # of all executions so far
        self.stopped_by_options = False  # whether a repair settles a failure, but not that with other options
        self._most = _LEAST_STEPS + _FACTOR * explored.steps
        self.entry_point = explored.entry_point
        self.space = space
        self._project = project
        self._trees: dict[str, Substitution] = {}
        self._edits = 0  # that are in effect
        self._known: dict[tuple[str, Ranks, bool], Followed] = {}  # executions without an edit
        self._ranks, self.first = self._ranks_of_inputs(explored)

    def follow(self, pattern: Sequence[int], options: Arguments | None = None) -> Followed:
        """Execute the class with widths in the proportions of ``pattern``."""
        return self._follow(self.space.with_pattern(pattern), options or {}, self._ranks)

    def with_defaults(self) -> list[Followed]:
        """The execution with the defaults of all parameters, if they have any."""
        if any(parameter.is_required for parameter in self.space.parameters):
            return []
        return [self._follow({p.name: p.default for p in self.space.parameters}, {}, self._ranks)]

    def with_default_lists(self) -> list[Followed]:
        """The execution with the defaults of all lists, whose items may be in a proportion that the class needs."""
        lists = {p.name: p.default for p in self.space.width_lists if not p.is_required}
        return [self._follow(self.space.with_pattern(DIFFERENT) | lists, {}, self._ranks)] if lists else []

    def with_arguments(self, arguments: Arguments) -> Followed:
        """Execute the class with arguments that no pattern gives."""
        return self._follow(arguments, {}, self._ranks)

    def repeated(self, followed: Followed) -> Followed:
        """Execute the class again with the same arguments."""
        return self._again(followed, followed.arguments, dict(followed.options))

    def with_optional_inputs(self, options: Arguments) -> list[Followed]:
        """Execute the class with tensors for inputs that may be None: with equal widths, for which it has to work, and
        with different ones.
        """
        required = len(self._ranks) or len(self.first.inputs)
        for rank in _RANKS_OF_OPTIONAL:
            ranks = (*(self._ranks or (None,) * required), *(rank,) * self.optional_inputs)
            equal = self._follow(self.space.with_pattern(EQUAL), options, ranks, has_optional=True)
            if equal.outcome == "works":
                patterns = (DIFFERENT, DESCENDING)
                more = [self.space.with_pattern(pattern) for pattern in patterns]
                return [equal, *(self._follow(each, options, ranks, has_optional=True) for each in more)]
        return []

    @property
    def optional_inputs(self) -> int:
        """The number of inputs that may be None or tensors."""
        forward = self.entry_point.value.lookup("forward")
        return len(optional_tensors(forward)) if type(forward) is Function else 0

    @contextmanager
    def edited(self, repair: ClassRepair) -> Iterator[bool]:
        """Execute the class with a repair from here on; yields False if that is not possible."""
        path = repair.written.place.path
        if path not in self._trees:
            module = self._project.load(path)
            if module is None:
                yield False
                return
            self._trees[path] = Substitution(module.text.tree)
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
        shown = (*fails[:_MOST_SHOWN], *works[:_MOST_SHOWN])
        for divisor in _DIVISORS:
            small = self._alike(shown, divisor)
            if small is None:
                continue
            with self.edited(repair):
                if all(self.repeated(each).outcome == "works" for each in small):
                    count = len(fails[:_MOST_SHOWN])
                    return small[:count], small[count:]
        return list(fails), list(works)

    def _alike(self, executions: Sequence[Followed], divisor: int) -> list[Followed] | None:
        """The executions with all widths divided; None if one of them then has another outcome."""
        found: list[Followed] = []
        for each in executions:
            fewer = self._divided(each, divisor)
            if fewer is None or fewer.outcome != each.outcome:
                return None
            found.append(fewer)
        return found

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
        return self._again(followed, arguments, {name: arguments[name] for name in options})

    def _again(self, followed: Followed, arguments: Arguments, options: Arguments) -> Followed:
        return self._follow(arguments, options, followed.ranks, has_optional=followed.has_optional)

    def _follow(
        self, arguments: Arguments, options: Arguments, ranks: Ranks, *, has_optional: bool = False
    ) -> Followed:
        key = (repr(arguments | options), ranks, has_optional)
        if not self._edits and key in self._known:
            return self._known[key]
        followed = follow(
            self._project, self.entry_point, arguments, options, self._most, ranks, has_optional=has_optional
        )
        self.steps += followed.path.steps
        if ranks and has_other_dimensions(followed):
            followed = replace(followed, outcome="undecided")
        elif followed.step is not None:
            from convlint.latent.numbers import is_undetermined  # most classes never fail

            if is_undetermined(followed.path.execution, followed.step) and not (
                options and self._follow(_without(arguments, options, self.space), {}, ranks).outcome == "works"
            ):
                followed = replace(followed, outcome="undecided")
        if not self._edits:
            self._known[key] = followed
        return followed

    def _ranks_of_inputs(self, explored: ExecutionPath) -> tuple[Ranks, Followed]:
        """The dimensions of the inputs, none where the code determines all of them, and the first execution."""
        arguments = self.space.with_pattern(DIFFERENT)
        known = ranks_of_inputs(explored) if explored.complete else ()
        if None not in known:
            first = self._follow(arguments, {}, ())
            known = first.ranks_of_inputs
            if None not in known:
                ranks = known if _may_read_unknown_input(first) and len(set(known)) == 1 else ()
                return ranks, self._follow(arguments, {}, ranks) if ranks else first
        kinds = {instance.kind for instance in explored.interpreter.creators}
        possible = list(_possible(known, is_ascending="BatchNorm1d" in kinds))
        first = self._follow(arguments, {}, possible[0])
        if _fits(first):
            return possible[0], first
        equal = self.space.with_pattern(EQUAL)
        if "BatchNorm1d" in {instance.kind for instance in first.path.interpreter.creators}:
            possible.sort()  # one that only concrete arguments build
        works = (each for each in possible if _fits(self._follow(equal, {}, each)))
        ranks = next(works, ()) or self._furthest(arguments, [each for each in possible if self._may_be(equal, each)])
        return ranks, self._follow(arguments, {}, ranks)

    def _may_be(self, arguments: Arguments, ranks: Ranks) -> bool:
        """Return whether inputs may have these dimensions, whatever the widths are."""
        return not has_other_dimensions(self._follow(arguments, {}, ranks))

    def _furthest(self, arguments: Arguments, possible: Sequence[Ranks]) -> Ranks:
        """The dimensions of the inputs with which a class works, else those with which it comes furthest."""
        furthest: tuple[int, Ranks] = (0, ())
        for ranks in possible:
            followed = self._follow(arguments, {}, ranks)
            if followed.outcome == "works":
                return ranks
            steps = followed.path.execution.steps
            if followed.step is not None and steps.index(followed.step) > furthest[0]:
                furthest = (steps.index(followed.step), ranks)
        return furthest[1]


def _possible(known: Ranks, *, is_ascending: bool) -> Iterator[Ranks]:
    """Yield the dimensions that inputs can have: the unknown ones equal, then different for two of them.

    Next to an input of known dimensions, another one is a vector more often than a map.
    """
    unknown = [number for number, rank in enumerate(known) if rank is None]
    ranks = _RANKS[::-1] if is_ascending or len(unknown) < len(known) else _RANKS
    chosen = [(rank,) * len(unknown) for rank in ranks]
    if len(unknown) == _MOST_DIFFERENT:
        chosen += [each for each in product(ranks, ranks) if each[0] > each[1]]
    for each in chosen:
        found = list(known)
        for number, rank in zip(unknown, each, strict=True):
            found[number] = rank
        yield tuple(found)


def _fits(followed: Followed) -> bool:
    """Return whether a class works with its inputs, and joins no tensor with one of more dimensions than any input."""
    if followed.outcome != "works":
        return False
    most = max((len(tensor.shape or ()) for tensor in followed.inputs), default=0)
    for step in followed.path.execution.steps:
        ranks = {len(tensor.shape) for tensor in step.inputs if tensor.shape} if step.op in ops.MERGES else set()
        if len(ranks) > 1 and max(ranks) > most:
            return False
    return True


def has_other_dimensions(followed: Followed) -> bool:
    """Return whether a convolution reads no batch of maps, or tensors of different dimensions are concatenated.

    No width is the cause of that.
    """
    for step in followed.path.execution.steps:
        ranks = {len(tensor.shape) for tensor in step.inputs if tensor.shape is not None}
        if step.op in ops.ALL_CONVS and not ranks <= {ops.spatial_dims(step.op) + 2}:
            return True
        if step is followed.step:
            return step.op == "cat" and len(ranks) > 1
    return False


def _without(arguments: Arguments, options: Arguments, space: ArgumentSpace) -> Arguments:
    """Arguments with the usual values in the place of options."""
    usual = space.base()
    return {name: usual.get(name, value) if name in options else value for name, value in arguments.items()}


def _may_read_unknown_input(followed: Followed) -> bool:
    """Return whether a layer that accepts any number of dimensions reads the input: its own may be known only later."""
    return any(
        step.op in _OF_ANY_RANK and is_input(followed, step.inputs[0].id) for step in followed.path.execution.steps
    )


_OF_ANY_RANK = frozenset({"linear", "layer_norm", "batch_norm", "group_norm", "instance_norm"})
