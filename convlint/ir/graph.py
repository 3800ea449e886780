"""The graph of a recorded model: layers, calls and tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Literal, TypeVar

from convlint.ir.nodes import Call, Failure, Layer, MergedBatch, Node, Scope, Shape, Tensor
from convlint.source_text.site import Site
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass, field

K = TypeVar("K")
T = TypeVar("T")
Status = Literal["complete", "partial", "failed"]


@dataclass(frozen=True)  # without slots: look-up tables are cached on the instance
class Graph:
    """A recorded model: its layers, and the calls of one forward in the order in which they ran.

    - ``inputs``, ``outputs``: as a reader would write them, "x: 1x3x224x224 float32"
    - ``input_source``: where the input came from: "--input", "example_input_array", "inferred" ...
    - ``untraced``: (module path, reason) of modules that were not traced into
    - ``smallest_input``: the smallest spatial size that runs, where it was searched for
    - ``unregistered_layers``: (module path, attribute, site) of lists and dicts that hide layers from ``parameters()``
    - ``tried_sizes``: other spatial sizes that were tried, with the module that failed; None where the size runs
    - ``merged_batches``: reshapes because of which the model fails at another batch size than that of this run
    - ``saved_bytes_mode``: "train", or "eval" where the training forward could not run
    - ``budgets``: max-params, max-macs, max-activation-bytes
    - ``scopes``: the constructor calls whose parameters the layers' ``exprs`` use
    - ``read_parameters``: parameters and buffers that a recorded call read
    - ``called_in_training``: layers that a training forward called; None where none was run
    - ``ignored_arguments``: (parameter, class, site) of constructor parameters that are never read
    - ``rebuilt_layers``: (class, site) of layers with parameters that every forward builds again
    - ``texts``: the files that sites refer to; they are not sent to other processes
    """

    target: str | None = None
    status: Status = "complete"
    layers: tuple[Layer, ...] = ()
    nodes: tuple[Node, ...] = ()
    calls: tuple[Call, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    input_source: str = ""
    traced_by: str = "recorder"
    batch_size: int = 1
    training: bool = False
    failure: Failure | None = None
    untraced: tuple[tuple[str, str], ...] = ()
    smallest_input: Shape | None = None
    unregistered_layers: tuple[tuple[str, str, Site | None], ...] = ()
    tried_sizes: tuple[tuple[Shape, str | None], ...] = ()
    merged_batches: tuple[MergedBatch, ...] = ()
    peak_inference_bytes: int | None = None
    saved_bytes: int | None = None
    saved_bytes_mode: str = ""
    input_bytes: int = 0
    budgets: Mapping[str, int] = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()
    read_parameters: tuple[str, ...] = ()
    called_in_training: tuple[str, ...] | None = None
    ignored_arguments: tuple[tuple[str, str, Site], ...] = ()
    rebuilt_layers: tuple[tuple[str, Site], ...] = ()
    texts: SourceTexts = field(default_factory=SourceTexts, repr=False, compare=False, metadata={"local": True})

    @property
    def input_is_guessed(self) -> bool:
        """Return whether the input was guessed: what depends on its size or kind proves nothing about the model."""
        return self.input_source.startswith("inferred")

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
        if compute not in self._derived:
            self._derived[compute] = compute(self)
        result: T = self._derived[compute]
        return result

    def where(self, node: Node) -> Site | None:
        """The line to point at for a call: its layer's construction site, else the call itself."""
        layer = self.layer(node.layer)
        return layer.site if layer is not None and layer.site is not None else node.site

    def lint(self) -> None:
        """Check the graph's invariants. Raises ValueError that names the first one broken.

        Node ids count up from 0; a tensor is created once, before it is read; every named layer exists, once; calls
        cover ranges of existing nodes, and two calls either nest or are disjoint.
        """
        created: set[int] = set()
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            repeated = sorted({n for n in names if names.count(n) > 1})
            raise ValueError(f"layer names repeat: {repeated}")
        known = set(names) | {alias for layer in self.layers for alias in layer.aliases}
        for position, node in enumerate(self.nodes):
            if node.id != position:
                raise ValueError(f"node {node.id} is at position {position}")
            name = f"node {node.id} ({node.op})"
            if missing := [id for id in node.inputs if id not in created]:
                raise ValueError(f"{name} reads tensor {missing[0]} before it is created")
            if node.layer is not None and node.layer not in known:
                raise ValueError(f"{name} belongs to unknown layer {node.layer!r}")
            for tensor in node.outputs:
                if tensor.id in created:
                    raise ValueError(f"tensor {tensor.id} is created twice")
                created.add(tensor.id)
        open_calls: list[Call] = []
        for call in sorted(self.calls, key=lambda c: (c.start, -c.stop)):
            if call.layer not in known:
                raise ValueError(f"a call of unknown layer {call.layer!r}")
            if not 0 <= call.start <= call.stop <= len(self.nodes):
                raise ValueError(f"a call of {call.layer!r} covers nodes {call.start} to {call.stop}")
            while open_calls and open_calls[-1].stop <= call.start:
                open_calls.pop()
            if open_calls and call.stop > open_calls[-1].stop:
                raise ValueError(f"calls of {open_calls[-1].layer!r} and {call.layer!r} overlap")
            open_calls.append(call)

    # Look-up tables, each built when it is first needed. ``==`` and ``replace`` ignore them: they are not fields.

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
        return _grouped((id, node) for node in self.nodes for id in dict.fromkeys(node.inputs))

    @cached_property
    def _calls_by_layer(self) -> dict[str, tuple[Call, ...]]:
        return _grouped((call.layer, call) for call in self.calls)

    @cached_property
    def _nodes_by_layer(self) -> dict[str, tuple[Node, ...]]:
        return _grouped((node.layer, node) for node in self.nodes if node.layer is not None)


def _grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, tuple[T, ...]]:
    table: dict[K, list[T]] = {}
    for key, value in pairs:
        table.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in table.items()}
