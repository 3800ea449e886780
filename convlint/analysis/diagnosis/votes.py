"""Votes: the numbers of a model that have to be equal.

Each dimension of a tensor that holds channels or features is a variable. A call that keeps channels keeps the variable;
a reshape scales it, so that ``Linear(512 * 7 * 7)`` is about 512 channels; a concatenation is a sum of variables. Each
number that the source declares (in_channels, out_channels, num_features ...) is a vote for the value of a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from convlint.analysis import ops
from convlint.analysis.diagnosis import declared, reshapes
from convlint.analysis.diagnosis.constraints import Sizes, Vote
from convlint.ir import Graph, Node, Tensor


class Votes:
    """The votes of a graph, by the class of variables whose value they have to agree on.

    ``by_class``: (value, vote) by class, the value being the vote's number in the unit of the class. ``failed``: ids of
    the failed calls that depend on a class.
    """

    def __init__(self, graph: Graph) -> None:
        self._sizes = sizes = Sizes(graph)
        for node in graph.nodes:
            _read(sizes, node)
        self.by_class: dict[int, list[tuple[Fraction, Vote]]] = {}
        for variable, vote in sizes.votes:
            root, ratio = sizes.find(variable)
            self.by_class.setdefault(root, []).append((vote.number / ratio, vote))
        self.failed: dict[int, list[int]] = {}
        for variable, id in sizes.involved:
            nodes = self.failed.setdefault(sizes.find(variable)[0], [])
            if id not in nodes:
                nodes.append(id)

    @property
    def sums(self) -> Iterator[tuple[int, Fraction, tuple[tuple[int, Fraction], ...]]]:
        """Concatenations: class and ratio of the whole, and (class, ratio) of each part."""
        find = self._sizes.find
        for whole, parts in self._sizes.sums:
            yield (*find(whole), tuple([find(part) for part in parts]))


def _read(sizes: Sizes, node: Node) -> None:
    """Add the votes and constraints of one call."""
    inputs = [sizes.graph.tensor(id) for id in node.inputs]
    if not node.outputs or not inputs:
        for tensor in node.outputs:
            if len(tensor.shape) > 1:
                sizes.variable(tensor, 1 - len(tensor.shape))
        return
    before, after = inputs[0], node.outputs[0]
    if node.op in ops.ALL_CONVS:
        declared.convolution(sizes, node, before, after)
    elif node.error is not None and node.op in _NUMBERED_DIMS:
        return
    elif node.op in _READERS:
        _READERS[node.op](sizes, node, before, after)
    elif node.op in ops.ELEMENTWISE:
        _elementwise(sizes, node, inputs, after)
    elif node.op == "cat":
        _concatenation(sizes, node, inputs, after)
    elif node.op in ("chunk", "tensor_split"):
        reshapes.chunk(sizes, node, before)
    elif len(inputs) == 1 and node.op not in _MOVES_DIMS:
        reshapes.unchanged(sizes, before, after)


_READERS: dict[str, Callable[[Sizes, Node, Tensor, Tensor], None]] = {
    "linear": declared.linear,
    **dict.fromkeys(ops.CHANNEL_NORMS, declared.norm),
    "layer_norm": declared.layer_norm,
    "prelu": declared.prelu,
    **dict.fromkeys(("flatten", "reshape", "unflatten", "squeeze", "unsqueeze"), reshapes.flatten),
    **dict.fromkeys(ops.TRANSPOSES, reshapes.permute),
    **dict.fromkeys(ops.REDUCTIONS, reshapes.reduced),
    **dict.fromkeys(ops.PIXEL_SHUFFLES, reshapes.pixel_shuffle),
}
# Calls with numbers of dimensions. If one fails, the numbers may be wrong, and nothing follows.
_NUMBERED_DIMS = ops.TRANSPOSES | ops.REDUCTIONS | ops.PIXEL_SHUFFLES | {"chunk", "tensor_split"}
_MOVES_DIMS = frozenset(
    {"T", "mT", "H", "mH", "t", "adjoint", "movedim", "moveaxis", "rot90", "einsum"}
    | {"unseen", "unfold", "fold"}
    | ops.RECURRENT
    | ops.RECURRENT_CELLS
)


def _elementwise(sizes: Sizes, node: Node, inputs: list[Tensor], after: Tensor) -> None:
    """Tie the variables of the operands, except in dimensions in which one is broadcast."""
    for dim in range(-len(after.shape), 0):
        operands = [t for t in inputs if -dim <= len(t.shape)]
        whole = [t for t in operands if t.shape[dim] != 1] or operands
        differ = len({t.shape[dim] for t in whole}) > 1
        if not any(dim in sizes.of(t) for t in whole):
            continue
        first, *others = [sizes.variable(t, dim) for t in whole]
        if differ:
            sizes.involve(node, first)
        for other in others:
            sizes.tie(first, other)
        sizes.set(after, dim, first)


def _concatenation(sizes: Sizes, node: Node, inputs: list[Tensor], after: Tensor) -> None:
    rank, along = len(after.shape), node.attrs.get("dim", 0)
    inputs = [t for t in inputs if len(t.shape) == rank]
    if not isinstance(along, int):
        return
    along = along - rank if along >= 0 else along
    for dim in range(-rank, 0):
        if not any(dim in sizes.of(t) for t in inputs):
            continue
        parts = [sizes.variable(t, dim) for t in inputs]
        if dim == along:
            whole = sizes.new_variable()
            sizes.set(after, dim, whole)
            sizes.sums.append((whole, tuple(parts)))
            continue
        for other in parts[1:]:
            sizes.tie(parts[0], other)
        if len({t.shape[dim] for t in inputs}) > 1:
            sizes.involve(node, parts[0])
        sizes.set(after, dim, parts[0])
