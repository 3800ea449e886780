"""The graph of a recorded model: layers, calls and tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from convlint.model.site import Site

Shape = tuple[int, ...]
T = TypeVar("T")
Status = Literal["complete", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value that flows between calls. ``dtype`` is torch's name without the prefix (``float32``)."""

    id: int
    shape: Shape
    dtype: str = "float32"
    itemsize: int = 4

    @property
    def numel(self) -> int:
        n = 1
        for size in self.shape:
            n *= size
        return n

    @property
    def nbytes(self) -> int:
        return self.numel * self.itemsize


@dataclass(frozen=True, slots=True)
class Node:
    """One call that produced tensors: what ran, on which tensors, from which line, inside which module.

    ``op`` is the function's name without in-place underscore and dunders: ``conv2d``, ``conv_transpose2d``,
    ``batch_norm``, ``group_norm``, ``linear``, ``relu``, ``add``, ``mul``, ``cat``, ``flatten``, ``reshape`` (``view``
    too), ``max_pool2d``, ``adaptive_avg_pool2d``, ``getitem`` ... and four that are no call: ``input``, ``parameter``
    (a parameter or buffer used by a generic op), ``constant`` (a tensor that no recorded call made) and ``output``.

    ``inputs`` are ids of the tensors that went in, in argument order. A layer's own parameters are left out for
    convolutions, norms and linear: there ``inputs[0]`` is the activation and ``attrs`` say what the weights ask for.

    ``attrs`` of conv: ``in_channels`` (what the weight accepts, times groups), ``out_channels``, ``kernel_size``,
    ``stride``, ``padding`` (tuple of ints, or "same"/"valid"), ``dilation``, ``groups``, ``bias``, ``transposed``,
    ``output_padding``; of norms: ``num_features`` (or ``normalized_shape``), ``num_groups``, ``affine``,
    ``track_running_stats``, ``training``; of linear: ``in_features``, ``out_features``, ``bias``; of pools
    ``kernel_size``, ``stride``, ``padding``, ``ceil_mode``; of cat/stack/flatten/softmax/mean/split/chunk: ``dim`` ...;
    of reshape: ``shape``. Where a layer owns the call, these are the numbers that the *source* asked for, also when
    the layer had to be repaired to go on. ``inplace`` is set on in-place calls.

    ``error`` is what PyTorch raised when the call could not work and a stand-in output took its place.
    """

    id: int
    op: str
    module: str = ""
    layer: str | None = None
    inputs: tuple[int, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    site: Site | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One ``nn.Module`` instance, container or leaf, under its first name.

    ``kind`` is its class, ``base`` the nearest class of ``torch.nn`` in its MRO (``Conv2d``, ``BatchNorm2d``,
    ``Sequential``, ``Module``). ``attrs`` are the numbers of the constructor call *as the source asked for them*
    (``in_channels``, ``groups``, ``num_features`` ...), also where the constructor refused them (``error``) and a
    repaired stand-in was built. ``exprs`` says for such a number which expression over the constructor parameters of
    the classes around it it came from (``dims.to_json``), ``scope`` which constructor was running when the layer was
    made. ``site`` is the constructor call, ``chain`` the calls that led there, innermost first.

    ``params`` counts this module's own parameters, each parameter of the model at its first owner only, so that the
    sum over all layers is ``sum(p.numel() for p in model.parameters())``.
    """

    name: str
    kind: str
    base: str
    leaf: bool = True
    site: Site | None = None
    chain: tuple[Site, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    exprs: Mapping[str, Any] = field(default_factory=dict)
    scope: int | None = None
    params: int = 0
    trainable_params: int = 0
    params_bytes: int = 0
    parameters: tuple[tuple[str, Shape], ...] = ()
    aliases: tuple[str, ...] = ()
    training: bool = False
    saved_bytes: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a constructor call, under the name of its parameter; what ``*args`` takes is ``args[0]`` ...

    ``text`` is its value as source: a literal, or a dotted name that can be imported (``torch.nn.ReLU``). None where
    it has no such form.
    """

    name: str
    text: str | None
    positional: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """One constructor call, and its parameters as symbols of their own (``Symbol(name, id)`` in ``dims``).

    ``kind`` is the class whose ``__init__`` ran, ``parent`` the scope that it was called in. ``symbols`` has for each
    parameter that matters its name, its value, and the expression over outer symbols that was passed for it;
    ``equal`` the pairs of expressions that a comparison on the way found equal. Expressions are in JSON form.

    ``path``, ``cls`` and ``arguments`` say how to make the call again: the file, the class in it (a subclass of
    ``kind`` where that has no ``__init__`` of its own) and what was passed; empty where that is not known.
    """

    id: int
    kind: str
    parent: int | None = None
    symbols: tuple[tuple[str, int, Any], ...] = ()
    equal: tuple[tuple[Any, Any], ...] = ()
    path: str = ""
    cls: str = ""
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module: tensors in and out, and the run of nodes ``start <= id < stop`` made inside it."""

    layer: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    start: int
    stop: int
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that ended the run: ``phase`` is ``constructor`` or ``forward``; ``site`` the deepest user line."""

    phase: Literal["constructor", "forward"]
    type: str
    message: str
    site: Site | None = None
    module: str = ""
    chain: tuple[Site, ...] = ()
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
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
        return None if name is None else index(self).layers.get(name)

    def tensor(self, id: int) -> Tensor:
        """The tensor of that id. Raises KeyError."""
        return index(self).tensors[id]

    def producer(self, tensor_id: int) -> Node:
        """The node that made a tensor. Raises KeyError."""
        return index(self).producers[tensor_id]

    def consumers(self, tensor_id: int) -> tuple[Node, ...]:
        """The nodes that read a tensor, in the order in which they ran."""
        return index(self).consumers.get(tensor_id, ())

    def calls_of(self, layer: str) -> tuple[Call, ...]:
        """The calls of a layer, in the order in which they ran."""
        return index(self).calls.get(layer, ())

    def nodes_of(self, layer: str) -> tuple[Node, ...]:
        """The nodes that belong to a leaf layer (``node.layer``)."""
        return index(self).nodes.get(layer, ())

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


class _Index:
    """Look-up tables of a graph, made once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def layers(self) -> dict[str, Layer]:
        table = {alias: layer for layer in self.graph.layers for alias in layer.aliases}
        table.update((layer.name, layer) for layer in self.graph.layers)
        return table

    @cached_property
    def tensors(self) -> dict[int, Tensor]:
        return {tensor.id: tensor for node in self.graph.nodes for tensor in node.outputs}

    @cached_property
    def producers(self) -> dict[int, Node]:
        return {tensor.id: node for node in self.graph.nodes for tensor in node.outputs}

    @cached_property
    def consumers(self) -> dict[int, tuple[Node, ...]]:
        table: dict[int, list[Node]] = {}
        for node in self.graph.nodes:
            for id in dict.fromkeys(node.inputs):
                table.setdefault(id, []).append(node)
        return {id: tuple(nodes) for id, nodes in table.items()}

    @cached_property
    def calls(self) -> dict[str, tuple[Call, ...]]:
        table: dict[str, list[Call]] = {}
        for call in self.graph.calls:
            table.setdefault(call.layer, []).append(call)
        return {name: tuple(calls) for name, calls in table.items()}

    @cached_property
    def nodes(self) -> dict[str, tuple[Node, ...]]:
        table: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            if node.layer is not None:
                table.setdefault(node.layer, []).append(node)
        return {name: tuple(nodes) for name, nodes in table.items()}


def kept_for_the_last(make: Callable[[Graph], T]) -> Callable[[Graph], T]:
    """``make``, remembering what it gave for the graph asked for last: rules ask about one graph at a time."""
    kept: tuple[Graph, T] | None = None

    def get(graph: Graph) -> T:
        nonlocal kept
        last = kept
        if last is None or last[0] is not graph:
            kept = last = (graph, make(graph))
        return last[1]

    return get


index = kept_for_the_last(_Index)
