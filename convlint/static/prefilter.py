"""Selection of the rules that may find something in an execution.

Building the graph of an execution and running every rule takes as long as interpreting the program, and in most
executions no rule finds anything. So each execution is searched for the evidence that rules name in ``Rule.needs``,
and only those rules run. A rule without ``needs`` is not decided statically.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from convlint.analysis import ops
from convlint.ir import Site
from convlint.rules import registry
from convlint.static.domain.execution import Step
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Tensor, as_number, symbols_of
from convlint.static.exploration.entry_points import PARAMETERS, ExecutionPath

if TYPE_CHECKING:
    from convlint.rules.base import Needs, Rule

Evidence = tuple["Needs", Site | None, object]
"""The kind of evidence, its site, and a value that distinguishes two of a kind at one site."""

_LATENT: frozenset[Needs] = frozenset(
    {
        "norm-of-parameters",
        "depthwise-of-parameters",
        "layer-of-parameters",
        "plain-container",
        "ignored-argument",
        "modules-in-forward",
    }
)


def candidates(path: ExecutionPath, known: set[Evidence]) -> list[Rule]:
    """Return the rules that may find something; evidence of latent bugs counts only if it is not ``known``."""
    new = {*_evidence(path)} - known
    known |= {evidence for evidence in new if evidence[0] in _LATENT}
    kinds = {"anything", *(kind for kind, _, _ in new)}
    return [registry.rule(code) for code, needs in registry.needs().items() if needs in kinds]


def _evidence(path: ExecutionPath) -> Iterator[Evidence]:
    execution = path.execution
    for instance, pairs in path.interpreter.demands.items():
        if instance.error:
            yield "failed-call", instance.site, None
        if _on_parameters(pairs) and _is_depthwise(path, instance):
            yield "depthwise-of-parameters", instance.site, pairs
    if path.rebuilt:
        yield "modules-in-forward", None, path.rebuilt
    if path.entry_point.ignored:
        yield "ignored-argument", None, None
    for instance in path.interpreter.creators:
        if any(_holds_module(value) for value in instance.attrs.values() if type(value) in (list, tuple, dict)):
            yield "plain-container", instance.site, None
    biased: dict[Tensor, Site | None] = {}
    for step in execution.steps:
        if step.error is not None:
            yield "failed-call", step.site, None
        if step.op in ops.NORMS:
            if _on_parameters(step.demands):
                yield "norm-of-parameters", step.site, step.demands
            if step.inputs[0] in biased:
                yield "bias-before-norm", step.site, biased[step.inputs[0]]
        elif step.op in ops.PROJECTIONS:
            if step.attrs.get("bias") is True:
                biased[step.outputs[0]] = step.layer.site if step.layer else None
            if _on_parameters(step.demands):
                yield "layer-of-parameters", step.site, step.demands
            if step.op in ops.ALL_CONVS:
                for kind in _of_convolution(step, ops.spatial_dims(step.op)):
                    yield kind, step.site, step.layer.site if step.layer else None


def _of_convolution(step: Step, spatial: int) -> Iterator[Needs]:
    shape = step.inputs[0].shape
    if shape is not None and len(shape) == spatial + 1:
        yield "unbatched-conv"
    kernel, stride, padding = (step.attrs.get(name) for name in ("kernel_size", "stride", "padding"))
    if not isinstance(kernel, tuple):
        return
    pads = padding if type(padding) is tuple else ()
    padded = [size for size, pad in zip(kernel, pads, strict=False) if pad != 0]
    if any(type(size) is int and size % 2 == 0 for size in padded):
        yield "even-kernel"
    if 1 in padded:
        yield "padded-pointwise"
    if isinstance(stride, tuple) and any(
        type(step) is type(size) is int and step > size for step, size in zip(stride, kernel, strict=False)
    ):
        yield "stride-exceeds-kernel"


def _on_parameters(pairs: tuple[tuple[Num, Num], ...]) -> bool:
    """Return whether some assumption about sizes involves parameters of the class."""
    return any(symbol.scope == PARAMETERS for pair in pairs for n in pair for symbol in symbols_of(n))


def _is_depthwise(path: ExecutionPath, instance: Instance) -> bool:
    groups = as_number(instance.attrs.get("groups"))
    into = as_number(instance.attrs.get("in_channels"))
    return groups is not None and into is not None and path.execution.equal(groups, into) is True


def _holds_module(value: object, depth: int = 2) -> bool:
    items = value.values() if isinstance(value, dict) else value
    assert isinstance(items, Iterable)
    return any(
        (type(item) is Instance and item.is_module)
        or (depth and type(item) in (list, tuple, dict) and _holds_module(item, depth - 1))
        for item in items
    )
