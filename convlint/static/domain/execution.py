"""One execution of a piece of the program, on numbers that may be symbols: the calls of torch that were made, and
what was learned of tensors on the way.

The operations of ``convlint.static.torch_shapes`` write to it; ``convlint.static.graph_builder`` makes a graph
of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from convlint.ir import Site
from convlint.static.domain.facts import Knowledge
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Cell, Num, Shape, Tensor, Value


class Refused(Exception):  # noqa: N818 - a refusal is an outcome here, not an error of ours
    """What PyTorch would raise for a constructor call; the layer is built all the same, with the
    attributes ``attrs`` that were asked for.
    """

    def __init__(self, message: str, attrs: Mapping[str, Value] | None = None) -> None:
        super().__init__(message)
        self.attrs = dict(attrs or {})


class Stop(Exception):  # noqa: N818 - the execution ends here, and that is no error
    """The execution cannot go on: too many steps, or the program raises."""


@dataclass(slots=True, eq=False)
class Step:
    """One recorded call, as ``model.Node``; ``outputs`` are the tensors that it made."""

    op: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attrs: dict[str, Any]
    layer: Instance | None
    owner: Instance | None  # the module whose code called it
    site: Site | None
    error: str | None
    demands: tuple[tuple[Num, Num], ...] = ()
    supposed: bool = False  # made under a condition of which nothing is known


@dataclass(slots=True)
class Gap:
    """Something that could not be followed, and why."""

    site: Site | None
    reason: str


@dataclass
class Execution(Knowledge):
    """What happens on the way, and what is known by then."""

    steps: list[Step] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    layer: Instance | None = None  # the leaf layer whose forward runs
    owner: Instance | None = None
    site: Site | None = None  # the call in the program that is being followed
    _tensors: int = 0
    _learned: list[tuple[Cell, Shape | None, bool]] = field(default_factory=list)  # what it was

    @contextmanager
    def hypothetical(self) -> Iterator[None]:
        """What happens inside may never happen: the calls are kept as they are then, and what is learned of numbers and
        shapes on the way is forgotten afterwards.
        """
        bound, learned, made = dict(self._bound), len(self._learned), len(self.steps)
        try:
            yield
        finally:
            for step in self.steps[made:]:
                step.supposed = True
            if len(self._learned) > learned or len(self._bound) > len(bound):
                self._keep_as_it_is(self.steps[made:])
                self._bound = bound
                self._reduced.clear()
                for cell, shape, is_guess in reversed(self._learned[learned:]):
                    cell.shape, cell.is_guess = shape, is_guess
                del self._learned[learned:]

    def _keep_as_it_is(self, steps: Sequence[Step]) -> None:
        """Put into calls what is known now of their tensors and numbers."""
        kept: dict[Tensor, Tensor] = {}
        for step in steps:
            for tensor in (*step.inputs, *step.outputs):
                if tensor not in kept:
                    shape = None if tensor.shape is None else self._now(tensor.shape)
                    kept[tensor] = Tensor(Cell(shape), tensor.id, tensor.dtype)
            step.inputs = tuple([kept[tensor] for tensor in step.inputs])
            step.outputs = tuple([kept[tensor] for tensor in step.outputs])
            step.attrs = {name: self._now(value) for name, value in step.attrs.items()}

    def _now(self, value: Any) -> Any:
        """A number of the program, or several, with all that is known of their symbols."""
        if type(value) is tuple:
            return tuple([self._now(one) for one in value])
        return self.reduced(value)

    # --- tensors

    def tensor(self, shape: Shape | None, dtype: str = "float32") -> Tensor:
        """A tensor that no recorded call made: a parameter or a constant."""
        return Tensor(Cell(shape), None, dtype)

    def of_rank(self, tensor: Tensor, rank: int) -> Shape | None:
        """The shape of a tensor that must have so many dimensions: one of unknown shape gets that
        many unknown sizes. None if it has another number of dimensions.
        """
        cell = tensor.cell
        if cell.shape is None or cell.is_guess:
            self._learned.append((cell, cell.shape, cell.is_guess))
        if cell.shape is None or (cell.is_guess and len(cell.shape) != rank):
            known = (cell.shape or ())[: min(rank, 2)]
            names = _NAMES.get(rank, ("size",) * rank)[len(known) :]
            cell.shape = (*known, *[self.fresh(name) for name in names])
        cell.is_guess = False
        return cell.shape if len(cell.shape) == rank else None

    def guess(self, tensor: Tensor, rank: int) -> Shape:
        """The shape of a tensor that most likely has so many dimensions: whoever asks for another
        number afterwards gets it, with the same batch and channels.
        """
        shape = self.of_rank(tensor, rank) or ()
        tensor.cell.is_guess = True
        return shape

    def emit(
        self,
        op: str,
        inputs: Sequence[Tensor],
        shapes: Sequence[Shape | None],
        attrs: Mapping[str, Any] | None = None,
        error: str | None = None,
        *,
        like: Tensor | None = None,
        dtype: str | None = None,
    ) -> tuple[Tensor, ...]:
        """Record a call and give its results, one for each of ``shapes``.

        With ``like`` the result has the very shape of that tensor, known or not, and ``shapes`` is
        left empty. ``error`` is what PyTorch would raise; the call is then a stand-in of that shape.
        """
        kind = dtype or (inputs[0].dtype if inputs else "float32")
        cells = [like.cell] if like is not None else [Cell(shape) for shape in shapes]
        made = []
        for cell in cells:
            made.append(Tensor(cell, self._tensors, kind))
            self._tensors += 1
        demands = self.taken()
        self.steps.append(
            Step(
                op,
                tuple(inputs),
                tuple(made),
                dict(attrs or {}),
                self.layer,
                self.owner,
                self.site,
                error,
                demands,
            )
        )
        return tuple(made)

    def record_gap(self, reason: str) -> Value:
        """Note that something could not be followed, and give ``UNKNOWN``."""
        self.gaps.append(Gap(self.site, reason))
        return UNKNOWN


_NAMES = {
    2: ("batch", "features"),
    3: ("batch", "channels", "length"),
    4: ("batch", "channels", "height", "width"),
    5: ("batch", "channels", "depth", "height", "width"),
}
