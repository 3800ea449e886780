"""The coverage of classes and configured models: the layers that were followed, and the places where it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from convlint.ir import Coverage, Stopped
from convlint.static.domain import origins
from convlint.static.domain.execution import Gap
from convlint.static.domain.facts import is_unknown
from convlint.static.domain.objects import Class, Instance
from convlint.static.domain.values import Unknown, Value
from convlint.static.exploration.entry_points import EntryPoint, ExecutionPath
from convlint.static.exploration.explore import Exploration
from convlint.static.layer_kinds import WITH_PARAMETERS
from convlint.static.plain_numbers import WIDTHS
from convlint.static.program.parse import positional
from convlint.support.dataclass import replace

_NUMBERS = (*WIDTHS, "normalized_shape")
Calls = tuple[set[Instance], set[Instance | None]]
_KINDS = ("class", "model")
_MOST_OBJECTS = 4  # of one class that other executions built
_MOST_MODULES = 10_000  # and containers that are counted in one model


def covered(explorations: Sequence[Exploration]) -> Iterator[Coverage]:
    """Yield how far each class with layers was followed, in the execution that shows most of it.

    What a class needs, such as a list of widths, may only be known where a function builds it.
    """
    calls = cache(_calls)
    raised = _raised(explorations)
    built: dict[Class, list[tuple[ExecutionPath, Instance]]] | None = None
    for exploration in explorations:
        kind = exploration.entry_point.kind
        if kind not in _KINDS:
            continue
        roots = [(path, path.instance if kind == "class" else path.model) for path in exploration.paths]
        best = _best(exploration.entry_point, roots, calls)
        if best is not None and kind == "class" and not (best.is_complete and best.layers):
            built = _built(explorations) if built is None else built
            more = _best(exploration.entry_point, built.get(exploration.entry_point.value, ()), calls)
            best = best if more is None else max(best, more, key=_rank)
        stops = raised.pop(exploration.entry_point.value, ()) if kind == "class" else ()
        if best is not None:
            yield replace(best, stopped=(*best.stopped, *stops)) if best.is_complete else best
    for cls, stops in raised.items():
        yield Coverage(explorations[0].entry_point.module.path, 1, cls.qualname, None, 0, 0, stops)


def _raised(explorations: Sequence[Exploration]) -> dict[Class, tuple[Stopped, ...]]:
    """Return the classes for which the program raises an exception of its own, with its own numbers or the defaults."""
    found: dict[Class, tuple[Stopped, ...]] = {}
    for exploration in explorations:
        entry, first, *others = exploration.entry_point, *exploration.paths
        if entry.kind == "class" and exploration.fails_at_defaults and not first.execution.has_settled:
            for gap in refusals(others[:1]):
                stops = _stopped([replace(gap, reason=f"with its default arguments {gap.reason}")])
                found.setdefault(entry.value, tuple(stops))
        elif entry.kind in ("file", "example") or (entry.kind in ("function", "factory") and not _parameters(entry)):
            for gap in refusals([first, *others]):
                if gap.owner is not None and not first.interpreter.choices.choices:
                    found[gap.owner.cls] = tuple(_stopped([gap]))
    return found


def _parameters(entry: EntryPoint) -> bool:
    """Return whether a function has parameters."""
    arguments = entry.value.node.args
    return bool(positional(arguments) or arguments.kwonlyargs or arguments.vararg or arguments.kwarg)


def _built(explorations: Sequence[Exploration]) -> dict[Class, list[tuple[ExecutionPath, Instance]]]:
    """Return objects of the classes that executions built, a few of each.

    One of a class that only builds more than its base is an object of the base as well.
    """
    found: dict[Class, list[tuple[ExecutionPath, Instance]]] = {}
    for exploration in explorations:
        for path in exploration.paths:
            for instance in path.interpreter.creators:
                for cls in instance.cls.mro:
                    objects = found.setdefault(cls, [])
                    is_its_own = instance is path.instance and cls is instance.cls
                    if len(objects) < _MOST_OBJECTS and not is_its_own and _has_forward_of(instance, cls):
                        objects.append((path, instance))
    return found


def _has_forward_of(instance: Instance, cls: Class) -> bool:
    """Return whether an object of a class of the program, or of one derived from it, has the forward of that class."""
    return cls.node is not None and cls.lookup("forward") is instance.cls.lookup("forward")


def _best(
    entry: EntryPoint, roots: Iterable[tuple[ExecutionPath, Value]], calls: Callable[[ExecutionPath], Calls]
) -> Coverage | None:
    found = [coverage for path, root in roots if (coverage := of(entry, path, root, calls(path))) is not None]
    return max(found, key=_rank, default=None)


def _rank(coverage: Coverage) -> tuple[bool, float, int]:
    """Rank an execution by the share of the layers that were followed, and by their number."""
    share = coverage.followed / coverage.layers if coverage.layers else 0.0
    return coverage.is_complete and coverage.layers > 0, share, coverage.layers


def of(entry: EntryPoint, path: ExecutionPath, root: Value, calls: Calls) -> Coverage | None:
    """Return how far one execution followed a module ``root``; None if it has no layers."""
    modules = _modules(root) if type(root) is Instance else Counter()
    known, called = calls
    gaps = [
        gap
        for gap in ends(path)
        if gap.owner is None or gap.owner in modules or (root is path.instance and not _is_dropped(gap.owner, called))
    ]
    if path.raised is not None:
        gaps.append(path.raised)
    layers = {layer: count for layer, count in modules.items() if layer.kind in WITH_PARAMETERS}
    unknown = len({gap.site for gap in gaps if gap.is_layer})
    is_built = type(root) is Instance and root.kind is not None
    if not layers and not unknown and is_built:
        return None
    missed = [
        layer
        for layer in layers
        if has_unknown_numbers(layer) or not (layer in known or (layer not in called and not gaps))
    ]
    total = sum(layers.values()) + unknown
    followed = sum(layers.values()) - sum(layers[layer] for layer in missed)
    line = getattr(getattr(entry.value, "node", None), "lineno", 1)
    is_class = entry.kind == "class"
    name, target = (entry.value.qualname, None) if is_class else (None, entry.name)
    stopped = tuple(_stopped(gaps)) or tuple(_at_layers(missed))[:1]
    return Coverage(entry.module.path, line, name, target, total, followed, stopped)


def _is_dropped(owner: Instance, called: set[Instance | None]) -> bool:
    """Return whether a layer that is not part of a model was never called either: the model dropped it."""
    return owner.kind in WITH_PARAMETERS and owner not in called


def ends(path: ExecutionPath) -> Iterator[Gap]:
    """Yield the places where an execution could not be followed."""
    yield from [gap for gap in path.execution.gaps if not gap.is_value]
    yield from path.execution.unfollowed
    if path.execution.lost or path.execution.partial:
        yield from _lost(path)


def refusals(paths: Sequence[ExecutionPath]) -> Iterator[Gap]:
    """Yield the exception that ends an entry point, if every execution of it ends with one."""
    if all(path.raised is not None for path in paths):
        yield from [path.raised for path in paths[:1] if path.raised is not None]


def _lost(path: ExecutionPath) -> Iterator[Gap]:
    """Yield the calls from which tensors of unknown shape reach a layer."""
    lost = path.execution.lost
    sources = dict(path.execution.partial)
    for step in path.execution.steps:
        source = next((sources[tensor.id] for tensor in step.inputs if tensor.id in sources), None)
        if step.layer is not None and step.layer.kind in WITH_PARAMETERS:
            gap = next((lost[tensor.id] for tensor in step.inputs if tensor.id in lost), source)
            yield from [] if gap is None else [gap]
        elif source is not None:
            sources.update((tensor.id, source) for tensor in step.outputs if tensor.id is not None)


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


def _at_layers(missed: Iterable[Instance]) -> Iterator[Stopped]:
    """Yield the layers that were not followed, where no call says why."""
    for layer in missed:
        if layer.site is not None:
            what = "a number of this layer" if has_unknown_numbers(layer) else "the shape that this layer receives"
            yield Stopped(layer.site.path, layer.site.line, f"{what} is not known", None)


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


def _calls(path: ExecutionPath) -> Calls:
    """Return the layers that were called on a tensor that was followed, and all that were called."""
    lost: set[int | None] = set()
    known: set[Instance] = set()
    for step in path.execution.steps:
        is_lost = any(tensor.id in lost for tensor in step.inputs)
        layer = step.layer
        if layer is not None and layer.kind in WITH_PARAMETERS:
            if not is_lost and not any(tensor.id in path.execution.lost for tensor in step.inputs):
                known.add(layer)
            is_lost = False  # its arguments say how many channels it returns
        if is_lost or (step.op == "unseen" and "known" not in step.attrs):
            lost.update(tensor.id for tensor in step.outputs)
    return known, {step.layer for step in path.execution.steps}
