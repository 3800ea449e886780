"""The graph of a recorded model: layers, calls and tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from convlint.ir.nodes import Call, Failure, Layer, Node, Scope, Shape, Tensor
from convlint.source_text.site import Site

T = TypeVar("T")
Status = Literal["complete", "partial", "failed"]


@dataclass(frozen=True)  # without slots: look-up tables are cached on the instance
class Graph:
    """A recorded model: its layers, and the calls of one forward in the order in which they ran."""

    target: str | None = None
    status: Status = "complete"
    layers: tuple[Layer, ...] = ()
    nodes: tuple[Node, ...] = ()
    calls: tuple[Call, ...] = ()
    inputs: tuple[str, ...] = ()  # as a reader would write them: "x: 1x3x224x224 float32"
    outputs: tuple[str, ...] = ()
    input_from: str = (
        ""  # where the input came from: "--input", "example_input_array", "inferred" ...
    )
    traced_by: str = "recorder"
    batch_size: int = 1
    training: bool = False
    failure: Failure | None = None
    unseen: tuple[tuple[str, str], ...] = ()  # (module path, why its inside was not seen)
    smallest_input: Shape | None = (
        None  # smallest spatial size that runs, where it was searched for
    )
    unregistered: tuple[
        tuple[str, str, Site | None], ...
    ] = ()  # (module path, attribute, site): layers in a list/dict
    sizes: tuple[
        tuple[Shape, str | None], ...
    ] = ()  # spatial sizes that were tried beside the recorded one; the module that refused each, None where it ran
    peak_inference_bytes: int | None = None
    saved_bytes: int | None = None
    saved_bytes_mode: str = ""  # "train", or "eval" where the training forward could not run
    input_bytes: int = 0
    budgets: Mapping[str, int] = field(
        default_factory=dict
    )  # max-params, max-macs, max-activation-bytes
    scopes: tuple[Scope, ...] = ()  # the constructor calls that the layers' ``exprs`` speak of
    read: tuple[str, ...] = ()  # names of the parameters and buffers that a recorded call read
    called_in_training: tuple[str, ...] | None = (
        None  # layers that a train-mode forward called, where one was run
    )

    ignored: tuple[
        tuple[str, str, Site], ...
    ] = ()  # (parameter, class, site) of constructor parameters that are never read

    def layer(self, name: str | None) -> Layer | None:
        """The layer of that name or alias, or None."""
        return None if name is None else self._layers_by_name.get(name)

    def tensor(self, id: int) -> Tensor:
        """The tensor of that id. Raises KeyError."""
        return self._tensors_by_id[id]

    def producer(self, tensor_id: int) -> Node:
        """The node that made a tensor. Raises KeyError."""
        return self._producers[tensor_id]

    def consumers(self, tensor_id: int) -> tuple[Node, ...]:
        """The nodes that read a tensor, in the order in which they ran."""
        return self._consumers.get(tensor_id, ())

    def calls_of(self, layer: str) -> tuple[Call, ...]:
        """The calls of a layer, in the order in which they ran."""
        return self._calls_by_layer.get(layer, ())

    def nodes_of(self, layer: str) -> tuple[Node, ...]:
        """The nodes that belong to a leaf layer (``node.layer``)."""
        return self._nodes_by_layer.get(layer, ())

    def derived(self, compute: Callable[[Graph], T]) -> T:
        """Return ``compute(self)``, computed once for this graph.

        For an analysis that several rules share. It lives as long as the graph does.
        """
        results = self._derived
        if compute not in results:
            results[compute] = compute(self)
        result: T = results[compute]
        return result

    def where(self, node: Node) -> Site | None:
        """The line to point at for a call: its layer's construction site, else the call itself."""
        layer = self.layer(node.layer)
        return layer.site if layer is not None and layer.site is not None else node.site

    def lint(self) -> None:
        """Assert the graph's own invariants. Raises ValueError that names the first one broken.

        Node ids count up from 0; a tensor is made once, before it is read; every named layer exists, once; calls
        cover runs of existing nodes, and two calls either nest or lie apart.
        """
        made: set[int] = set()
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise ValueError(
                f"layer names repeat: {sorted({n for n in names if names.count(n) > 1})}"
            )
        known = set(names) | {alias for layer in self.layers for alias in layer.aliases}
        for position, node in enumerate(self.nodes):
            if node.id != position:
                raise ValueError(f"node {node.id} stands at position {position}")
            if unmade := [i for i in node.inputs if i not in made]:
                raise ValueError(
                    f"node {node.id} ({node.op}) reads tensor {unmade[0]} before it is made"
                )
            if node.layer is not None and node.layer not in known:
                raise ValueError(
                    f"node {node.id} ({node.op}) belongs to unknown layer {node.layer!r}"
                )
            for tensor in node.outputs:
                if tensor.id in made:
                    raise ValueError(f"tensor {tensor.id} is made twice")
                made.add(tensor.id)
        open_calls: list[Call] = []
        for call in sorted(self.calls, key=lambda c: (c.start, -c.stop)):
            if call.layer not in known:
                raise ValueError(f"a call of unknown layer {call.layer!r}")
            if not 0 <= call.start <= call.stop <= len(self.nodes):
                raise ValueError(
                    f"a call of {call.layer!r} covers nodes {call.start} to {call.stop}"
                )
            while open_calls and open_calls[-1].stop <= call.start:
                open_calls.pop()
            if open_calls and call.stop > open_calls[-1].stop:
                raise ValueError(f"calls of {open_calls[-1].layer!r} and {call.layer!r} overlap")
            open_calls.append(call)

    # Look-up tables, each built when it is first needed. They are no fields: ``==`` and ``replace`` ignore them.

    @cached_property
    def _derived(self) -> dict[Callable[[Graph], Any], Any]:
        return {}

    @cached_property
    def _layers_by_name(self) -> dict[str, Layer]:
        table = {alias: layer for layer in self.layers for alias in layer.aliases}
        return table | {layer.name: layer for layer in self.layers}

    @cached_property
    def _tensors_by_id(self) -> dict[int, Tensor]:
        return {tensor.id: tensor for node in self.nodes for tensor in node.outputs}

    @cached_property
    def _producers(self) -> dict[int, Node]:
        return {tensor.id: node for node in self.nodes for tensor in node.outputs}

    @cached_property
    def _consumers(self) -> dict[int, tuple[Node, ...]]:
        table: dict[int, list[Node]] = {}
        for node in self.nodes:
            for id in dict.fromkeys(node.inputs):
                table.setdefault(id, []).append(node)
        return {id: tuple(nodes) for id, nodes in table.items()}

    @cached_property
    def _calls_by_layer(self) -> dict[str, tuple[Call, ...]]:
        table: dict[str, list[Call]] = {}
        for call in self.calls:
            table.setdefault(call.layer, []).append(call)
        return {name: tuple(calls) for name, calls in table.items()}

    @cached_property
    def _nodes_by_layer(self) -> dict[str, tuple[Node, ...]]:
        table: dict[str, list[Node]] = {}
        for node in self.nodes:
            if node.layer is not None:
                table.setdefault(node.layer, []).append(node)
        return {name: tuple(nodes) for name, nodes in table.items()}
