"""Static analysis: check the models of a file without running anything.

``check_file`` parses a file, executes its classes, functions and top level on symbolic numbers, and
applies the rules to the recorded graphs. Nothing is imported or executed for real.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence

from convlint.ir import SEVERITIES, Coverage, Finding, Problem, Site
from convlint.rules.registry import rule
from convlint.static import coverage, report
from convlint.static.domain.execution import Gap
from convlint.static.domain.facts import is_unknown
from convlint.static.domain.values import Num, symbols_of
from convlint.static.exploration import explore
from convlint.static.exploration.entry_points import PARAMETERS, ExecutionPath
from convlint.static.exploration.explore import Exploration
from convlint.static.kept_tensors import hooked_layers
from convlint.static.overruled_defaults import as_warnings
from convlint.static.plain_numbers import WIDTHS
from convlint.static.program.parse import UnreadableError
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.recursion import with_room
from convlint.support.dataclass import dataclass, field, replace
from convlint.symbolic import equal_without_remainders

Place = tuple[str, int]
"""A file and a line."""
Execution = tuple[str, str, int]
"""The kind and name of an entry point, and the number of an execution of it."""
Unknown = tuple[Execution, Place, str]
"""What is unknown in an execution: a place, if it has one, and a reason."""

EQUALITY = "an equality"
INPUT_OF = "an input of"
"""The reason of a call that requires that parameters of the class are equal."""

__all__ = ["EQUALITY", "CheckedFile", "Project", "Search", "check_file"]


@dataclass(frozen=True, repr=False)
class CheckedFile:
    """The findings of a file, its problems, the lines of the operations that were ``reached``, and what is
    ``unknown``: where the analysis stopped, and sizes of layers.

    ``uses`` are the files on which files depend directly, in absolute paths: those that they import, and the paths
    that were tried before. Findings depend on all files that are reached from the checked one. It has the files for
    which that changed since the last check in the project.

    ``executions`` are those in which the graphs of the findings were recorded, by the ids of these; ``ran`` are all of
    them. ``coverage`` says how far the classes and configured models of the file were followed. ``steps`` are those of
    its executions.
    """

    findings: tuple[Finding, ...] = ()
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    reached: frozenset[Place] = frozenset()
    unknown: frozenset[Unknown] = frozenset()
    executions: Mapping[int, Execution] = field(default_factory=dict)
    coverage: tuple[Coverage, ...] = ()
    ran: frozenset[Execution] = frozenset()
    steps: int = 0


Search = Callable[[Project, Sequence[Exploration], Sequence[Finding]], Sequence[Finding]]
"""Completes the findings in the explored entry points of a file."""


def check_file(
    path: str,
    data: bytes,
    project: Project,
    *,
    search: Search | None = None,
    with_reached: bool = False,
    only: Execution | None = None,
) -> CheckedFile:
    """Check one file, or ``only`` what one execution shows. Never raises because of its content: a syntax error is a
    finding.
    """
    try:
        if not project.is_followed(path, data):
            return CheckedFile(uses=project.imports.new_uses())
        module = project.checked = project.add(path, data)
    except UnreadableError as error:
        if not error.is_syntax:
            return CheckedFile(problems=(Problem("too-deep", str(error), path),))
        site = Site(path, error.line, error.column, error.line, error.column)
        return CheckedFile((rule("CVL901").finding(f"cannot parse the file: {error}", site),))
    try:
        return with_room(lambda: _check(path, module, project, search, with_reached, only))
    except Exception as error:  # noqa: BLE001 - an error in convlint becomes a problem; other files are checked
        import traceback

        text = f"convlint failed: {type(error).__name__}: {error}; please report this"
        return CheckedFile(problems=(Problem("internal", text, path, traceback=traceback.format_exc()),))


def _check(
    path: str, module: SourceModule, project: Project, search: Search | None, with_reached: bool, only: Execution | None
) -> CheckedFile:
    explored = explore.explored(project, module) if only is None else explore.up_to(project, module, *only)
    explorations = explored.explorations
    found = list(_findings(project, module, explorations))
    findings = tuple(_merged(found if search is None else search(project, explorations, found)))
    problems = (*_failures(path, explorations), *_left_out(path, explored), *_broken_off(path, explorations))
    covered = tuple(coverage.covered(explorations)) if only is None else ()
    for exploration in explorations:
        explore.close(project, exploration)
    reached: frozenset[Place] = frozenset()
    unknown: frozenset[Unknown] = frozenset()
    ran: frozenset[Execution] = frozenset()
    if any(finding.graph for finding in findings) or with_reached:
        reached = frozenset(_reached(explorations))
        unknown = frozenset(_unknown(explorations))
        numbered = ((each.entry_point, number) for each in explorations for number in range(len(each.paths)))
        ran = frozenset((entry_point.kind, entry_point.name, number) for entry_point, number in numbered)
    executions = {
        id(execution.graph): (each.entry_point.kind, each.entry_point.name, number)
        for each in explorations
        for number, execution in enumerate(each.paths)
        if execution.graph is not None
    }
    steps = sum(path.steps for each in explorations for path in each.paths)
    uses = project.imports.new_uses()
    return CheckedFile(findings, uses, problems, reached, unknown, executions, covered, ran, steps)


def _reached(explorations: Sequence[Exploration]) -> Iterator[Place]:
    """Yield the lines of the operations that were executed."""
    for exploration in explorations:
        for path in exploration.paths:
            sites = [step.site for step in path.execution.steps] + [layer.site for layer in path.interpreter.creators]
            yield from {(site.path, site.line) for site in sites if site is not None}


def _unknown(explorations: Sequence[Exploration]) -> Iterator[Unknown]:
    """Yield where the first execution of each entry point stopped, the sizes of layers that each does not know, the
    errors that are not reported because an input may change them, the calls that require equal parameters, and the
    channels of inputs, which callers know.
    """
    for exploration in explorations:
        path, entry_point = exploration.paths[0], exploration.entry_point
        first = (entry_point.kind, entry_point.name, 0)
        for each in exploration.paths:
            yield from ((first, place, "an error") for place in each.unreported)
            for step in each.execution.steps if entry_point.kind == "class" else ():
                if step.site is not None and any(map(_is_of_parameters, step.demands)):
                    yield first, (step.site.path, step.site.line), EQUALITY
        for channels in _channels_of_inputs(path):
            yield first, ("", 0), f"{INPUT_OF} {channels} channels"
        if not path.complete:
            yield first, ("", 0), "the rest of the program"
        for gap in path.execution.gaps:
            if gap.site is not None:
                yield first, (gap.site.path, gap.site.line), gap.reason
        for number, each in enumerate(exploration.paths):
            for layer in each.interpreter.creators:
                line = ("", 0) if layer.site is None else (layer.site.path, layer.site.line)
                unknown = (name for name in WIDTHS if is_unknown(layer.attrs.get(name, 0)))
                yield from (((entry_point.kind, entry_point.name, number), line, name) for name in unknown)


def _channels_of_inputs(path: ExecutionPath) -> Iterator[int]:
    """Yield the channels that convolutions expect of the inputs of the program itself, where only they say so."""
    inputs = {tensor.id for step in path.execution.steps if step.op == "input" for tensor in step.outputs}
    for step in path.execution.steps:
        channels = step.attrs.get("in_channels")
        if type(channels) is int and step.inputs and step.inputs[0].id in inputs:
            shape = step.inputs[0].shape
            if shape is None or not all(type(size) is int for size in shape):
                yield channels


def _is_of_parameters(pair: tuple[Num, Num]) -> bool:
    """Return whether parameters must be equal, and not only multiples of others, as for ``(c // heads) * heads``."""
    is_of_both = all(any(symbol.scope == PARAMETERS for symbol in symbols_of(number)) for number in pair)
    return is_of_both and not equal_without_remainders(*pair)


def _failures(file: str, explorations: Sequence[Exploration]) -> Iterator[Problem]:
    """Yield the errors in convlint itself, one for each entry point."""
    for exploration in explorations:
        failure = next((path.failure for path in exploration.paths if path.failure), None)
        if failure is not None:
            last = failure.strip().splitlines()[-1]
            name = exploration.entry_point.name or "the file"
            text = f"convlint failed on {name}: {last}; please report this"
            yield Problem("internal", text, file, traceback=failure)


def _left_out(file: str, explored: explore.Explored) -> Iterator[Problem]:
    """Yield a problem if there were no steps left for some classes and functions."""
    if explored.left_out:
        left, first = len(explored.left_out), explored.left_out[0]
        line = getattr(getattr(first.value, "node", None), "lineno", None)
        text = (
            f"{left:,} of {left + len(explored.explorations):,} classes and functions were not checked, from "
            f"`{first.name or 'the top level'}` on: the file takes too many steps of static analysis"
        )
        yield Problem("too-many-steps", text, file, line)


def _broken_off(file: str, explorations: Sequence[Exploration]) -> Iterator[Problem]:
    """Yield a problem if the steps were used up by an assignment at the top level.

    The coverage of a class says where it was not followed, and a loop or a call of ``main`` may have no end.
    """
    for exploration in explorations:
        last = exploration.paths[0].last
        if isinstance(last, ast.Assign | ast.AnnAssign | ast.AugAssign):
            text = "the top level was not followed from this line on: it takes too many steps of static analysis"
            yield Problem("too-many-steps", text, file, last.lineno)


def _findings(project: Project, module: SourceModule, explorations: Sequence[Exploration]) -> Iterator[Finding]:
    project.work.begin_file(module.text.length)
    gaps: dict[tuple[int, int], Gap] = {}  # the first at each place in the file
    paths = [path for exploration in explorations for path in exploration.paths]
    hooked = hooked_layers(paths)
    for path in paths:
        path.hooked = hooked
    for exploration in explorations:
        yield from as_warnings(exploration, report.findings(project, exploration), explorations)
        stops = [gap for path in exploration.paths for gap in (*path.execution.gaps, *coverage.ends(path))]
        for gap in (*stops, *coverage.refusals(exploration.paths)):
            if gap.site is not None and gap.site.path == module.path:
                gaps.setdefault((gap.site.line, gap.site.column), gap)
    for gap in gaps.values():
        yield rule("CVL902").finding(f"analysis stopped: {coverage.message(gap)}", gap.site)


def _merged(findings: Sequence[Finding]) -> Iterator[Finding]:
    """One finding for each code and place, with the instances and occurrences of all.

    A class is followed alone and in the models that build it. The largest program shows most of the numbers, and one
    with an input those of sizes.
    """
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        site = finding.site
        key = (finding.code, site.path, site.line, site.column) if site else finding
        groups.setdefault(key, []).append(finding)
    for group in groups.values():
        outer = max(group, key=_known_numbers)
        names = dict.fromkeys(name for finding in (outer, *group) for name in finding.instances)
        places = dict.fromkeys(place for finding in (outer, *group) for place in finding.occurrences)
        yield replace(
            outer,
            severity=min((finding.severity for finding in group), key=SEVERITIES.index),
            condition="" if any(not finding.condition for finding in group) else outer.condition,
            instances=tuple(names),
            occurrences=tuple(places),
        )


def _known_numbers(finding: Finding) -> tuple[bool, int, bool]:
    """Rank a finding by how much its program shows."""
    graph = finding.graph
    if graph is None:
        return (False, 0, False)
    nodes = [graph.nodes[id] for id in finding.nodes]
    unknown = any(graph.tensor(id).unknown for node in nodes for id in node.inputs)
    return (not any("multiple_of" in node.attrs for node in nodes), len(graph.nodes), not unknown)
