"""The sizes of tensors as variables, and the votes for their values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from convlint.analysis.diagnosis.variables import Variables
from convlint.ir import Graph, Layer, Node, Site, Tensor

Label = Literal["in", "out", "groups", "arrives"]


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """A number that one call declares.

    ``label`` says which: what it takes ("in"), what it gives ("out", a norm's width too), the groups
    of a depthwise convolution, or what arrives from a call that declares nothing. ``frames`` are the
    places in the source that may have got it wrong, innermost first; none where nobody could have.
    """

    node: int
    label: Label
    number: int
    frames: tuple[Site, ...]


class Sizes:
    """The dimensions of tensors that hold channels or features, each with its variable.

    Dimensions are counted from the right, from -1 on. ``votes`` are by variable; ``involved`` are failed calls with
    the variables that they bring together.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.votes: list[tuple[int, Vote]] = []
        self.sums: list[tuple[int, tuple[int, ...]]] = []  # concatenations: the whole, its parts
        self.involved: list[tuple[int, int]] = []
        self._variables = Variables()
        self._at: dict[int, dict[int, int]] = {}  # tensor -> dimension -> variable

    def new(self) -> int:
        """A variable of which nothing is known."""
        return self._variables.new()

    def tie(self, one: int, other: int, ratio: Fraction = Fraction(1)) -> None:
        """State that ``one`` is ``ratio`` times ``other``."""
        self._variables.tie(one, other, ratio)

    def find(self, variable: int) -> tuple[int, Fraction]:
        """A variable's class, and its value over that of the class."""
        return self._variables.find(variable)

    def known(self, tensor: Tensor) -> dict[int, int]:
        """The variables of a tensor's dimensions, of those that have one."""
        return self._at.get(tensor.id, {})

    def variable(self, tensor: Tensor, dim: int) -> int:
        """The variable of a dimension; one that no call declared votes for the size that it has."""
        known = self._at.setdefault(tensor.id, {})
        if dim not in known:
            known[dim] = self._variables.new()
            producer = self.graph.producer(tensor.id)
            id = 0 if producer is None else producer.id
            self.votes.append((known[dim], Vote(id, "arrives", tensor.shape[dim], ())))
        return known[dim]

    def set(self, tensor: Tensor, dim: int, variable: int) -> None:
        """State that a dimension is a variable."""
        if len(tensor.shape) < -dim:
            return  # what a call gives that failed, or was not followed
        self._at.setdefault(tensor.id, {})[dim] = variable

    def vote(self, variable: int, node: Node, label: Label, number: int) -> None:
        """A number that the layer of a call declares, or the call where there is none."""
        layer = self.graph.layer(node.layer)
        frames: tuple[Site, ...]
        if layer is None:
            frames = () if node.site is None else (node.site,)
        elif layer.site is None:
            frames = (self._unseen(layer),)
        else:
            frames = (layer.site, *layer.chain)
        self.votes.append((variable, Vote(node.id, label, number, frames)))

    def _unseen(self, layer: Layer) -> Site:
        """A place for a layer that nobody saw being built: the line that calls it first, if there is
        one, and as several layers may be called there, the layer's name.
        """
        called = self.graph.nodes_of(layer.name)[0].site
        return replace(called or Site("", 0), function=layer.name)

    def vote_at_call(self, variable: int, node: Node, label: Label, number: int) -> None:
        """A number that the line of the call itself declares."""
        frames = () if node.site is None else (node.site,)
        self.votes.append((variable, Vote(node.id, label, number, frames)))

    def involve(self, node: Node, *variables: int) -> None:
        """State that a call brings variables together, if it failed."""
        if node.error is not None:
            self.involved += [(variable, node.id) for variable in variables]
