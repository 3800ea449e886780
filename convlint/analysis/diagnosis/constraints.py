"""Sizes of tensors as variables, and votes for their values."""

from __future__ import annotations

from typing import Literal

from convlint.analysis.diagnosis.variables import Variables
from convlint.ir import Graph, Layer, Node, Site, Tensor
from convlint.support.dataclass import dataclass, replace

Label = Literal["in", "out", "groups", "observed"]


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """A number of channels, features or groups that one call declares.

    ``label``: "in" for its input, "out" for its output and the width of a norm, "groups" for the groups of a depthwise
    convolution, "observed" for the size of a tensor that no call declared. ``frames`` are the places in the source that
    may be wrong, innermost first; empty for an observed size.
    """

    node: int
    label: Label
    number: int
    frames: tuple[Site, ...]


class Sizes(Variables):
    """The variables of the dimensions that hold channels or features, and what calls say about them.

    Dimensions count from -1, the last one. ``votes`` are (variable, vote), ``sums`` (whole, parts) of concatenations,
    and ``involved`` (variable, node id) of failed calls.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.votes: list[tuple[int, Vote]] = []
        self.sums: list[tuple[int, tuple[int, ...]]] = []
        self.involved: list[tuple[int, int]] = []
        self._at: dict[int, dict[int, int]] = {}  # tensor -> dimension -> variable

    def of(self, tensor: Tensor) -> dict[int, int]:
        return self._at.get(tensor.id, {})

    def variable(self, tensor: Tensor, dim: int) -> int:
        """The variable of a dimension. If no call declared it, its size becomes an observed vote."""
        variables = self._at.setdefault(tensor.id, {})
        if dim not in variables:
            variables[dim] = self.new_variable()
            self.observe(variables[dim], self.graph.producer(tensor.id), tensor.shape[dim])
        return variables[dim]

    def observe(self, variable: int, node: Node, number: int) -> None:
        """Add a size that a call outputs and no layer declares."""
        self.votes.append((variable, Vote(node.id, "observed", number, ())))

    def set(self, tensor: Tensor, dim: int, variable: int) -> None:
        """State that a dimension has the value of ``variable``."""
        if len(tensor.shape) < -dim:
            return  # the output of a call that failed or was not traced
        self._at.setdefault(tensor.id, {})[dim] = variable

    def vote(self, variable: int, node: Node, label: Label, number: int) -> None:
        """Add a vote of the layer that a call belongs to, or of the call itself."""
        layer = self.graph.layer(node.layer)
        frames: tuple[Site, ...]
        if layer is None:
            frames = () if node.site is None else (node.site,)
        elif layer.site is None:
            frames = (self._unknown_site(layer),)
        else:
            frames = (layer.site, *layer.chain)
        self.votes.append((variable, Vote(node.id, label, number, frames)))

    def _unknown_site(self, layer: Layer) -> Site:
        """A place for a layer whose construction was not recorded: the first call, if known, and the layer's name,
        because one line may call several layers.
        """
        return replace(self.graph.nodes_of(layer.name)[0].site or Site("", 0), function=layer.name)

    def vote_at_call(self, variable: int, node: Node, label: Label, number: int) -> None:
        """Add a vote of the line of the call itself."""
        self.votes.append((variable, Vote(node.id, label, number, () if node.site is None else (node.site,))))

    def involve(self, node: Node, *variables: int) -> None:
        """State that a call, if it failed, depends on these variables."""
        if node.error is not None:
            self.involved += [(variable, node.id) for variable in variables]
