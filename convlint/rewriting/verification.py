"""Verification of a rewritten model by running it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from convlint.analysis import cost
from convlint.ir import Graph, LayerChange, Node, OtherCall, Shape, Verification, VersionRun
from convlint.rewriting.between import FORMS

CLOSE = 0.01  # relative error of saved bytes; the estimate leaves out small tensors that autograd saves


def verify(changes: Sequence[LayerChange], before: VersionRun, after: VersionRun) -> Verification | str:
    """Compare a rewritten model with the original; a string is the reason for a refusal."""
    if after.problems:
        return after.problems[0].message
    old, new = before.graph, after.graph
    assert old is not None
    if new is None:
        return "the run returned no result"
    if reason := _failure(new):
        return reason
    if new.outputs != old.outputs:
        return f"its output changed from {', '.join(old.outputs)} to {', '.join(new.outputs)}"
    if reason := _layers_differ(changes, old, new):
        return reason
    if reason := _training_differs(before, after):
        return reason
    if reason := _other_calls_differ(before.other_calls, after.other_calls):
        return reason
    error = _saved_error(changes, old, new)
    if error is not None and error > CLOSE:
        return f"the memory saved for backward differs from the estimate by {error:.1%}"
    calls = {call.target: call for call in before.other_calls}
    worked = sum(calls[call.target].stage != "failed" for call in after.other_calls)
    trained = None if before.training_error else True
    return Verification(True, True, True, True, error, trained, worked)


def _failure(graph: Graph) -> str | None:
    if graph.failure is not None:
        place = f" at {graph.failure.site} of the rewritten file" if graph.failure.site else ""
        return f"it fails{place}: {graph.failure.type}: {graph.failure.message}"
    return next((f"{n.module or n.op} fails: {n.error}" for n in graph.nodes if n.error), None)


def _layers_differ(changes: Sequence[LayerChange], old: Graph, new: Graph) -> str | None:
    """The first layer that differs from the estimate, or that changed although it was not rewritten."""
    params = {layer.name: layer.params for layer in new.layers}
    macs = _macs(new)
    params_inside, macs_inside = _with_submodules(params), _with_submodules(macs)
    before_inside = _with_submodules({layer.name: layer.params for layer in old.layers}), _with_submodules(_macs(old))
    for change in changes:
        name = change.place
        outputs = _outputs(old, name), _outputs(new, name)
        if outputs[0] != outputs[1]:
            return f"the output of {name} changed from {_shapes(outputs[0])} to {_shapes(outputs[1])}"
        rest = [inside.get(name, 0) - inside.get(change.layer, 0) for inside in before_inside]  # of its block
        measured = (
            (params_inside, change.after.params + rest[0], "parameters"),
            (macs_inside, change.after.macs + rest[1], "MACs"),
        )
        for inside, estimate, what in measured:
            if (found := inside.get(name, 0)) != estimate:
                return f"{name} has {found:,} {what}, not {estimate:,} as estimated"
        if reason := _computes_more(change, old, new) or _window_differs(change, old, new):
            return reason
    changed = {change.place for change in changes}
    old_macs = _macs(old)
    for layer in old.layers:
        if (name := layer.name) in changed or any(outer in changed for outer in _outer(name)):
            continue
        if params.get(name) != layer.params:
            return f"the parameters of {name} changed from {layer.params:,} to {params.get(name, 0):,}"
        if macs.get(name, 0) != old_macs.get(name, 0):
            return f"the MACs of {name} changed from {old_macs.get(name, 0):,} to {macs.get(name, 0):,}"
    before, after = (sum(layer.params for layer in graph.layers) for graph in (old, new))
    saved = sum(change.before.params - change.after.params for change in changes)
    if before - saved != after:
        return f"the model has {after:,} parameters, not {before - saved:,} as estimated"
    return None


def _computes_more(change: LayerChange, old: Graph, new: Graph) -> str | None:
    """The operators of a depthwise separable layer, if they are not those of its form: the project may define it."""
    if change.replacement.code not in ("CVL502", "CVL505"):
        return None
    nodes = first_call(new, change.block) if change.block else _inside(new, change.layer)
    found = ["conv" if node.op.startswith("conv") else node.op for node in nodes]
    once = [node.op for node in first_call(old, change.block)] if change.block else []
    form = ["conv", *FORMS[change.replacement.between].operators, "conv", *once[1:]]
    return None if found == form * (len(found) // len(form)) else f"{change.place} computes {', '.join(found)}"


def _window_differs(change: LayerChange, old: Graph, new: Graph) -> str | None:
    """The first difference between the windows of the original convolution and of the first one of its block."""
    if not change.block:
        return None
    first, second = (first_call(graph, change.block)[0].attrs for graph in (old, new))
    for name in ("kernel_size", "stride", "dilation"):
        if first.get(name) != second.get(name):
            return f"the {name} of {change.layer} changed from {first.get(name)} to {second.get(name)}"
    return None


def first_call(graph: Graph, name: str) -> list[Node]:
    """The operators in the first call of a module, those of modules that it shares with others included."""
    call = next(iter(graph.calls_of(name)), None)
    return [n for n in graph.nodes if call and call.start <= n.id < call.stop and n.op != "pad"]


def _inside(graph: Graph, name: str) -> list[Node]:
    """The operators of a module in the order in which they ran; padding is part of a convolution."""
    return [n for n in graph.nodes if f"{n.module or n.layer}.".startswith(f"{name}.") and n.op != "pad"]


def _with_submodules(amounts: Mapping[str, int]) -> dict[str, int]:
    """The sum of ``amounts`` over each module and the modules inside it, by module path."""
    totals: dict[str, int] = {}
    for path, amount in amounts.items():
        for each in (path, *_outer(path)):
            totals[each] = totals.get(each, 0) + amount
    return totals


def _outer(path: str) -> Iterator[str]:
    """The modules around one, from the inside out."""
    while path:
        path = path.rpartition(".")[0]
        yield path


def _macs(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates by the module of the call."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        owner = node.layer or node.module
        layer = graph.layer(owner)
        name = layer.name if layer else owner
        found[name] = found.get(name, 0) + (cost.macs(graph, node) or 0)
    return found


def _outputs(graph: Graph, name: str) -> list[Shape]:
    return [graph.tensor(id).shape for call in graph.calls_of(name) for id in call.outputs]


def _shapes(shapes: Iterable[Shape]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes) or "nothing"


def _training_differs(before: VersionRun, after: VersionRun) -> str | None:
    if before.training_error is not None:
        return None  # the original cannot be trained on this input either
    if after.training_error is not None:
        return f"training fails: {after.training_error}"
    unreached = sorted(set(after.untrained) - set(before.untrained))
    return f"backward does not reach {unreached[0]}" if unreached else None


def _saved_error(changes: Sequence[LayerChange], old: Graph, new: Graph) -> float | None:
    if old.saved_bytes is None or not new.saved_bytes or old.saved_bytes_mode != new.saved_bytes_mode:
        return None
    more = [
        change.after.saved_bytes - change.before.saved_bytes
        for change in changes
        if change.after.saved_bytes is not None and change.before.saved_bytes is not None
    ]
    if len(more) < len(changes):
        return None  # not all of them have an estimate
    return abs(old.saved_bytes + sum(more) - new.saved_bytes) / new.saved_bytes


def _other_calls_differ(before: Sequence[OtherCall], after: Sequence[OtherCall]) -> str | None:
    originals = {call.target: call for call in before}
    for call in after:
        original = originals[call.target]
        text = call.target.rpartition(":")[2]
        if original.stage == "failed":
            continue
        if call.stage == "failed":
            return f"{text} can no longer be built: {call.error}"
        if original.stage == "ran" and (call.stage, call.outputs) != ("ran", original.outputs):
            return f"{text} no longer outputs {', '.join(original.outputs)}"
    return None


def needed_calls(other_calls: Sequence[OtherCall], sites: Iterable[tuple[str, int, int]]) -> tuple[str, ...]:
    """The targets to build again after edits at ``sites``: together they cover all arguments of the edited calls."""
    edited = set(sites)
    chosen: list[str] = []
    covered: set[str] = set()
    for call in other_calls:
        here = {
            f"{built.site.path}:{built.site.line}:{built.site.column} {built.kind} {built.attrs}"
            for built in call.built
            if (built.site.path, built.site.line, built.site.column) in edited
        }
        if call.stage != "failed" and here - covered:
            chosen.append(call.target)
            covered |= here
    return tuple(chosen)
