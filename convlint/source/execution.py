"""One execution of a piece of the program, on numbers that may be symbols: what is known of the
symbols, which way undecided conditions went, and the calls of torch that were made.

The operations of ``convlint.source.torch`` write to it; ``convlint.source.writing`` makes a graph
of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Any

from convlint import dims
from convlint.dims import Atom, Dim, Symbol
from convlint.model import Site
from convlint.source.objects import Instance
from convlint.source.values import UNKNOWN, Cell, Condition, Num, Shape, Tensor, Value

FRESH = -2  # the scope of symbols that stand for numbers of which nothing is known


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
class Lost:
    """Something that could not be followed, and why."""

    site: Site | None
    reason: str


@dataclass
class Execution:
    """What happens on the way. ``demands`` are equalities that had to be taken for granted."""

    steps: list[Step] = field(default_factory=list)
    demands: list[tuple[Num, Num]] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    layer: Instance | None = None  # the leaf layer whose forward runs
    owner: Instance | None = None
    site: Site | None = None  # the call in the program that is being followed
    hints: dict[Symbol, int] = field(default_factory=dict)  # defaults of the parameters
    facts: list[tuple[Num, Num]] = field(default_factory=list)  # what conditions found equal
    widths: set[Symbol] = field(default_factory=set)  # parameters that are numbers of channels
    limits: dict[Symbol, tuple[float, float]] = field(default_factory=dict)  # as conditions said
    _bound: dict[Symbol, Num] = field(default_factory=dict)
    _reduced: dict[Dim, Num] = field(default_factory=dict)  # what was asked since the last binding
    _fresh: int = 0
    _tensors: int = 0
    _pending: list[tuple[Num, Num]] = field(default_factory=list)
    _learned: list[tuple[Cell, Shape | None, bool]] = field(default_factory=list)  # what it was

    # --- numbers

    def fresh(self, what: str) -> Dim:
        """A number of which nothing is known; ``what`` names it for a reader (``height``)."""
        self._fresh += 1
        return dims.symbol(f"{what} {self._fresh}", FRESH)

    def reduced(self, number: Num) -> Num:
        """A number with all that is known of its symbols; a plain int where that decides it."""
        if type(number) is not Dim:
            return number
        found = self._reduced.get(number)
        if found is None:
            found = self._reduced[number] = self._substituted(number)
        return found

    def _substituted(self, number: Dim) -> Num:
        while self._bound:
            known: dict[Atom, Dim] = {
                s: dims.as_dim(self._bound[s]) for s in number.symbols() if s in self._bound
            }
            if not known:
                break
            number = number.substitute(known)
        return number if number.value is None else number.value

    def equal(self, left: Num, right: Num) -> bool | None:
        """Whether two numbers are proved equal (True), proved different whatever the symbols are
        worth (False), or neither (None).
        """
        if type(left) is int and type(right) is int:
            return left == right
        difference = self.reduced(dims.as_dim(left) - dims.as_dim(right))
        if not isinstance(difference, Dim):
            return difference == 0
        low, high = self.bounds(difference)
        if low > 0 or high < 0:
            return False
        return False if self._never_zero(difference) else None

    def note_widths(self, numbers: Iterable[Any]) -> None:
        """State that layers are built with so many channels: where it is a parameter, or a multiple, that is not 0."""
        for number in numbers:
            if type(number) is Dim and len(number.terms or ()) == 1:
                ((monomial, _),) = number.terms or ()
                self.widths.update([atom for atom, _ in monomial if isinstance(atom, Symbol)])

    def limit(self, number: Num, highest: int) -> None:
        """State that a number is not more: a condition of the program said so."""
        found = _one_symbol(self.reduced(number))
        if found is not None:
            symbol, factor, rest = found
            low, high = self.limits.get(symbol, (-inf, inf))
            if factor > 0:
                high = min(high, highest - rest)
            else:
                low = max(low, rest - highest)
            self.limits[symbol] = (low, high)

    def bounds(self, number: Num) -> tuple[float, float]:
        """The least and the most that a number can be, as far as conditions tell."""
        number = self.reduced(number)
        if type(number) is int:
            return number, number
        found = _one_symbol(number) if self.limits else None
        if found is None:
            return -inf, inf
        symbol, factor, rest = found
        ends = [factor * end + rest for end in self.limits.get(symbol, (-inf, inf))]
        return min(ends), max(ends)

    def demand(self, left: Num, right: Num) -> bool:
        """Whether two numbers that must be equal can be. What is not decided is taken for granted:
        a number that nothing else is known of gets the value, and other demands are kept.
        """
        known = self.equal(left, right)
        if known is None:
            self._assume(left, right)
        return known is not False

    def _assume(self, left: Num, right: Num) -> None:
        difference = self.reduced(dims.as_dim(left) - dims.as_dim(right))
        if type(difference) is not Dim or difference.is_unknown:
            return
        for monomial, factor in difference.terms or ():
            if len(monomial) == 1 and monomial[0][1] == 1 and abs(factor) == 1:
                atom = monomial[0][0]
                if isinstance(atom, Symbol) and atom.scope == FRESH:
                    one = dims.symbol(atom.name, FRESH)
                    value = one - difference if factor == 1 else one + difference
                    if atom not in value.symbols():
                        self.bind(atom, value)
                        return
        pair = (self.reduced(left), self.reduced(right))
        self.demands.append(pair)
        self._pending.append(pair)

    def bind(self, symbol: Symbol, value: Num) -> None:
        """State what a symbol is worth."""
        self._reduced.clear()
        self._bound[symbol] = value if type(value) is int else self.reduced(value)

    def state(self, left: Num, right: Num) -> None:
        """State that two numbers are equal: a condition of the program said so."""
        self.facts.append((left, right))
        difference = self.reduced(dims.as_dim(left) - dims.as_dim(right))
        if type(difference) is not Dim:
            return
        for monomial, factor in reversed(difference.terms or ()):
            if len(monomial) == 1 and monomial[0][1] == 1 and abs(factor) == 1:
                atom = monomial[0][0]
                if isinstance(atom, Symbol) and not atom.opaque:
                    one = dims.symbol(atom.name, atom.scope)
                    value = one - difference if factor == 1 else one + difference
                    if atom not in value.symbols():
                        self.bind(atom, value)
                        return

    def settled(self, number: Dim) -> int | None:
        """The plain integer that a number has at the defaults of its parameters, which are taken
        for their values from here on; None if a parameter has no default.
        """
        reduced = self.reduced(number)
        if not isinstance(reduced, Dim):
            return reduced
        symbols = reduced.symbols()
        if not all(symbol in self.hints for symbol in symbols):
            return None
        for symbol in symbols:
            self.bind(symbol, self.hints[symbol])
        reduced = self.reduced(number)
        return reduced if type(reduced) is int else None

    def hinted(self, condition: Condition) -> bool:
        """Whether a condition holds at the defaults of its parameters. Where one has no default,
        a flag is taken to be set, and two numbers to differ.
        """
        try:
            left = dims.as_dim(condition.left).evaluate(self.hints)
            right = dims.as_dim(condition.right or 0).evaluate(self.hints)
        except (KeyError, ValueError, ZeroDivisionError):
            return condition.op == "truth"
        match condition.op:
            case "truth":
                return bool(left)
            case "==":
                return left == right
            case "<":
                return left < right
            case _:
                return left <= right

    def taken(self) -> tuple[tuple[Num, Num], ...]:
        """The demands since the last call was recorded, or since they were taken."""
        found = tuple(self._pending)
        self._pending.clear()
        return found

    @property
    def known(self) -> Mapping[Symbol, Num]:
        """The symbols whose value was found out on the way."""
        return self._bound

    @contextmanager
    def supposing(self) -> Iterator[None]:
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

    def _never_zero(self, dim: Dim) -> bool:
        """Whether an expression is other than 0 whatever its symbols are worth: all terms have one sign,
        and one of them is never 0.
        """
        terms = dim.terms or ()
        if len({factor > 0 for _, factor in terms}) != 1:
            return False
        if not all(_is_nonnegative(atom) for monomial, _ in terms for atom, _ in monomial):
            return False
        return any(all(self._is_positive(atom) for atom, _ in monomial) for monomial, _ in terms)

    def _is_positive(self, atom: Atom) -> bool:
        """The size of a tensor is, and a number of channels; any other parameter may be 0, if only by its default."""
        if not isinstance(atom, Symbol) or "pad" in atom.name:
            return False
        if atom in self.hints:
            return self.hints[atom] > 0
        return atom.scope == FRESH or atom in self.widths

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

    def lose(self, reason: str) -> Value:
        """Note that something could not be followed, and give ``UNKNOWN``."""
        self.lost.append(Lost(self.site, reason))
        return UNKNOWN


_NAMES = {
    2: ("batch", "features"),
    3: ("batch", "channels", "length"),
    4: ("batch", "channels", "height", "width"),
    5: ("batch", "channels", "depth", "height", "width"),
}


def _one_symbol(number: Num) -> tuple[Symbol, int, int] | None:
    """The symbol, 1 or -1, and the constant of ``symbol + 3`` or ``3 - symbol``; None for anything else."""
    symbol, factor, rest = None, 0, 0
    for monomial, times in (number.terms or ()) if type(number) is Dim else ():
        if not monomial:
            rest = times
        elif symbol is None and len(monomial) == 1 and monomial[0][1] == 1 and abs(times) == 1:
            atom, factor = monomial[0][0], times
            if not isinstance(atom, Symbol):
                return None
            symbol = atom
        else:
            return None
    return None if symbol is None else (symbol, factor, rest)


def _is_nonnegative(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return True
    parts = [
        all(factor > 0 for _, factor in arg.terms or ())
        and all(_is_nonnegative(inner) for monomial, _ in arg.terms or () for inner, _ in monomial)
        for arg in atom.args
    ]
    return any(parts) if atom.op == "max" else all(parts) and atom.op in ("//", "min")
