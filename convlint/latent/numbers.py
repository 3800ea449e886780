"""The numbers of layers that take part in a failing operation, and the values that would settle it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from convlint.analysis import ops
from convlint.latent.following import Followed, layer_of
from convlint.static.domain.execution import Execution, Step
from convlint.static.domain.objects import Function, Instance
from convlint.static.domain.values import Tensor, Value
from convlint.static.program.parse import positional
from convlint.support.dataclass import dataclass

Label = Literal["in", "out", "groups"]
READERS = ops.WITH_WEIGHTS | {ops.ATTENTION}
"""Operations of layers that are sized by what they read."""
_MOST_STEPS = 400  # that are searched for the layers that determine a tensor


@dataclass(frozen=True, eq=False)
class LayerNumber:
    """One number of a layer: ``value`` now, and the values that would settle the operation; none if they are unknown.

    ``reader``: the layer fails, and reads this number. ``source``: it determines the channels received. ``sibling``:
    it reads the same input of the class. ``parameter``: the name and the position of the number in the constructor of
    the layer, if that is a module of the program.
    """

    layer: Instance
    op: str
    label: Label
    value: int | None
    wanted: tuple[int, ...]
    role: Literal["reader", "source", "sibling"]
    parameter: tuple[str, int] | None = None


def numbers_of(failed: Followed) -> list[LayerNumber]:
    """The numbers that meet in the operation that fails."""
    if failed.step is not None:
        return [*_of_module(failed, failed.step), *_of_call(failed.path.execution, failed.step)]
    layer = failed.layer
    if layer is None:
        return []
    op = _operator(layer)
    labels: tuple[Label, ...] = ("out",) if op.endswith("norm") else ("in", "out", "groups")
    return [LayerNumber(layer, op, label, _attribute(layer, op, label), (), "reader") for label in labels]


def is_undetermined(execution: Execution, step: Step) -> bool:
    """Return whether a layer fails on a width that its inputs leave open: they would need a negative number."""
    layer = layer_of(step)
    return layer is not None and step.op in ops.PROJECTIONS and _received(execution, step) is None


def mismatch(failed: Followed) -> int | None:
    """The difference of the two numbers that meet in the operation that fails; None if they are unknown."""
    step = failed.step
    if step is None:
        return None
    layer = layer_of(step)
    if layer is not None and step.op in READERS:
        declared = _attribute(layer, step.op, declared_label(step.op))
        received = _received(failed.path.execution, step)
        return None if declared is None or received is None else declared - received
    sizes = _merged(failed.path.execution, step)
    return None if sizes is None else sizes[0] - sizes[1]


def _merged(execution: Execution, step: Step) -> tuple[int, int] | None:
    """The two numbers of channels that an elementwise operation joins, if these alone differ."""
    if step.op not in ops.MERGES or len(step.inputs) != 2:
        return None
    one, other = (tensor.shape or () for tensor in step.inputs)
    if len(one) != len(other):
        return None
    pairs = [(execution.reduced(left), execution.reduced(right)) for left, right in zip(one, other, strict=True)]
    differ = [(left, right) for left, right in pairs if type(left) is type(right) is int and left != right]
    differ = [(left, right) for left, right in differ if 1 not in (left, right)]
    return differ[0] if len(differ) == 1 else None


def _of_module(failed: Followed, step: Step) -> Iterator[LayerNumber]:
    """The widths of a module of the program, such as a norm or a scale, that fails in an operation of its own."""
    owner, init = step.owner, None if step.owner is None else step.owner.cls.lookup("__init__")
    if owner is None or owner is failed.path.instance or layer_of(step) is not None or type(init) is not Function:
        return
    arguments = failed.path.interpreter.arguments.get(owner, {})
    names = [parameter.arg for parameter in positional(init.node.args)[1:]]
    for one, other in _differing(failed.path.execution, step):
        for position, name in enumerate(names):
            if arguments.get(name) == one:
                yield LayerNumber(owner, step.op, "in", one, (other,), "reader", (name, position))


def _differing(execution: Execution, step: Step) -> list[tuple[int, int]]:
    """The numbers that meet in an operation without a layer, each with the other one."""
    pairs: list[tuple[Value, Value]] = []
    if step.op in ops.MERGES and len(step.inputs) == len(("left", "right")):
        one, other = (tensor.shape or () for tensor in step.inputs)
        pairs = [(execution.reduced(a), execution.reduced(b)) for a, b in zip(one[::-1], other[::-1], strict=False)]
    elif step.op in ("layer_norm", "rms_norm") and step.inputs and step.inputs[0].shape:
        shape = step.attrs.get("normalized_shape")
        pairs = [(shape[-1], execution.reduced(step.inputs[0].shape[-1]))] if type(shape) is tuple and shape else []
    differ = [(a, b) for a, b in pairs if type(a) is type(b) is int and a != b and 1 not in (a, b)]
    return [each for a, b in differ for each in ((a, b), (b, a))]


def _of_call(execution: Execution, failing: Step) -> Iterator[LayerNumber]:
    layer = layer_of(failing)
    declared = received = None
    merged = _merged(execution, failing)
    if layer is not None and failing.op in READERS:
        label = declared_label(failing.op)
        declared = _attribute(layer, failing.op, label)
        received = _received(execution, failing)
        wanted: tuple[int, ...] = () if received is None else (received,)
        yield LayerNumber(layer, failing.op, label, declared, wanted, "reader")
    producers = {output.id: step for step in execution.steps for output in step.outputs}
    inputs: set[int | None] = set()
    seen: set[Instance] = set()
    for step in _sources(producers, failing):
        if step.op == "input":
            inputs.add(step.outputs[0].id)
        elif (source := layer_of(step)) is not None and source not in seen:
            seen.add(source)
            value = _attribute(source, step.op, "out")
            wanted = _wanted(value, declared, received)
            if merged is not None:
                wanted = tuple(n for left, right in (merged, merged[::-1]) for n in _wanted(value, left, right))
            elif value is not None and failing.op == "pixel_shuffle":
                wanted = tuple(_shuffled(value, failing.attrs.get("upscale_factor")))
            yield LayerNumber(source, step.op, "out", value, tuple(dict.fromkeys(wanted)), "source")
            if layer is None and _reads_input(producers, step):
                read = _attribute(source, step.op, "in")
                fitting = () if merged is None else (*_wanted(read, *merged), *_wanted(read, *merged[::-1]))
                yield LayerNumber(source, step.op, "in", read, tuple(dict.fromkeys(fitting)), "sibling")
    for step in execution.steps if inputs else ():
        if step is failing:
            break
        reader = layer_of(step)
        if reader is None or reader in seen or step.op not in ops.WITH_WEIGHTS:
            continue
        if any(source.op == "input" and source.outputs[0].id in inputs for source in _sources(producers, step)):
            seen.add(reader)
            label = declared_label(step.op)
            value = _attribute(reader, step.op, label)
            yield LayerNumber(reader, step.op, label, value, _wanted(value, declared, received), "sibling")


def _reads_input(producers: dict[int | None, Step], step: Step) -> bool:
    return any(source.op == "input" for source in _sources(producers, step))


def _wanted(value: int | None, declared: int | None, received: int | None) -> tuple[int, ...]:
    """The values of a part, if the whole must be ``declared`` and is ``received``: as a whole, a term, a factor."""
    if value is None or declared is None or received is None:
        return ()
    found = [declared] if value == received else [value + declared - received]
    if received and value * declared % received == 0:
        found.append(value * declared // received)
    return tuple(dict.fromkeys(number for number in found if number > 0))


def _shuffled(value: int, factor: Value) -> Iterator[int]:
    """The channels that a pixel shuffle by ``factor`` may expect of a layer that has those of another factor."""
    if type(factor) is int:
        yield from (value // each**2 * factor**2 for each in _FACTORS if value % each**2 == 0)


_FACTORS = (2, 3, 4, 1)


def declared_label(op: str) -> Label:
    """The label of the number with which a layer checks its input."""
    return "in" if op in ops.SIZED_BY_INPUT else "out"


def _received(execution: Execution, step: Step) -> int | None:
    shape = step.inputs[0].shape or ()
    dimension = -1
    if step.op in ops.ALL_CONVS:
        dimension = -ops.spatial_dims(step.op) - 1
    elif step.op not in ops.OF_FEATURES:
        dimension = 1
    if not -len(shape) <= dimension < len(shape):
        return None
    size = execution.reduced(shape[dimension])
    return size if type(size) is int else None


def _sources(producers: dict[int | None, Step], step: Step) -> Iterator[Step]:
    """The nearest calls before a step that determine the channels of its inputs: projections, and the input."""
    pending: list[Tensor] = list(step.inputs)
    seen: set[int] = set()
    while pending and len(seen) < _MOST_STEPS:
        tensor = pending.pop(0)
        before = producers.get(tensor.id)
        if before is None or id(before) in seen or before is step:
            continue
        seen.add(id(before))
        if before.op in ops.PROJECTIONS or before.op == "input":
            yield before
        else:
            pending += before.inputs


_NAMES: dict[tuple[str, Label], tuple[str, ...]] = {
    ("conv", "in"): ("in_channels",),
    ("conv", "out"): ("out_channels",),
    ("conv", "groups"): ("groups",),
    ("linear", "in"): ("in_features",),
    ("linear", "out"): ("out_features",),
}


def _attribute(layer: Instance, op: str, label: Label) -> int | None:
    if op == ops.ATTENTION:
        width = layer.attrs.get("embed_dim")
        return width if type(width) is int else None
    names = _NAMES.get(("conv" if op.startswith("conv") else op, label))
    for name in names or ("num_features", "num_channels", "num_parameters", "normalized_shape"):
        value = layer.attrs.get(name)
        if type(value) is tuple and value:
            value = value[-1]
        if type(value) is int:
            return value
    return None


def _operator(layer: Instance) -> str:
    """The operator of a layer, as calls of it would have it."""
    kind = layer.kind or ""
    if "Conv" in kind:
        return "conv2d"
    for prefix, op in (("Linear", "linear"), ("GroupNorm", "group_norm"), ("BatchNorm", "batch_norm")):
        if kind.startswith(prefix):
            return op
    return "layer_norm" if "Norm" in kind else kind
