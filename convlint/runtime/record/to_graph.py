"""Convert the recorded FX graph to ``ir.Graph``, which does not depend on torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from torch import fx, nn

from convlint import ir as facts
from convlint.analysis import ops
from convlint.ir import Failure, Graph, Node, Site
from convlint.runtime import code_sites
from convlint.runtime.build import construction_sites
from convlint.runtime.record import call_attributes, operations
from convlint.runtime.record.call_attributes import TensorArgument
from convlint.runtime.record.layers import base_of, is_leaf, layers
from convlint.runtime.record.recorder import Recorder
from convlint.runtime.record.steps import Step, Value, named_tensors_in
from convlint.runtime.record.to_fx import FxGraph
from convlint.runtime.record.unregistered import unregistered
from convlint.support.dataclass import dataclass


@dataclass
class Recording:
    """A recorded forward. ``fx_graph.graph`` is the FX graph; ``graph()`` converts it to ``ir.Graph``.

    ``built`` are the modules that the forward built, ``rebuilt`` those of them that every forward builds.
    """

    model: nn.Module
    recorder: Recorder
    result: Any
    failure: Failure | None
    training: bool
    target: str | None
    error: BaseException | None = None
    built: Sequence[nn.Module] = ()
    rebuilt: tuple[tuple[str, Site], ...] = ()

    @cached_property
    def fx_graph(self) -> FxGraph:
        """The forward as a ``torch.fx.Graph``; see ``to_fx.py``."""
        return FxGraph(self.recorder.steps, self.recorder.result, self.recorder.returned)

    def graph(self) -> Graph:
        """Convert the recording to ``ir.Graph`` and check its invariants."""
        graph = _Conversion(self).graph()
        graph.lint()
        return graph


class _Conversion:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.recorder = recording.recorder
        self.fx_graph = recording.fx_graph
        self.nodes: list[Node] = []
        self.read: dict[str, None] = {}
        self._tensors: dict[tuple[Step, int], int] = {}
        self._count = 0
        self._ops: dict[fx.Node, str] = {}
        self._inputs: dict[fx.Node, list[fx.Node]] = {}
        self.layers: dict[str, facts.Layer] = {}

    def graph(self) -> Graph:
        recorder, model = self.recorder, self.recording.model
        kept_lists = list(unregistered(list(model.named_modules())))
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
                f"{step.name}: {_tensor_text(*step.outputs[0])}" for step in recorder.steps if step.kind == "input"
            ),
            outputs=tuple(_described(self.recording.result)),
            training=self.recording.training,
            failure=self.recording.failure,
            untraced=tuple(recorder.unseen.items()),
            unregistered_layers=tuple(_sites_of(kept_lists)),
            read_parameters=tuple(self.read),
            rebuilt_layers=self.recording.rebuilt,
        )

    def _status(self) -> facts.Status:
        if self.recording.failure is None:
            return "complete"
        return "partial" if any(node.op not in ops.NOT_CALLS for node in self.nodes) else "failed"

    def _convert_nodes(self) -> list[int]:
        """Fill ``nodes``. Returns for each step, and for the end, how many nodes precede it."""
        starts = [0] * (len(self.recorder.steps) + 1)
        wanted = self._read_as_activations()
        for node in self.fx_graph.graph.nodes:
            step = self.fx_graph.steps.get(node)
            if step is None:
                continue  # the output, and one tensor of several
            starts[step.index] = len(self.nodes)
            if step.kind == "call":
                self._add(node, step, self._ops[node], self._inputs[node])
            elif step.kind in ("unseen", "input"):
                self._add(node, step, step.kind, node.args)
            else:
                if step.kind == "state":
                    self.read[step.name] = None
                if step in wanted:
                    self._add(node, step, "parameter" if step.kind == "state" else "constant")
        starts[-1] = len(self.nodes)
        returned = self._values(self.recorder.returned)
        if returned or self.recording.failure is None:
            self.nodes.append(Node(len(self.nodes), "output", inputs=returned))
        if kept := self._values(self.recorder.kept):
            self.nodes.append(Node(len(self.nodes), "kept", inputs=kept))
        return starts

    def _read_as_activations(self) -> set[Step]:
        """The steps whose tensors are used as activations and not as weights of a layer."""
        wanted = {value.step for value in self.recorder.returned}
        for call in self.recorder.calls:
            wanted.update(value.step for value in (*call.inputs, *call.outputs))
        for node, step in self.fx_graph.steps.items():
            if step.kind == "call":
                self._ops[node] = op = self._op(node)
                self._inputs[node] = read = self._activations(node, op)
                wanted.update(self._source(other)[0] for other in read)
        return wanted

    def _source(self, node: fx.Node) -> tuple[Step, int]:
        """The step that a node's tensor comes from, and the position among its outputs."""
        step = self.fx_graph.steps.get(node)
        if step is not None:
            return step, 0
        several, position = node.args
        assert isinstance(several, fx.Node)
        assert isinstance(position, int)
        return self.fx_graph.steps[several], position

    def _activations(self, node: fx.Node, op: str) -> list[fx.Node]:
        """The tensors that a call reads, without the weights of convolutions, norms and the like."""
        read = list(_nodes_in((node.args, node.kwargs)))  # x + x reads x twice
        if op not in ops.WITH_WEIGHTS:
            return read
        return read[:1] + [other for other in read[1:] if self._source(other)[0].kind != "state"]

    def _op(self, node: fx.Node) -> str:
        name = operations.name_of(node.target)
        return call_attributes.canonical(name, [self._tensor_argument(argument) for argument in node.args])

    @staticmethod
    def _tensor_argument(value: Any) -> Any:
        return TensorArgument(value.meta["shape"]) if isinstance(value, fx.Node) else value

    def _call_facts(self, node: fx.Node, step: Step) -> tuple[dict[str, Any], str | None]:
        """The attributes and the layer of a call."""
        op = self._ops[node]
        named = call_attributes.bound(op, node.target, node.args, node.kwargs)
        named = {name: self._tensor_argument(value) for name, value in named.items()}
        attrs = call_attributes.attributes(op, named)
        layer = self._layer_of(step)
        if layer is not None:
            attrs |= self._declared(layer, attrs)
        if _is_inplace(node.target):
            attrs["inplace"] = True
        return attrs, layer

    def _add(self, node: fx.Node, step: Step, op: str, read: Iterable[Any] = ()) -> None:
        attrs, layer = self._call_facts(node, step) if step.kind == "call" else ({}, None)
        inputs = tuple(self._tensors[self._source(other)] for other in read)
        outputs = []
        for position, (shape, dtype) in enumerate(step.outputs):
            self._tensors[step, position] = self._count
            outputs.append(facts.Tensor(self._count, tuple(shape), _name(dtype), dtype.itemsize))
            self._count += 1
        self.nodes.append(
            Node(
                id=len(self.nodes),
                op=op,
                module=step.module,
                layer=layer,
                inputs=inputs,
                outputs=tuple(outputs),
                attrs=attrs,
                site=node.meta["site"],
                error=step.error,
            )
        )

    def _values(self, values: Iterable[Value]) -> tuple[int, ...]:
        return tuple(self._tensors[value.step, value.position] for value in values)

    def _layer_of(self, step: Step) -> str | None:
        """The layer that a call belongs to: the innermost module, if it is a layer.

        The functional calls of a model without submodules are reported on their own.
        """
        if step.owner is None or not is_leaf(step.owner):
            return None
        if not step.module and base_of(step.owner) == "Module":
            return None
        return step.module if step.module in self.layers else None

    def _declared(self, name: str, attrs: dict[str, Any]) -> dict[str, Any]:
        """The arguments in the source, if the layer was repaired with others."""
        layer = self.layers[name]
        if layer.error is None:
            return {}
        found = {key: layer.attrs[key] for key in call_attributes.CHANNEL_COUNTS if key in attrs and key in layer.attrs}
        if "num_channels" in layer.attrs and "num_features" in attrs:
            found["num_features"] = layer.attrs["num_channels"]
        return found

    def _calls(self, starts: list[int]) -> list[facts.Call]:
        return [
            facts.Call(
                layer=call.name,
                inputs=self._values(call.inputs),
                outputs=self._values(call.outputs),
                start=starts[call.start],
                stop=starts[call.stop],
                site=None if call.frame is None else code_sites.site_of(call.frame),
            )
            for call in self.recorder.calls
            if call.name in self.layers
        ]


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


def _tensor_text(shape: Any, dtype: torch.dtype) -> str:
    return f"{'x'.join(map(str, shape)) or 'scalar'} {_name(dtype)}"


def _described(result: Any) -> Iterator[str]:
    """Describe the tensors of a result: ``out: 1x21x32x32 float32``."""
    for name, tensor in named_tensors_in(result):
        text = _tensor_text(tensor.shape, tensor.dtype)
        yield f"{name.lstrip('.')}: {text}" if name else text


def _sites_of(kept: list[tuple[str, str, str, nn.Module]]) -> Iterator[tuple[str, str, facts.Site | None]]:
    """Each container of modules with parameters or buffers once, with the line of the first such module."""
    seen: set[tuple[str, str]] = set()
    for owner, attribute, _, module in kept:
        if (owner, attribute) not in seen and any(True for _ in chain(module.parameters(), module.buffers())):
            seen.add((owner, attribute))
            built = construction_sites.construction_of(module)
            yield owner, attribute, built.site if built else None
