"""The record of one execution: the calls of torch that the program made, and the facts learned."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import merge
from operator import itemgetter

from convlint import symbolic
from convlint.ir import Site
from convlint.static.domain.facts import RANK, Knowledge, Pair
from convlint.static.domain.objects import Instance
from convlint.static.domain.origins import first_unknown
from convlint.static.domain.values import UNKNOWN, Cell, Num, Shape, Tensor, Unknown, Value
from convlint.support.dataclass import dataclass, field
from convlint.symbolic import Symbol


class ConstructorError(Exception):
    """PyTorch raises for a constructor call; the layer is built with the attributes ``attrs`` anyway."""

    def __init__(self, message: str, attrs: Mapping[str, Value] | None = None) -> None:
        super().__init__(message)
        self.attrs = dict(attrs or {})


class Stop(Exception):  # noqa: N818 - an outcome of the program, not an error of convlint
    """The execution ends: too many steps, or the program raises."""


class Raised(Stop):
    """The program raises an exception; ``site`` is the statement, if it has one, and ``owner`` the outermost module
    that is built or called there. Under an unknown condition it ``may_not_happen``.
    """

    site: Site | None = None
    owner: Instance | None = None
    may_not_happen: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Step:
    """One recorded call, as ``ir.Node``; ``outputs`` are the tensors that it created."""

    op: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attrs: dict[str, Value]
    layer: Instance | None
    owner: Instance | None  # the module whose code made the call
    site: Site | None
    error: str | None
    demands: tuple[Pair, ...] = ()
    hypothetical: bool = False  # made under an unknown condition


@dataclass(slots=True, eq=False)
class Gap:
    """A place where the analysis stopped, and why.

    ``subject`` is the expression that is unknown there, and ``cause`` the first unknown value that led to it.
    ``result`` is what the call returned of which nothing is known.
    """

    site: Site | None
    reason: str
    subject: ast.expr | None = None
    cause: Unknown | None = None
    result: Tensor | None = None
    is_layer: bool = False  # whether a module is called that is not known
    owner: Instance | None = None  # the module whose forward ran, or the layer
    is_value: bool = False  # whether only a value is not known, which may not matter


@dataclass(repr=False)
class Execution(Knowledge):
    """The calls of one execution in order, and the facts known so far."""

    steps: list[Step] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unfollowed: list[Gap] = field(default_factory=list)  # calls and layers of which nothing is known
    lost: dict[int, Gap] = field(default_factory=dict)  # tensors whose shape a known call leaves open, by their ids
    partial: dict[int, Gap] = field(default_factory=dict)  # results of known calls with an operand that is not known
    layer: Instance | None = None  # the layer of torch whose forward runs
    owner: Instance | None = None  # the module of the program whose forward runs
    site: Site | None = None  # of the call that is executed
    assumptions: int = 0  # unknown conditions under which the program runs
    _tensors: int = 0
    _ranked: dict[Symbol, Tensor] = field(default_factory=dict)  # inputs whose rank the program reads
    _earlier_shapes: list[tuple[Cell, Shape | None, bool]] = field(default_factory=list)
    _failing: dict[Site | None, list[tuple[int, Step]]] = field(default_factory=dict)
    _indexed: int = 0  # the number of steps when _failing was made

    def failing_at(self, sites: Iterable[Site | None]) -> Iterator[tuple[int, Step]]:
        """The steps at these places that fail, in order, each with its position in ``steps``.

        Only for an execution that is over; each of many findings asks for them.
        """
        if self._indexed != len(self.steps):
            self._failing.clear()
            for place, step in enumerate(self.steps):
                if step.error:
                    self._failing.setdefault(step.site, []).append((place, step))
            self._indexed = len(self.steps)
        return merge(*(self._failing.get(site, ()) for site in sites), key=itemgetter(0))

    @contextmanager
    def hypothetical(self) -> Iterator[None]:
        """Run a block that may never run: its calls are recorded, and the facts learned in it are forgotten."""
        bound, learned, start = dict(self._bound), len(self._earlier_shapes), len(self.steps)
        self.assumptions += 1
        try:
            yield
        except Raised as raised:
            raised.may_not_happen = True
            raise
        finally:
            self.assumptions -= 1
            steps = self.steps[start:]
            for step in steps:
                step.hypothetical = True
            if len(self._earlier_shapes) > learned or len(self._bound) > len(bound):
                self._freeze(steps)
                self._bound = bound
                self._reduced.clear()
                for cell, shape, is_guess in reversed(self._earlier_shapes[learned:]):
                    cell.shape, cell.is_guess = shape, is_guess
                del self._earlier_shapes[learned:]

    def _freeze(self, steps: Sequence[Step]) -> None:
        """Substitute the facts known now into the tensors and numbers of calls."""
        frozen: dict[Tensor, Tensor] = {}
        for step in steps:
            for tensor in (*step.inputs, *step.outputs):
                if tensor not in frozen:
                    shape = None if tensor.shape is None else self._substitute(tensor.shape)
                    frozen[tensor] = Tensor(Cell(shape), tensor.id, tensor.dtype)
            step.inputs = tuple([frozen[tensor] for tensor in step.inputs])
            step.outputs = tuple([frozen[tensor] for tensor in step.outputs])
            step.attrs = {name: self._substitute(value) for name, value in step.attrs.items()}

    def _substitute(self, value: Value) -> Value:
        if type(value) is tuple:
            return tuple([self._substitute(item) for item in value])
        return self.reduced(value)

    # --- tensors

    def tensor(self, shape: Shape | None, dtype: str = "float32") -> Tensor:
        """Return a tensor that no recorded call created: a parameter or a constant."""
        return Tensor(Cell(shape), None, dtype)

    def require_rank(self, tensor: Tensor, rank: int) -> Shape | None:
        """Return the shape of a tensor that must have ``rank`` dimensions, some of them unknown; None if it has not."""
        cell = tensor.cell
        if cell.shape is None or cell.is_guess:
            self._earlier_shapes.append((cell, cell.shape, cell.is_guess))
        if cell.shape is None or (cell.is_guess and len(cell.shape) != rank):
            known = (cell.shape or ())[: min(rank, 2)]
            names = _DIMENSIONS.get(rank, ("size",) * rank)
            read = {index % rank: size for index, size in (cell.named or {}).items() if -rank <= index < rank}
            cell.shape = (*known, *[read.get(n) or self.fresh(names[n]) for n in range(len(known), rank)])
            if cell.last is not None and rank > len(known):
                cell.shape = (*cell.shape[:-1], cell.last)
        cell.is_guess = False
        if cell.rank is not None and cell.rank not in self._bound:
            super().bind(cell.rank, rank)
        return cell.shape if len(cell.shape) == rank else None

    def rank(self, tensor: Tensor) -> Num | None:
        """Return the rank of a tensor: of an input, it may be what a caller chooses."""
        cell = tensor.cell
        if cell.shape is not None and not cell.is_guess:
            return len(cell.shape)
        if not cell.is_input:
            return None
        if cell.rank is None:
            cell.rank = Symbol(f"rank {len(self._ranked) + 1}", RANK)
            self._ranked[cell.rank] = tensor
            self.defaults[cell.rank] = _USUAL_RANK if cell.shape is None else len(cell.shape)
        return self.reduced(symbolic.symbol(cell.rank.name, RANK))

    @property
    def has_chosen_ranks(self) -> bool:
        """Return whether conditions of the program read the rank of an input."""
        return bool(self._ranked)

    def bind(self, symbol: Symbol, value: Num) -> None:
        """Give a symbol a value."""
        super().bind(symbol, value)
        tensor = self._ranked.get(symbol)
        if tensor is not None and type(value) is int:
            self.require_rank(tensor, value)

    def size_at(self, tensor: Tensor, index: int) -> Value:
        """Return the size of a dimension of a tensor whose rank may not be known; UNKNOWN if there is none."""
        cell = tensor.cell
        if cell.shape is not None and not cell.is_guess:
            return self.reduced(cell.shape[index]) if -len(cell.shape) <= index < len(cell.shape) else UNKNOWN
        if index == -1 and cell.last is not None:
            return cell.last
        if cell.shape is not None:
            return cell.shape[index] if 0 <= index < min(len(cell.shape), 2) else UNKNOWN
        cell.named = {} if cell.named is None else cell.named
        if index not in cell.named:
            cell.named[index] = self.fresh(_READ.get(index, "size"))
        return cell.named[index]

    def guess_rank(self, tensor: Tensor, rank: int) -> Shape:
        """Return the shape that a tensor most likely has; a later ``require_rank`` may change its rank."""
        shape = self.require_rank(tensor, rank) or ()
        tensor.cell.is_guess = True
        return shape

    def emit(
        self,
        op: str,
        inputs: Sequence[Tensor],
        shapes: Sequence[Shape | None],
        attrs: Mapping[str, Value] | None = None,
        error: str | None = None,
        *,
        like: Tensor | None = None,
        dtype: str | None = None,
    ) -> tuple[Tensor, ...]:
        """Record a call and return its results, one for each of ``shapes``.

        With ``like`` there is one result, with the shape of that tensor, known or not. ``error`` is
        the message with which PyTorch would raise; the results then replace those of the call.
        """
        dtype = dtype or (inputs[0].dtype if inputs else "float32")
        cells = [like.cell] if like is not None else [Cell(shape, is_input=op == "input") for shape in shapes]
        outputs = tuple([Tensor(cell, self._tensors + n, dtype) for n, cell in enumerate(cells)])
        if self.lost or (like is None and None in shapes and op not in ("input", "unseen")):
            self._note_lost(op, inputs, outputs)
        self._tensors += len(outputs)
        recorded, demands = dict(attrs or {}), self.take_pending()
        self.steps.append(Step(op, tuple(inputs), outputs, recorded, self.layer, self.owner, self.site, error, demands))
        return outputs

    def note_operand(self, result: Tensor, operands: Iterable[Value]) -> Tensor:
        """Note a result of a call with an operand that is not known."""
        if result.id is not None:
            cause = first_unknown([*operands])
            self.partial[result.id] = Gap(self.site, "an operand is not known", cause=cause, owner=self.owner)
        return result

    def _note_lost(self, op: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        """Note outputs of unknown shape that a known call makes of known or of such inputs."""
        gap = next((self.lost[tensor.id] for tensor in inputs if tensor.id in self.lost), None)
        if gap is None and op not in ("input", "unseen") and all(tensor.shape is not None for tensor in inputs):
            gap = Gap(self.site, f"the shape that {op} returns is not known", owner=self.owner)
        if gap is not None:
            self.lost.update({tensor.id: gap for tensor in outputs if tensor.id is not None and tensor.shape is None})

    def record_gap(self, reason: str, cause: Unknown | None = None, *, is_value: bool = False) -> Value:
        """Note that the analysis stopped at the current site, and return UNKNOWN."""
        self.gaps.append(Gap(self.site, reason, cause=cause, owner=self.owner, is_value=is_value))
        return UNKNOWN


_USUAL_RANK = 4  # of images
_READ = {0: "batch", 1: "channels", -2: "height", -1: "width"}
_DIMENSIONS = {
    2: ("batch", "features"),
    3: ("batch", "channels", "length"),
    4: ("batch", "channels", "height", "width"),
    5: ("batch", "channels", "depth", "height", "width"),
}
