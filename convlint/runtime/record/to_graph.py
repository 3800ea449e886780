"""Convert recorded steps to ``ir.Graph``, which does not depend on torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import nn

from convlint import ir as facts
from convlint.analysis import ops
from convlint.ir import Failure, Graph, Node, Site
from convlint.runtime import code_sites
from convlint.runtime.build import construction_sites
from convlint.runtime.record import call_attributes, operations
from convlint.runtime.record.layers import layers
from convlint.runtime.record.recorder import Recorder
from convlint.runtime.record.steps import ModuleCall, Step, Value, named_tensors_in
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


class _Called(NamedTuple):
    """A call: its operator, whether it changes its input, and the tensors that it reads, without weights."""

    op: str
    inplace: bool
    read: Sequence[Value]


_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse.quantized")


def _packed(calls: Iterable[ModuleCall]) -> dict[str, str]:
    """The quantized layers that were called, with the reason why their numbers are not counted."""
    called = {call.name: call.module for call in calls}
    reason = "the weights of a quantized layer are packed, so its parameters and multiply-accumulates are not counted"
    return {
        name: reason
        for name, module in called.items()
        if str(type(module).__module__).startswith(_QUANTIZED) and hasattr(module, "_packed_params")
    }


class _Conversion:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.recorder = recording.recorder
        self.nodes: list[Node] = []
        self.read: dict[str, None] = {}
        self._first = [-1] * len(self.recorder.steps)  # the id of the first tensor of each step, by its index
        self._count = 0
        self._names: dict[int, tuple[str, bool]] = {}
        self.layers: dict[str, facts.Layer] = {}

    def graph(self) -> Graph:
        recorder, model = self.recorder, self.recording.model
        kept_lists = list(unregistered(list(model.named_modules())))
        others = [(name, module) for _, _, name, module in kept_lists]
        others += [(call.name, call.module) for call in recorder.calls]
        self.layers = {layer.name: layer for layer in layers(model, others, recorder.registered)}
        starts = self._convert_steps()
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
            untraced=tuple((_packed(recorder.calls) | recorder.unseen).items()),
            unregistered_layers=tuple(_sites_of(kept_lists)),
            read_parameters=tuple(self.read),
            rebuilt_layers=self.recording.rebuilt,
        )

    def _status(self) -> facts.Status:
        if self.recording.failure is None:
            return "complete"
        return "partial" if any(node.op not in ops.NOT_CALLS for node in self.nodes) else "failed"

    def _convert_steps(self) -> list[int]:
        """Fill ``nodes``. Returns for each step, and for the end, how many nodes precede it."""
        steps = self.recorder.steps
        starts = [0] * (len(steps) + 1)
        called = [self._called(step) if step.kind == "call" else None for step in steps]
        wanted = self._read_as_activations(called)
        for step, call in zip(steps, called, strict=True):
            starts[step.index] = len(self.nodes)
            if call is not None:
                self._add(step, call.op, call.read, self._attributes(step, call))
            elif step.kind in ("unseen", "input"):
                self._add(step, step.kind, step.read)
            else:
                if step.kind == "state":
                    self.read[step.name] = None
                if step in wanted:
                    self._add(step, "parameter" if step.kind == "state" else "constant")
        starts[-1] = len(self.nodes)
        returned = self._values(self.recorder.returned)
        if returned or self.recording.failure is None:
            self.nodes.append(Node(len(self.nodes), "output", inputs=returned))
        if kept := self._values(self.recorder.kept):
            self.nodes.append(Node(len(self.nodes), "kept", inputs=kept))
        return starts

    def _called(self, step: Step) -> _Called:
        """The operator of a call, its layer, and the tensors that it reads as activations."""
        func = step.func
        known = self._names.get(id(func))
        if known is None:
            known = self._names[id(func)] = operations.name_of(func), operations.is_inplace(func)
        op = call_attributes.canonical(known[0], step.args)
        read = step.read  # x + x reads x twice
        if op in ops.WITH_WEIGHTS:
            read = [*read[:1], *(value for value in read[1:] if value.step.kind != "state")]
        return _Called(op, known[1], read)

    def _read_as_activations(self, called: Iterable[_Called | None]) -> set[Step]:
        """The steps whose tensors are used as activations and not as weights of a layer."""
        wanted = {value.step for value in self.recorder.returned}
        for call in self.recorder.calls:
            wanted.update([value.step for value in call.inputs])
            wanted.update([value.step for value in call.outputs])
        for each in called:
            if each is not None:
                wanted.update([value.step for value in each.read])
        return wanted

    def _attributes(self, step: Step, call: _Called) -> dict[str, Any]:
        named = call_attributes.bound(call.op, step.func, step.args, step.kwargs)
        attrs = call_attributes.attributes(call.op, named)
        layer = self._layer_of(step)
        if layer is not None and layer.error is not None:
            attrs |= _declared(layer, attrs)
        if call.inplace:
            attrs["inplace"] = True
        return attrs

    def _add(self, step: Step, op: str, read: Sequence[Value] = (), attrs: dict[str, Any] | None = None) -> None:
        self._first[step.index] = count = self._count
        self._count += len(step.outputs)
        layer = None if attrs is None else self._layer_of(step)
        self.nodes.append(
            Node(
                id=len(self.nodes),
                op=op,
                module=step.module,
                layer=None if layer is None else layer.name,
                inputs=self._values(read),
                outputs=tuple(
                    [
                        facts.Tensor(count + position, tuple(shape), *_kind(dtype))
                        for position, (shape, dtype) in enumerate(step.outputs)
                    ]
                ),
                attrs={} if attrs is None else attrs,
                site=None if step.frame is None else code_sites.site_of(step.frame),
                error=step.error,
            )
        )

    def _values(self, values: Iterable[Value]) -> tuple[int, ...]:
        first = self._first
        return tuple([first[value.step.index] + value.position for value in values])

    def _layer_of(self, step: Step) -> facts.Layer | None:
        """The layer that a call belongs to: the innermost module, if it is a layer.

        The functional calls of a model without submodules are reported on their own.
        """
        layer = None if step.owner is None else self.layers.get(step.module)
        if layer is None or not layer.leaf or (not step.module and layer.base == "Module"):
            return None
        return layer

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


def _declared(layer: facts.Layer, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in the source of a layer that was repaired with others."""
    found = {key: layer.attrs[key] for key in call_attributes.CHANNEL_COUNTS if key in attrs and key in layer.attrs}
    if "num_channels" in layer.attrs and "num_features" in attrs:
        found["num_features"] = layer.attrs["num_channels"]
    return found


@cache
def _kind(dtype: torch.dtype) -> tuple[str, int]:
    """The name of a data type, and the bytes of a number."""
    return str(dtype).removeprefix("torch."), dtype.itemsize


def _tensor_text(shape: Any, dtype: torch.dtype) -> str:
    return f"{'x'.join(map(str, shape)) or 'scalar'} {_kind(dtype)[0]}"


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
