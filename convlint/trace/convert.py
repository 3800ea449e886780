"""From the FX graph that the recorder wrote to convlint's own graph, which knows no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from convlint import model as facts
from convlint.model import Graph, Node
from convlint.trace import attributes, operations, sites
from convlint.trace.attributes import Seen
from convlint.trace.layers import is_leaf, layers
from convlint.trace.unregistered import unregistered

if TYPE_CHECKING:
    from convlint.trace.record import Entry, Recording


def convert(recording: Recording) -> Graph:
    """The graph of a recorded forward; see ``model.Graph`` for what it holds."""
    return _Conversion(recording).graph()


class _Conversion:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.recorder = recording.recorder
        self.nodes: list[Node] = []
        self.read: dict[str, None] = {}
        self._tensors: dict[tuple[fx.Node, int], int] = {}
        self._count = 0
        self.layers: dict[str, facts.Layer] = {}

    def graph(self) -> Graph:
        recorder, model = self.recorder, self.recording.model
        kept_lists = list(unregistered(model))
        others = [(name, module) for _, _, name, module in kept_lists]
        others += [(call.name, call.module) for call in recorder.calls]
        self.layers = {layer.name: layer for layer in layers(model, others)}
        starts = self._convert_nodes()
        return Graph(
            target=self.recording.target,
            status=self._status(),
            layers=tuple(self.layers.values()),
            nodes=tuple(self.nodes),
            calls=tuple(self._calls(starts)),
            inputs=tuple(
                f"{node.name}: {_shown(*self.recorder.entries[node].outputs[0][:2])}"
                for node in recorder.nodes
                if node.op == "placeholder"
            ),
            outputs=tuple(_described(self.recording.result, "")),
            training=self.recording.training,
            failure=self.recording.failure,
            unseen=tuple(recorder.unseen.items()),
            unregistered=tuple(_sites_of(kept_lists)),
            read=tuple(self.read),
        )

    def _status(self) -> facts.Status:
        if self.recording.failure is None:
            return "complete"
        return "partial" if any(node.op not in _NO_CALLS for node in self.nodes) else "failed"

    # --- nodes

    def _convert_nodes(self) -> list[int]:
        """Fill ``nodes``; for each FX node, and the end, how many nodes were kept before it."""
        starts = []
        wanted = self._generic_readers()
        for node in self.recorder.nodes:
            starts.append(len(self.nodes))
            entry = self.recorder.entries[node]
            if node.target is operations.item_of:
                source, position = node.args
                assert isinstance(source, fx.Node)
                assert isinstance(position, int)
                self._tensors[node, 0] = self._tensors[source, position]
            elif node.op == "placeholder":
                self._add(node, entry, "input")
            elif node.op == "get_attr":
                name = str(node.target)
                if not name.startswith(_CONSTANT):
                    self.read[name] = None
                if node in wanted:
                    self._add(node, entry, "constant" if name.startswith(_CONSTANT) else "parameter")
            elif entry.opaque:
                inputs = self._ids(node.args)
                self._add(node, entry, "unseen", inputs)
            else:
                self._add_call(node, entry)
        starts.append(len(self.nodes))
        returned = [self._id(tensor_node) for tensor_node in self.recorder.returned]
        if returned or self.recording.failure is None:
            self.nodes.append(Node(len(self.nodes), "output", inputs=tuple(returned)))
        return starts

    def _generic_readers(self) -> set[fx.Node]:
        """The ``get_attr`` nodes that are read as activations, not as a layer's own weights."""
        wanted: set[fx.Node] = set(self.recorder.returned)
        for call in self.recorder.calls:
            wanted.update(call.inputs, call.outputs)
        for node in self.recorder.nodes:
            if node.op != "call_function":
                continue
            activations = self._activations(node, self._op(node))
            wanted.update(activations)
        return {node for node in wanted if node.op == "get_attr"}

    def _activations(self, node: fx.Node, op: str) -> list[fx.Node]:
        """The tensors that a call reads; without the parameters and buffers where it has weights."""
        read = list(_nodes_in((node.args, node.kwargs)))  # x + x reads x twice
        if not (attributes.is_convolution(op) or op in attributes.WEIGHTED):
            return read
        first = read[:1]
        return first + [other for other in read[1:] if not self._is_state(other)]

    def _is_state(self, node: fx.Node) -> bool:
        return node.op == "get_attr" and not str(node.target).startswith(_CONSTANT)

    def _op(self, node: fx.Node) -> str:
        name = operations.name_of(node.target)
        return attributes.canonical(name, [self._seen(argument) for argument in node.args])

    def _seen(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            entry = self.recorder.entries[value]
            return Seen(tuple(entry.outputs[0][0]), self._is_state(value))
        return value

    def _add_call(self, node: fx.Node, entry: Entry) -> None:
        op = self._op(node)
        named = attributes.bound(op, node.target, node.args, node.kwargs)
        named = {name: self._seen(value) for name, value in named.items()}
        first = next((self._seen(a) for a in node.args if isinstance(a, fx.Node)), None)
        attrs = attributes.attributes(op, named, len(first.shape) if first else 0)
        layer = self._layer_of(entry)
        if layer is not None:
            attrs |= self._asked_for(layer, op, attrs)
        if _is_inplace(node.target):
            attrs["inplace"] = True
        inputs = self._ids(self._activations(node, op))
        self._add(node, entry, op, inputs, attrs, layer)

    def _add(
        self,
        node: fx.Node,
        entry: Entry,
        op: str,
        inputs: tuple[int, ...] = (),
        attrs: dict[str, Any] | None = None,
        layer: str | None = None,
    ) -> None:
        outputs = []
        for position, (shape, dtype, itemsize) in enumerate(entry.outputs):
            self._tensors[node, position] = self._count
            outputs.append(facts.Tensor(self._count, tuple(shape), _name(dtype), itemsize))
            self._count += 1
        self.nodes.append(
            Node(
                id=len(self.nodes),
                op=op,
                module=entry.module,
                layer=layer,
                inputs=inputs,
                outputs=tuple(outputs),
                attrs=attrs or {},
                site=None if entry.frame is None else sites.site_of(entry.frame),
                error=entry.error,
            )
        )

    def _id(self, node: fx.Node) -> int:
        return self._tensors[node, 0]

    def _ids(self, nodes: Any) -> tuple[int, ...]:
        return tuple(self._tensors[node, 0] for node in nodes if (node, 0) in self._tensors)

    # --- layers

    def _layer_of(self, entry: Entry) -> str | None:
        """The layer that a call belongs to: the module around it, if that is a layer itself."""
        if entry.owner is None or not entry.module or not is_leaf(entry.owner):
            return None
        return entry.module if entry.module in self.layers else None

    def _asked_for(self, name: str, op: str, attrs: dict[str, Any]) -> dict[str, Any]:
        """The numbers that the source asked for, where they are not those of the stand-in."""
        layer = self.layers[name]
        if layer.error is None:
            return {}
        wanted = ("in_channels", "out_channels", "groups", "in_features", "out_features")
        wanted = (*wanted, "num_features", "num_groups", "num_channels")
        found = {key: layer.attrs[key] for key in wanted if key in attrs and key in layer.attrs}
        if "num_channels" in layer.attrs and "num_features" in attrs:
            found["num_features"] = layer.attrs["num_channels"]
        return found

    def _calls(self, starts: list[int]) -> list[facts.Call]:
        found = []
        for call in self.recorder.calls:
            if call.name not in self.layers:
                continue
            found.append(
                facts.Call(
                    layer=call.name,
                    inputs=self._ids(call.inputs),
                    outputs=self._ids(call.outputs),
                    start=starts[call.start],
                    stop=starts[call.stop],
                    site=None if call.frame is None else sites.site_of(call.frame),
                )
            )
        return found


_CONSTANT = "_constant_"
_NO_CALLS = frozenset({"input", "parameter", "constant", "output"})


def _nodes_in(value: Any) -> Iterator[fx.Node]:
    if isinstance(value, fx.Node):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _nodes_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _nodes_in(item)


def _is_inplace(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return bool(name.startswith("__i") and name != "__invert__")
    return bool(name.endswith("_"))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _shown(shape: Any, dtype: torch.dtype) -> str:
    return f"{'x'.join(map(str, shape)) or 'scalar'} {_name(dtype)}"


def _described(value: Any, prefix: str) -> Iterator[str]:
    """The tensors of a result as a reader would write them: ``out: 1x21x32x32 float32``."""
    if isinstance(value, Tensor):
        yield f"{prefix}: {_shown(value.shape, value.dtype)}" if prefix else _shown(value.shape, value.dtype)
        return
    if isinstance(value, dict):
        items = [(f"{prefix}.{key}".lstrip("."), item) for key, item in value.items()]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        items = [(f"{prefix}.{key}".lstrip("."), getattr(value, key)) for key in value._fields]
    elif isinstance(value, tuple | list):
        items = [(f"{prefix}[{index}]", item) for index, item in enumerate(value)]
    elif hasattr(type(value), "__dataclass_fields__"):
        fields = type(value).__dataclass_fields__
        items = [(f"{prefix}.{key}".lstrip("."), getattr(value, key, None)) for key in fields]
    else:
        return
    for name, item in items:
        yield from _described(item, name)


def _sites_of(
    kept: list[tuple[str, str, str, nn.Module]],
) -> Iterator[tuple[str, str, facts.Site | None]]:
    """Each container of unregistered modules once, with the line of its first module."""
    seen: set[tuple[str, str]] = set()
    for owner, attribute, _, module in kept:
        if (owner, attribute) not in seen:
            seen.add((owner, attribute))
            built = sites.built(module)
            yield owner, attribute, built.site if built else None
