"""The contract of a class: equalities that its calls require of its numbers.

A residual add requires equal channels on both sides, a convolution the channels that it was built for, groups that
they divide the channels. Arguments that break the contract are the caller's bug, not the class's.
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
# A layer, and which of its requirements is being checked and not assumed: "channels", "groups" ...
Checked = tuple[str, str]

_TENSORS = -1  # the scope of symbols for unknown channels of tensors


class Requirements:
    """The requirements of the calls ``nodes``, as equalities over the symbols of ``scope``.

    Requirements on numbers whose expression is unknown are left out. Norms require nothing here: they are checked.
    ``values`` has the symbols for tensors with unknown channels.
    """

    def __init__(self, graph: Graph, scopes: Scopes, scope: int, nodes: Sequence[Node]) -> None:
        self.values: dict[Symbol, int] = {}
        self._graph, self._scopes, self._scope = graph, scopes, scope
        self._channels: dict[int, Dim] = {}
        self._equalities: list[tuple[Checked | None, Pair]] = []
        for node in nodes:
            self._equalities += self._of(node)

    def pairs(self, without: Checked | None) -> list[Pair]:
        """The equalities, without those of the requirement that is being checked."""
        return [pair for checked, pair in self._equalities if checked is None or checked != without]

    def channels(self, tensor: int) -> Dim:
        """The channels of a tensor that the calls read or output."""
        if tensor not in self._channels:
            shape = self._graph.tensor(tensor).shape
            symbol = self.tensor_symbol(tensor)
            self.values[symbol] = shape[1] if len(shape) > 1 else 0
            self._channels[tensor] = symbolic.symbol(symbol.name, symbol.scope)
        return self._channels[tensor]

    @staticmethod
    def tensor_symbol(tensor: int) -> Symbol:
        return Symbol(f"tensor {tensor}", _TENSORS)

    @staticmethod
    def only_of_parameters(channels: Dim) -> bool:
        """Check whether channels depend on constructor parameters alone, not on a tensor from outside."""
        return channels.determined and all(s.scope != _TENSORS for s in channels.symbols())

    def _of(self, node: Node) -> Iterator[tuple[Checked | None, Pair]]:
        if len(node.outputs) != 1:
            return
        layer = self._graph.layer(node.layer)
        output = node.outputs[0].id
        if node.op in ops.ALL_CONVS:
            if layer is not None and self._scopes.within(layer.scope, self._scope):
                yield from self._of_conv(node, layer)
        elif node.op == "linear":
            if layer is not None and self._scopes.within(layer.scope, self._scope):
                yield from self._of_linear(node, layer)
        elif len(node.inputs) == 1 and (node.op in ops.CHANNEL_PRESERVING or self._keeps_channels(node)):
            self._channels[output] = self.channels(node.inputs[0])
        elif node.op in ops.MERGES and len(node.inputs) > 1:
            yield from ((None, pair) for pair in self._of_merge(node))
        elif node.op == "cat" and node.attrs.get("dim") == 1:
            total = symbolic.ZERO
            for tensor in node.inputs:
                total = total + self.channels(tensor)
            self._channels[output] = total

    def _of_conv(self, node: Node, layer: Layer) -> Iterator[tuple[Checked, Pair]]:
        into, out, groups = self._numbers(layer, "in_channels", "out_channels", "groups")
        if into.determined:
            yield (layer.name, "channels"), (self.channels(node.inputs[0]), into)
        for number in (into, out):
            if number.determined and groups.determined:
                part = "groups" if number == out else "channels of a group"
                yield (layer.name, part), (number % groups, symbolic.ZERO)
        if out.determined:
            self._channels[node.outputs[0].id] = out

    def _of_linear(self, node: Node, layer: Layer) -> Iterator[tuple[Checked, Pair]]:
        into, out = self._numbers(layer, "in_features", "out_features")
        if len(node.outputs[0].shape) != 2:  # it reads another dimension than the channels
            return
        if into.determined:
            yield (layer.name, "channels"), (self.channels(node.inputs[0]), into)
        if out.determined:
            self._channels[node.outputs[0].id] = out

    def _numbers(self, layer: Layer, *names: str) -> Iterator[Dim]:
        for name in names:
            yield self._scopes.expressed_in(symbolic.from_json(layer.exprs.get(name)), self._scope)

    def _keeps_channels(self, node: Node) -> bool:
        """Check whether a reduction or reshape kept the batch and channel dimensions."""
        before, after = self._graph.tensor(node.inputs[0]).shape, node.outputs[0].shape
        return node.op in _REDUCING and len(after) > 1 and before[:2] == after[:2]

    def _of_merge(self, node: Node) -> Iterator[Pair]:
        """The operands have equal channels, unless one is broadcast."""
        output = node.outputs[0]
        tensors = [self._graph.tensor(id) for id in node.inputs]
        equal = [
            tensor
            for tensor in tensors
            if len(tensor.shape) == len(output.shape) > 1 and tensor.shape[1] == output.shape[1]
        ]
        for tensor in equal[1:]:
            yield self.channels(equal[0].id), self.channels(tensor.id)
        if equal:
            self._channels[output.id] = self.channels(equal[0].id)
