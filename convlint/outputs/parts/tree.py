"""The lines of the layer table: the module tree or a list, with sums, and equal consecutive layers folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from convlint.ir import Model, Row
from convlint.outputs.parts.columns import Line, TableOptions
from convlint.support.dataclass import dataclass, field, replace

ROOT = "(model)"
BRANCHES = "│├└─ "  # the characters before a line of a tree


@dataclass(slots=True)
class Branch:
    """A module or functional call: its own row, if it has one, and the modules in it."""

    name: str
    label: str
    own: Row | None = None
    inside: list[Branch] = field(default_factory=list)
    total: Row | None = None
    at_least: bool = False


def lines(model: Model, options: TableOptions) -> list[Line]:
    """The lines of the table from top to bottom, with the sums of all rows that each represents."""
    root = module_tree(model)
    if options.order is None and not options.flat:
        return list(_as_tree(root, options.depth, 0))
    found = list(_as_list(root, options.depth, 0))
    if options.order is None:
        return [_folded(list(run)) for _, run in groupby(found, _facts)]
    value = options.order.value
    keys = {id(line): value(line, model.totals) for line in found}
    known = [line for line in found if keys[id(line)] is not None]
    numbers = bool(known) and not isinstance(keys[id(known[0])], str)
    known.sort(key=lambda line: keys[id(line)], reverse=numbers)  # type: ignore[arg-type,return-value]
    return known + [line for line in found if keys[id(line)] is None]


def branches(lines: Sequence[Line]) -> list[str]:
    """The branches before the labels of a tree; empty texts for a list."""
    found: list[str] = []
    goes_on: list[bool] = []  # by indentation: whether another line of it follows below, in the same module
    for line in reversed(lines):
        depth = line.indent
        goes_on += [False] * (depth + 1 - len(goes_on))
        stems = "".join("│ " if below else "  " for below in goes_on[1:depth])
        found.append(stems + ("├─" if goes_on[depth] else "└─") if depth else "")
        goes_on = [*goes_on[:depth], True]
    return found[::-1]


def visible_rows(model: Model) -> list[Row]:
    """The rows of a table: of a run that stopped, those it reached."""
    if model.status == "complete":
        return list(model.layers)
    return [row for row in model.layers if row.calls or row.failed]


def module_tree(model: Model) -> Branch:
    """The tree of modules that contain rows, in the order of their first rows, with their sums."""
    root = Branch("", ROOT)
    branches = {"": root}
    rows = visible_rows(model)
    modules = {layer.name for layer in model.graph.layers} | {row.name for row in rows}
    for row in rows:
        around, parts = root, row.name.split(".") if row.name else []
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            if name not in modules:
                continue
            if name not in branches:
                label = name[len(around.name) :].lstrip(".")
                branches[name] = Branch(name, label)
                around.inside.append(branches[name])
            around = branches[name]
        around.own = row
    _sum_up(model, root)
    return root


def _sum_up(model: Model, branch: Branch) -> Row:
    """Set the totals of a branch and of all branches in it."""
    parts = [_sum_up(model, part) for part in branch.inside]
    own = branch.own or _container(model, branch)
    branch.at_least = own.macs is None or any(part.at_least for part in branch.inside)
    branch.total = _summed([own, *parts], own.calls)
    return branch.total


def _container(model: Model, branch: Branch) -> Row:
    """A row for a module without one; its saved bytes are those of computations between its parts."""
    layer = model.graph.layer(branch.name)
    if layer is None:
        return Row(branch.name, "", calls=1, input_shape=None, output_shape=None)
    calls = model.graph.calls_of(layer.name)
    ins = [model.graph.tensor(id).shape for call in calls[:1] for id in call.inputs]
    outs = [model.graph.tensor(id).shape for call in calls[:1] for id in call.outputs]
    shapes = ins[0] if ins else None, outs[0] if outs else None
    return Row(layer.name, layer.kind, len(calls), *shapes, saved_bytes=layer.saved_bytes, site=layer.site)


def _summed(rows: Sequence[Row], calls: int) -> Row:
    """The first of ``rows`` with the sums of all."""
    return replace(
        rows[0],
        calls=calls,
        params=sum(row.params for row in rows),
        trainable_params=sum(row.trainable_params for row in rows),
        params_bytes=sum(row.params_bytes for row in rows),
        macs=_known_sum([row.macs for row in rows]),
        output_bytes=sum(row.output_bytes for row in rows),
        saved_bytes=_known_sum([row.saved_bytes for row in rows]),
    )


def _known_sum(counts: Sequence[int | None]) -> int | None:
    """The sum of the known counts, None if there are none."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _as_tree(branch: Branch, depth: int | None, indent: int) -> Iterator[Line]:
    inside = branch.inside if depth is None or indent < depth else []
    yield _line(branch, branch.label, indent, group=bool(inside))
    runs: list[list[list[Line]]] = []
    for part in inside:
        block = list(_as_tree(part, depth, indent + 1))
        if runs and _shape(runs[-1][0]) == _shape(block):
            runs[-1].append(block)
        else:
            runs.append([block])
    for run in runs:
        yield from (_folded(list(equal)) for equal in zip(*run, strict=True))


def _as_list(branch: Branch, depth: int | None, level: int) -> Iterator[Line]:
    if not branch.inside or level == depth:
        yield _line(branch, branch.name or ROOT)
        return
    if branch.own is not None:
        yield Line(branch.own, branch.own.name or ROOT, at_least=branch.own.macs is None)
    for part in branch.inside:
        yield from _as_list(part, depth, level + 1)


def _line(branch: Branch, label: str, indent: int = 0, *, group: bool = False) -> Line:
    assert branch.total is not None
    return Line(branch.total, label, indent, group=group, at_least=branch.at_least)


def _facts(line: Line) -> Line:
    """The facts that make consecutive lines equal: all except name, site and saved bytes."""
    # A tensor that several layers save is counted at the first.
    return replace(line, label="", row=replace(line.row, name="", site=None, saved_bytes=None))


def _shape(block: list[Line]) -> list[Line]:
    """The facts of a module and its parts; parts keep their names."""
    return [replace(_facts(line), label=line.label if n else "") for n, line in enumerate(block)]


def _folded(run: list[Line]) -> Line:
    """One line for consecutive lines that differ only in their names, with their sums."""
    first, label, times = run[0], run[0].label, len(run)
    if times == 1:
        return first
    row = _summed([line.row for line in run], first.row.calls * times)
    if run[-1].label != label:
        label = f"{label} .. {run[-1].label} (x{times})"
    return replace(first, label=label, row=row, times=times * first.times)
