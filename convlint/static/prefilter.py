"""Which rules may find something in an execution.

To write the graph of an execution and to ask every rule takes as long as to follow the program, and
most executions have nothing that any rule could find. What is said here of a rule only saves that
time: a rule that is not named is always asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convlint.ir import Site
from convlint.rules.codes import codes
from convlint.static.domain.execution import Step
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Tensor, symbols_of
from convlint.static.exploration.entry_points import PARAMETERS, ExecutionPath
from convlint.static.interpreter.pymodel.containers import as_number

Hint = tuple[str, Site | None, object]  # what may be wrong, and where


def suspected(path: ExecutionPath, known: set[Hint]) -> list[str]:
    """The codes of the rules that may find something. What may work by luck is looked at once:
    ``known`` is what earlier executions of the same root had, and gets what is new.
    """
    hints = {*_hints(path)} - known
    known |= {hint for hint in hints if hint[0] in _BY_LUCK}
    names = {hint[0] for hint in hints}
    return [code for code in codes() if _NEEDS.get(code, "any") in names | {"any"}]


_BY_LUCK = frozenset({"norm", "groups", "width", "kept", "ignored"})
_NEEDS = {
    **dict.fromkeys(
        ("CVL101", "CVL102", "CVL103", "CVL105", "CVL106", "CVL108", "CVL109", "CVL110", "CVL190"),
        "error",
    ),
    "CVL112": "unbatched",
    "CVL201": "norm",
    "CVL202": "groups",
    "CVL203": "width",
    "CVL205": "ignored",
    "CVL206": "kept",
    "CVL301": "bias",
    "CVL302": "padded",
    "CVL303": "skipping",
    "CVL309": "even",
    # Decided by a run alone.
    **dict.fromkeys(("CVL104", "CVL107", "CVL111", "CVL113", "CVL204"), "run"),
    **dict.fromkeys(("CVL304", "CVL305", "CVL306", "CVL307", "CVL308"), "run"),
    # About files, not models.
    **dict.fromkeys(("CVL900", "CVL901", "CVL902"), "file"),
}


def _hints(path: ExecutionPath) -> Iterator[Hint]:
    """What there is in an execution that rules could be about, and where."""
    execution = path.execution
    for instance, pairs in path.interpreter.demands.items():
        if instance.error:
            yield "error", instance.site, None
        if _on_parameters(pairs) and _is_depthwise(path, instance):
            yield "groups", instance.site, pairs
    if path.entry_point.ignored:
        yield "ignored", None, None
    for instance in path.interpreter.creators:
        if _keeps_modules(instance):
            yield "kept", instance.site, None
    biased: dict[Tensor, Site | None] = {}
    for step in execution.steps:
        if step.error is not None:
            yield "error", step.site, None
        if step.op in _NORMS:
            if _on_parameters(step.demands):
                yield "norm", step.site, step.demands
            if step.inputs[0] in biased:
                yield "bias", step.site, biased[step.inputs[0]]
        elif step.op == "linear" or step.op.startswith("conv"):
            if step.attrs.get("bias") is True:
                biased[step.outputs[0]] = step.layer.site if step.layer else None
            if _on_parameters(step.demands):
                yield "width", step.site, step.demands
            if step.op in _SPATIAL:
                for name in _of_convolution(step, _SPATIAL[step.op]):
                    yield name, step.site, step.layer.site if step.layer else None


_NORMS = frozenset({"batch_norm", "instance_norm", "group_norm", "layer_norm"})
_SPATIAL = {f"conv{n}d": n for n in (1, 2, 3)} | {f"conv_transpose{n}d": n for n in (1, 2, 3)}


def _of_convolution(step: Step, spatial: int) -> Iterator[str]:
    shape = step.inputs[0].shape
    if shape is not None and len(shape) == spatial + 1:
        yield "unbatched"
    kernel, stride = step.attrs.get("kernel_size"), step.attrs.get("stride")
    padding = step.attrs.get("padding")
    if not isinstance(kernel, tuple):
        return
    if isinstance(padding, tuple) and any(
        type(size) is int and size % 2 == 0 and around != 0
        for size, around in zip(kernel, padding, strict=False)
    ):
        yield "even"
    if isinstance(stride, tuple) and any(
        _exceeds(step_, size) for step_, size in zip(stride, kernel, strict=False)
    ):
        yield "skipping"
    if isinstance(padding, tuple) and any(
        size == 1 and around != 0 for size, around in zip(kernel, padding, strict=False)
    ):
        yield "padded"


def _exceeds(stride: Num, size: Num) -> bool:
    return type(stride) is int and type(size) is int and stride > size


def _on_parameters(pairs: tuple[tuple[Num, Num], ...]) -> bool:
    """Whether some demand was taken for granted that is about parameters of the class."""
    return any(
        symbol.scope == PARAMETERS for pair in pairs for n in pair for symbol in symbols_of(n)
    )


def _is_depthwise(path: ExecutionPath, instance: Instance) -> bool:
    groups = as_number(instance.attrs.get("groups"))
    into = as_number(instance.attrs.get("in_channels"))
    return groups is not None and into is not None and path.execution.equal(groups, into) is True


def _keeps_modules(instance: Instance) -> bool:
    """Whether an object has modules in a plain container."""
    return any(
        _holds_module(value)
        for value in instance.attrs.values()
        if type(value) in (list, tuple, dict) and value
    )


def _holds_module(value: object, depth: int = 2) -> bool:
    items = value.values() if isinstance(value, dict) else value
    assert isinstance(items, Iterable)
    return any(
        (type(item) is Instance and item.is_module)
        or (depth and type(item) in (list, tuple, dict) and _holds_module(item, depth - 1))
        for item in items
    )
