"""The coverage of classes and configured models: the layers that were followed, and the places where it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from convlint.ir import Coverage, Stopped
from convlint.static.domain import origins
from convlint.static.domain.execution import Gap
from convlint.static.domain.facts import is_unknown
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Unknown, Value
from convlint.static.exploration.entry_points import ExecutionPath
from convlint.static.exploration.explore import Exploration
from convlint.static.layer_kinds import WITH_PARAMETERS
from convlint.static.plain_numbers import WIDTHS

_NUMBERS = (*WIDTHS, "normalized_shape")
_KINDS = ("class", "model")
_MOST_MODULES = 10_000  # and containers that are counted in one model


def covered(explorations: Sequence[Exploration]) -> Iterator[Coverage]:
    """Yield how far each class with layers was followed, in the execution that shows most of it."""
    for exploration in explorations:
        if exploration.entry_point.kind in _KINDS:
            found = [coverage for path in exploration.paths if (coverage := of_path(path)) is not None]
            if found:
                yield max(found, key=lambda each: (each.layers, each.followed))


def of_path(path: ExecutionPath) -> Coverage | None:
    """Return how far one execution of a class or model came; None if it has no layers."""
    entry = path.entry_point
    root = path.instance if entry.kind == "class" else path.model
    gaps = list(ends(path))
    modules = _modules(root) if type(root) is Instance else Counter()
    layers = {layer: count for layer, count in modules.items() if layer.kind in WITH_PARAMETERS}
    unknown = len({gap.site for gap in gaps if gap.is_layer})
    is_built = type(root) is Instance and root.kind is not None
    if not layers and not unknown and is_built:
        return None
    known = _known(path)
    called = {step.layer for step in path.execution.steps}
    followed = sum(
        count
        for layer, count in layers.items()
        if not has_unknown_numbers(layer) and (layer in known or (layer not in called and not gaps))
    )
    total = sum(layers.values()) + unknown
    line = getattr(getattr(entry.value, "node", None), "lineno", 1)
    is_class = entry.kind == "class"
    name, target = (entry.value.qualname, None) if is_class else (None, entry.name)
    return Coverage(entry.module.path, line, name, target, total, followed, tuple(_stopped(gaps)))


def ends(path: ExecutionPath) -> Iterator[Gap]:
    """Yield the places where an execution could not be followed."""
    yield from [gap for gap in path.execution.gaps if not gap.is_value]
    yield from path.execution.unfollowed


def message(gap: Gap) -> str:
    """Say why an execution ended at a place: the unknown expression, and the first unknown value that caused it."""
    subject = None if gap.subject is None else origins.quoted(gap.subject)
    if gap.cause is None:
        return gap.reason or f"{subject or 'this call'} is not followed"
    why = origins.description(gap.cause)
    head = gap.reason if subject is None else f"{subject} is unknown"
    place = origins.place(gap.cause)
    if place is None:
        return f"{head}: {why}"
    path, line = place
    if gap.site is not None and (path, line) == (gap.site.path, gap.site.line):
        return why if subject is not None and why.startswith(subject) else f"{head}: {why}"
    where = f"line {line}" if gap.site is not None and path == gap.site.path else f"{path}:{line}"
    return f"{head} since {where}: {why}" if subject is not None else f"{head}, unknown since {where}: {why}"


def _stopped(gaps: Sequence[Gap]) -> Iterator[Stopped]:
    seen = set()
    for gap in gaps:
        if gap.site is None or (gap.site.path, gap.site.line) in seen:
            continue
        seen.add((gap.site.path, gap.site.line))
        node = gap.subject if gap.cause is None else gap.cause.node
        value = None if node is None else origins.value_text(node)
        yield Stopped(gap.site.path, gap.site.line, message(gap), value)


def has_unknown_numbers(layer: Instance) -> bool:
    """Return whether a number of channels, features or groups of a layer is not known."""
    return layer.incomplete or any(_is_unknown_number(layer.attrs.get(name)) for name in _NUMBERS)


def _is_unknown_number(value: Value) -> bool:
    kind = type(value)
    return kind is Unknown or is_unknown(value) or (kind is tuple and any(map(_is_unknown_number, value)))


def _modules(root: Instance) -> Counter[Instance]:
    """Count a module and the modules below it; one in several places counts for each."""
    found: Counter[Instance] = Counter()
    pending: list[Value] = [root]
    budget = _MOST_MODULES
    while pending and budget:
        value = pending.pop()
        budget -= 1
        if type(value) is Instance:
            found[value] += 1
            pending += [item for item in value.attrs.values() if _may_hold(item)]
        else:
            pending += [item for item in (value.values() if type(value) is dict else value) if _may_hold(item)]
    return found


def _may_hold(value: Value) -> bool:
    kind = type(value)
    return (kind is Instance and value.is_module) or ((kind is list or kind is tuple or kind is dict) and bool(value))


def _known(path: ExecutionPath) -> set[Instance]:
    """Return the layers that were called on a tensor that was followed."""
    lost: set[int | None] = set()
    known: set[Instance] = set()
    for step in path.execution.steps:
        is_lost = any(tensor.id in lost for tensor in step.inputs)
        layer = step.layer
        if layer is not None and layer.kind in WITH_PARAMETERS:
            if not is_lost:
                known.add(layer)
            is_lost = False  # its arguments say how many channels it returns
        if is_lost or (step.op == "unseen" and "known" not in step.attrs):
            lost.update(tensor.id for tensor in step.outputs)
    return known
