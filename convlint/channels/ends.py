"""Which numbers of a model must agree.

Every dimension of a tensor that holds channels or features is a variable. Calls that keep channels
keep the variable; reshaping scales it, so that ``Linear(512 * 7 * 7)`` speaks of 512 channels;
concatenation sums variables. Each number that the source declared (a convolution's in and out, a
norm's width ...) is a vote for the value of a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import ClassVar, Literal

from convlint import flow
from convlint.channels.variables import Variables, grouped_dims
from convlint.model import Graph, Layer, Node, Site, Tensor

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


class Ends:
    """The votes of a graph, and which of them must agree.

    ``votes`` are lists by class: votes of one class must have the same value, ``(value, vote)``,
    which is the vote's number in the class's own unit. ``sums`` are the concatenations, and
    ``failed`` the failed calls by the classes that they bring together.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._variables = Variables()
        self._at: dict[int, dict[int, int]] = {}  # tensor -> dimension from the right -> variable
        self._votes: list[tuple[int, Vote]] = []
        self._sums: list[tuple[int, tuple[int, ...]]] = []
        self._involved: list[tuple[int, int]] = []
        for node in graph.nodes:
            self._read(node)
        self.votes: dict[int, list[tuple[Fraction, Vote]]] = {}
        for variable, vote in self._votes:
            root, ratio = self._variables.find(variable)
            self.votes.setdefault(root, []).append((vote.number / ratio, vote))
        self.failed: dict[int, list[int]] = {}
        for variable, id in self._involved:
            nodes = self.failed.setdefault(self._variables.find(variable)[0], [])
            if id not in nodes:
                nodes.append(id)

    @property
    def sums(self) -> Iterator[tuple[int, Fraction, tuple[tuple[int, Fraction], ...]]]:
        """Each concatenation: the class and ratio of the whole, and those of its parts."""
        for whole, parts in self._sums:
            yield (
                *self._variables.find(whole),
                tuple([self._variables.find(part) for part in parts]),
            )

    # --- variables

    def _variable(self, tensor: Tensor, dim: int) -> int:
        """The variable of a dimension; one that no call declared votes for the size that it has."""
        known = self._at.setdefault(tensor.id, {})
        if dim not in known:
            known[dim] = self._variables.new()
            producer = self.graph.producer(tensor.id)
            id = 0 if producer is None else producer.id
            self._votes.append((known[dim], Vote(id, "arrives", tensor.shape[dim], ())))
        return known[dim]

    def _set(self, tensor: Tensor, dim: int, variable: int) -> None:
        if len(tensor.shape) < -dim:
            return  # what a call gives that failed, or was not followed
        self._at.setdefault(tensor.id, {})[dim] = variable

    def _vote(self, variable: int, node: Node, label: Label, number: int) -> None:
        layer = self.graph.layer(node.layer)
        frames: tuple[Site, ...]
        if layer is None:
            frames = () if node.site is None else (node.site,)
        elif layer.site is None:
            frames = (self._unseen(layer),)
        else:
            frames = (layer.site, *layer.chain)
        self._votes.append((variable, Vote(node.id, label, number, frames)))

    def _unseen(self, layer: Layer) -> Site:
        """A place for a layer that nobody saw being built: the line that calls it first, if there is
        one, and as several layers may be called there, the layer's name.
        """
        called = self.graph.nodes_of(layer.name)[0].site
        return replace(called or Site("", 0), function=layer.name)

    # --- calls

    def _read(self, node: Node) -> None:
        inputs = [self.graph.tensor(id) for id in node.inputs]
        if not node.outputs or not inputs:
            for tensor in node.outputs:
                if len(tensor.shape) > 1:
                    self._variable(tensor, 1 - len(tensor.shape))
            return
        if node.op in flow.CONVS or node.op in flow.TRANSPOSED_CONVS:
            self._convolution(node, inputs[0], node.outputs[0])
        elif node.error is not None and node.op in _MOVED_BY_NUMBER:
            return
        elif node.op in self._READERS:
            self._READERS[node.op](self, node, inputs[0], node.outputs[0])
        elif node.op in _ELEMENTWISE:
            self._elementwise(node, inputs, node.outputs[0])
        elif node.op == "cat":
            self._concatenation(node, inputs, node.outputs[0])
        elif node.op in ("chunk", "tensor_split"):
            self._chunk(node, inputs[0])
        elif len(inputs) == 1 and node.op not in _MOVING:
            self._kept(inputs[0], node.outputs[0])

    def _kept(self, before: Tensor, after: Tensor) -> None:
        """The default: a call of one tensor keeps the dimensions that keep their size."""
        if len(before.shape) == len(after.shape):
            for dim, variable in self._at.get(before.id, {}).items():
                if before.shape[dim] == after.shape[dim]:
                    self._set(after, dim, variable)

    def _convolution(self, node: Node, before: Tensor, after: Tensor) -> None:
        attrs = node.attrs
        dim = -int(node.op[-2]) - 1
        if "in_channels" not in attrs or len(before.shape) < -dim:
            return
        taken, given = self._variable(before, dim), self._variables.new()
        into, out, groups = attrs["in_channels"], attrs["out_channels"], attrs["groups"]
        self._vote(taken, node, "in", into)
        self._vote(given, node, "out", out)
        if groups > 1 and groups in (into, out):
            self._vote(taken, node, "groups", groups)
            if out == groups:
                self._vote(given, node, "groups", groups)
        self._set(after, dim, given)
        self._involve(node, taken)

    def _involve(self, node: Node, *variables: int) -> None:
        if node.error is not None:
            self._involved += [(variable, node.id) for variable in variables]

    def _linear(self, node: Node, before: Tensor, after: Tensor) -> None:
        if "in_features" not in node.attrs or not before.shape:
            return
        taken, given = self._variable(before, -1), self._variables.new()
        self._vote(taken, node, "in", node.attrs["in_features"])
        self._vote(given, node, "out", node.attrs["out_features"])
        self._involve(node, taken)
        for dim, variable in self._at[before.id].items():
            self._set(after, dim, given if dim == -1 else variable)
        self._set(after, -1, given)

    def _norm(self, node: Node, before: Tensor, after: Tensor) -> None:
        if len(before.shape) < 2:
            return
        dim = 1 - len(before.shape)
        width = self._variable(before, dim)
        layer = self.graph.layer(node.layer)
        attrs = {} if layer is None else layer.attrs
        asked = attrs.get("num_features", attrs.get("num_channels"))
        asked = node.attrs.get("num_features", asked)
        if asked is not None:
            self._vote(width, node, "out", asked)
        self._involve(node, width)
        for other, variable in self._at[before.id].items():
            self._set(after, other, variable)

    def _layer_norm(self, node: Node, before: Tensor, after: Tensor) -> None:
        shape = node.attrs.get("normalized_shape", ())
        for dim in range(-len(shape), 0):
            if -dim <= len(before.shape) and (node.error or dim in self._at.get(before.id, {})):
                width = self._variable(before, dim)
                self._vote(width, node, "out", shape[dim])
                self._involve(node, width)
        self._kept(before, after)

    def _prelu(self, node: Node, before: Tensor, after: Tensor) -> None:
        count = node.attrs.get("num_parameters", 1)
        if count != 1 and len(before.shape) > 1:
            width = self._variable(before, 1 - len(before.shape))
            self._vote(width, node, "out", count)
            self._involve(node, width)
        self._kept(before, after)

    def _elementwise(self, node: Node, inputs: list[Tensor], after: Tensor) -> None:
        """Operands agree in every dimension, where none of them is stretched."""
        for dim in range(-len(after.shape), 0):
            reaching = [t for t in inputs if -dim <= len(t.shape)]
            whole = [t for t in reaching if t.shape[dim] != 1] or reaching
            differ = len({t.shape[dim] for t in whole}) > 1
            if not any(dim in self._at.get(t.id, {}) for t in whole):
                continue
            first, *others = [self._variable(t, dim) for t in whole]
            if differ:
                self._involve(node, first)
            for other in others:
                self._variables.tie(first, other)
            self._set(after, dim, first)

    def _concatenation(self, node: Node, inputs: list[Tensor], after: Tensor) -> None:
        rank, along = len(after.shape), node.attrs.get("dim", 0)
        inputs = [t for t in inputs if len(t.shape) == rank]
        if not isinstance(along, int):
            return
        along = along - rank if along >= 0 else along
        for dim in range(-rank, 0):
            if not any(dim in self._at.get(t.id, {}) for t in inputs):
                continue
            parts = [self._variable(t, dim) for t in inputs]
            if dim == along:
                whole = self._variables.new()
                self._set(after, dim, whole)
                self._sums.append((whole, tuple(parts)))
                continue
            for other in parts[1:]:
                self._variables.tie(parts[0], other)
            if len({t.shape[dim] for t in inputs}) > 1:
                self._involve(node, parts[0])
            self._set(after, dim, parts[0])

    def _chunk(self, node: Node, before: Tensor) -> None:
        rank, along = len(before.shape), node.attrs.get("dim", 0)
        along = along - rank if along >= 0 else along
        variable = self._at.get(before.id, {}).get(along)
        even = len({t.shape for t in node.outputs}) == 1
        for tensor in node.outputs:
            self._kept(before, tensor)
            if variable is not None and even and tensor.shape[along] != before.shape[along]:
                self._set(tensor, along, self._variables.new())
                part = self._at[tensor.id][along]
                self._variables.tie(part, variable, Fraction(1, len(node.outputs)))

    # --- dimensions that move

    def _flatten(self, node: Node, before: Tensor, after: Tensor) -> None:
        known = self._at.get(before.id, {})
        if node.error is None:
            groups = grouped_dims(before.shape, after.shape)
        elif len(after.shape) == 2:  # view(batch, features) with the wrong count of features
            groups = [(range(1, len(before.shape)), range(1, 2))]
        else:
            return
        for into, out in groups:
            held = [dim for dim in into if dim - len(before.shape) in known]
            if len(held) != 1:
                continue
            place = next((dim for dim in reversed(out) if after.shape[dim] != 1), out[-1])
            variable = known[held[0] - len(before.shape)]
            factor = prod(before.shape[dim] for dim in into if dim != held[0])
            shared = prod(after.shape[dim] for dim in out if dim != place)
            if not factor or not shared:
                continue
            if factor != shared:
                scaled = self._variables.new()
                self._variables.tie(scaled, variable, Fraction(factor, shared))
                variable = scaled
            self._set(after, place - len(after.shape), variable)
            if node.error is not None:
                self._votes.append((variable, _at_call(node, "in", after.shape[1])))
                self._involve(node, variable)

    def _permute(self, node: Node, before: Tensor, after: Tensor) -> None:
        rank = len(before.shape)
        order = list(node.attrs.get("dims", ()))
        if {"dim0", "dim1"} <= node.attrs.keys():
            one, other = node.attrs["dim0"], node.attrs["dim1"]
            order = list(range(rank))
            if rank and isinstance(one, int) and isinstance(other, int):
                one, other = one % rank, other % rank
                order[one], order[other] = other, one
        if len(order) == rank and all(isinstance(origin, int) for origin in order):
            known = self._at.get(before.id, {})
            for place, origin in enumerate(order):
                if (origin % rank) - rank in known:
                    self._set(after, place - rank, known[(origin % rank) - rank])

    def _reduced(self, node: Node, before: Tensor, after: Tensor) -> None:
        rank, dims = len(before.shape), node.attrs.get("dim")
        named = dims if isinstance(dims, tuple | list) else (dims,)
        if not rank or not all(isinstance(dim, int) for dim in named):
            return
        gone = {dim % rank for dim in named}
        kept = len(after.shape) == rank
        rest = [dim for dim in range(rank) if kept or dim not in gone]
        known = self._at.get(before.id, {})
        for place, dim in enumerate(rest):
            if dim not in gone and dim - rank in known:
                self._set(after, place - len(rest), known[dim - rank])

    def _pixel_shuffle(self, node: Node, before: Tensor, after: Tensor) -> None:
        variable = self._at.get(before.id, {}).get(-3)
        if variable is not None and before.shape[-3] and after.shape[-3] and not node.error:
            given = self._variables.new()
            self._variables.tie(given, variable, Fraction(after.shape[-3], before.shape[-3]))
            self._set(after, -3, given)

    _READERS: ClassVar[dict[str, Callable[[Ends, Node, Tensor, Tensor], None]]] = {
        "linear": _linear,
        **dict.fromkeys(("batch_norm", "instance_norm", "group_norm"), _norm),
        "layer_norm": _layer_norm,
        "prelu": _prelu,
        **dict.fromkeys(("flatten", "reshape", "unflatten", "squeeze", "unsqueeze"), _flatten),
        **dict.fromkeys(("permute", "transpose", "swapaxes", "swapdims"), _permute),
        **dict.fromkeys(("mean", "sum", "amax", "amin"), _reduced),
        **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), _pixel_shuffle),
    }


_MOVED_BY_NUMBER = frozenset(
    {"permute", "transpose", "swapaxes", "swapdims", "mean", "sum", "amax", "amin"}
    | {"pixel_shuffle", "pixel_unshuffle", "chunk", "tensor_split"}
)
"""Calls that name dimensions. One that failed may name any, and says nothing of the others."""


def _at_call(node: Node, label: Label, number: int) -> Vote:
    return Vote(node.id, label, number, () if node.site is None else (node.site,))


_ELEMENTWISE = frozenset(
    {"add", "sub", "mul", "div", "maximum", "minimum", "pow", "where", "lerp", "addcmul"}
)
_MOVING = frozenset(
    {"T", "mT", "H", "mH", "t", "adjoint", "movedim", "moveaxis", "rot90", "einsum"}
    | {"unseen", "lstm", "gru", "rnn_tanh", "rnn_relu", "unfold", "fold"}
)
