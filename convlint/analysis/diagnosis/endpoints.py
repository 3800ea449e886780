"""Which numbers of a model must agree.

Every dimension of a tensor that holds channels or features is a variable. Calls that keep channels
keep the variable; reshaping scales it, so that ``Linear(512 * 7 * 7)`` speaks of 512 channels;
concatenation sums variables. Each number that the source declared (a convolution's in and out, a
norm's width ...) is a vote for the value of a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from convlint.analysis import ops
from convlint.analysis.diagnosis import declared, reshapes
from convlint.analysis.diagnosis.constraints import Sizes, Vote
from convlint.ir import Graph, Node, Tensor


class Ends:
    """The votes of a graph, and which of them must agree.

    ``votes`` are lists by class: votes of one class must have the same value, ``(value, vote)``,
    which is the vote's number in the class's own unit. ``sums`` are the concatenations, and
    ``failed`` the failed calls by the classes that they bring together.
    """

    def __init__(self, graph: Graph) -> None:
        self._sizes = sizes = Sizes(graph)
        for node in graph.nodes:
            _read(sizes, node)
        self.votes: dict[int, list[tuple[Fraction, Vote]]] = {}
        for variable, vote in sizes.votes:
            root, ratio = sizes.find(variable)
            self.votes.setdefault(root, []).append((vote.number / ratio, vote))
        self.failed: dict[int, list[int]] = {}
        for variable, id in sizes.involved:
            nodes = self.failed.setdefault(sizes.find(variable)[0], [])
            if id not in nodes:
                nodes.append(id)

    @property
    def sums(self) -> Iterator[tuple[int, Fraction, tuple[tuple[int, Fraction], ...]]]:
        """Each concatenation: the class and ratio of the whole, and those of its parts."""
        find = self._sizes.find
        for whole, parts in self._sizes.sums:
            yield (*find(whole), tuple([find(part) for part in parts]))


def _read(sizes: Sizes, node: Node) -> None:
    """What a call says of the sizes of its tensors."""
    inputs = [sizes.graph.tensor(id) for id in node.inputs]
    if not node.outputs or not inputs:
        for tensor in node.outputs:
            if len(tensor.shape) > 1:
                sizes.variable(tensor, 1 - len(tensor.shape))
        return
    before, after = inputs[0], node.outputs[0]
    if node.op in ops.ALL_CONVS:
        declared.convolution(sizes, node, before, after)
    elif node.error is not None and node.op in _MOVED_BY_NUMBER:
        return
    elif node.op in _OF_ONE:
        _OF_ONE[node.op](sizes, node, before, after)
    elif node.op in ops.ELEMENTWISE:
        _elementwise(sizes, node, inputs, after)
    elif node.op == "cat":
        _concatenation(sizes, node, inputs, after)
    elif node.op in ("chunk", "tensor_split"):
        reshapes.chunk(sizes, node, before)
    elif len(inputs) == 1 and node.op not in _MOVING:
        reshapes.kept(sizes, before, after)


_OF_ONE: dict[str, Callable[[Sizes, Node, Tensor, Tensor], None]] = {
    "linear": declared.linear,
    **dict.fromkeys(ops.CHANNEL_NORMS, declared.norm),
    "layer_norm": declared.layer_norm,
    "prelu": declared.prelu,
    **dict.fromkeys(("flatten", "reshape", "unflatten", "squeeze", "unsqueeze"), reshapes.flatten),
    **dict.fromkeys(ops.TRANSPOSES, reshapes.permute),
    **dict.fromkeys(ops.REDUCTIONS, reshapes.reduced),
    **dict.fromkeys(ops.PIXEL_SHUFFLES, reshapes.pixel_shuffle),
}
# Calls that name dimensions. One that failed may name any, and says nothing of the others.
_MOVED_BY_NUMBER = ops.TRANSPOSES | ops.REDUCTIONS | ops.PIXEL_SHUFFLES | {"chunk", "tensor_split"}
_MOVING = frozenset(
    {"T", "mT", "H", "mH", "t", "adjoint", "movedim", "moveaxis", "rot90", "einsum"}
    | {"unseen", "unfold", "fold"}
    | ops.RECURRENT
)


def _elementwise(sizes: Sizes, node: Node, inputs: list[Tensor], after: Tensor) -> None:
    """Operands agree in every dimension, where none of them is stretched."""
    for dim in range(-len(after.shape), 0):
        reaching = [t for t in inputs if -dim <= len(t.shape)]
        whole = [t for t in reaching if t.shape[dim] != 1] or reaching
        differ = len({t.shape[dim] for t in whole}) > 1
        if not any(dim in sizes.known(t) for t in whole):
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
        if not any(dim in sizes.known(t) for t in inputs):
            continue
        parts = [sizes.variable(t, dim) for t in inputs]
        if dim == along:
            whole = sizes.new()
            sizes.set(after, dim, whole)
            sizes.sums.append((whole, tuple(parts)))
            continue
        for other in parts[1:]:
            sizes.tie(parts[0], other)
        if len({t.shape[dim] for t in inputs}) > 1:
            sizes.involve(node, parts[0])
        sizes.set(after, dim, parts[0])
