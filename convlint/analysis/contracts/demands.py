"""What a class asks of its own numbers anyway: a residual add needs as many channels on both sides,
a convolution as many as it reads, groups must divide. Such a demand is the class's contract, and
whoever keeps it never meets what depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint import symbolic
from convlint.analysis import ops
from convlint.analysis.contracts.scopes import Scopes
from convlint.ir import Graph, Layer, Node
from convlint.symbolic import Dim, Symbol

_REDUCING = ops.REDUCTIONS | ops.FLATTENING | {"squeeze"}

Pair = tuple[Dim, Dim]
Judged = tuple[str, str]
"""A layer, and which demand of it is judged, and so is no fact: "channels" or "groups"."""

_TENSORS = -1  # the scope of symbols that stand for a tensor's unknown channels


class Demands:
    """The demands of the calls ``nodes`` on the numbers of ``scope``, as equalities; those of numbers
    that were lost are left out.

    ``values`` has the symbols that stand for tensors whose channels nothing tells. Norms demand
    nothing here: they are what is judged.
    """

    def __init__(self, graph: Graph, scopes: Scopes, scope: int, nodes: Sequence[Node]) -> None:
        self.values: dict[Symbol, int] = {}
        self._graph, self._scopes, self._scope = graph, scopes, scope
        self._channels: dict[int, Dim] = {}
        self._found: list[tuple[Judged | None, Pair]] = []
        for node in nodes:
            self._found += self._of(node)

    def pairs(self, but: Judged | None) -> list[Pair]:
        """The demands, without those that are judged."""
        return [pair for whose, pair in self._found if whose is None or whose != but]

    def channels(self, tensor: int) -> Dim:
        """The channels of a tensor that the calls made or read."""
        return self._arriving(tensor)

    @staticmethod
    def of_tensor(tensor: int) -> Symbol:
        """The symbol that stands for the channels of a tensor which nothing tells."""
        return Symbol(f"tensor {tensor}", _TENSORS)

    @staticmethod
    def are_told(channels: Dim) -> bool:
        """Whether channels depend on parameters alone, and on no tensor that came from elsewhere."""
        return channels.determined and all(s.scope != _TENSORS for s in channels.symbols())

    def _of(self, node: Node) -> Iterator[tuple[Judged | None, Pair]]:
        if len(node.outputs) != 1:
            return
        layer = self._graph.layer(node.layer)
        made = node.outputs[0].id
        if node.op in ops.ALL_CONVS:
            if layer is not None and self._scopes.within(layer.scope, self._scope):
                yield from self._of_conv(node, layer)
        elif node.op == "linear":
            if layer is not None and self._scopes.within(layer.scope, self._scope):
                yield from self._of_linear(node, layer)
        elif len(node.inputs) == 1 and (
            node.op in ops.CHANNEL_PRESERVING or self._keeps_channels(node)
        ):
            self._channels[made] = self._arriving(node.inputs[0])
        elif node.op in ops.MERGES and len(node.inputs) > 1:
            yield from ((None, pair) for pair in self._of_merge(node))
        elif node.op == "cat" and node.attrs.get("dim") == 1:
            total = symbolic.ZERO
            for tensor in node.inputs:
                total = total + self._arriving(tensor)
            self._channels[made] = total

    def _of_conv(self, node: Node, layer: Layer) -> Iterator[tuple[Judged, Pair]]:
        into, out, groups = self._numbers(layer, "in_channels", "out_channels", "groups")
        if into.determined:
            yield (layer.name, "channels"), (self._arriving(node.inputs[0]), into)
        for number in (into, out):
            if number.determined and groups.determined:
                judged = "groups" if number == out else "channels of a group"
                yield (layer.name, judged), (number % groups, symbolic.ZERO)
        if out.determined:
            self._channels[node.outputs[0].id] = out

    def _of_linear(self, node: Node, layer: Layer) -> Iterator[tuple[Judged, Pair]]:
        into, out = self._numbers(layer, "in_features", "out_features")
        if len(node.outputs[0].shape) != 2:  # otherwise it reads another dimension
            return
        if into.determined:
            yield (layer.name, "channels"), (self._arriving(node.inputs[0]), into)
        if out.determined:
            self._channels[node.outputs[0].id] = out

    def _numbers(self, layer: Layer, *names: str) -> Iterator[Dim]:
        for name in names:
            yield self._scopes.lifted(symbolic.from_json(layer.exprs.get(name)), self._scope)

    def _keeps_channels(self, node: Node) -> bool:
        """Whether a pooling or flattening call has left one number for each channel."""
        before, after = self._graph.tensor(node.inputs[0]).shape, node.outputs[0].shape
        return node.op in _REDUCING and len(after) > 1 and before[:2] == after[:2]

    def _of_merge(self, node: Node) -> Iterator[Pair]:
        """Both sides of an add are as wide, unless one is spread over the other."""
        made = node.outputs[0]
        tensors = [self._graph.tensor(id) for id in node.inputs]
        wide = [
            tensor
            for tensor in tensors
            if len(tensor.shape) == len(made.shape) > 1 and tensor.shape[1] == made.shape[1]
        ]
        for tensor in wide[1:]:
            yield self._arriving(wide[0].id), self._arriving(tensor.id)
        if wide:
            self._channels[made.id] = self._arriving(wide[0].id)

    def _arriving(self, tensor: int) -> Dim:
        if tensor not in self._channels:
            shape = self._graph.tensor(tensor).shape
            symbol = self.of_tensor(tensor)
            self.values[symbol] = shape[1] if len(shape) > 1 else 0
            self._channels[tensor] = symbolic.symbol(symbol.name, symbol.scope)
        return self._channels[tensor]
