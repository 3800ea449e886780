"""Static analysis: check the models of a file without running anything.

``check_file`` parses a file, executes its classes, functions and top level on symbolic numbers, and
applies the rules to the recorded graphs. Nothing is imported or executed for real.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from convlint.ir import Finding, Problem, Site
from convlint.rules.registry import rule
from convlint.static import report
from convlint.static.domain.execution import Gap
from convlint.static.exploration import explore
from convlint.static.exploration.explore import Exploration
from convlint.static.kept_tensors import hooked_layers
from convlint.static.program.parse import UnreadableError
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.recursion import with_room

__all__ = ["CheckedFile", "Project", "check_file"]


@dataclass(frozen=True, repr=False)
class CheckedFile:
    """The findings of a file, its problems, and the lines of the operations that were ``reached``.

    ``uses`` are the files on which files depend directly, in absolute paths: those that they import, and the paths
    that were tried before. Findings depend on all files that are reached from the checked one. It has the files for
    which that changed since the last check in the project.
    """

    findings: tuple[Finding, ...] = ()
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    reached: frozenset[tuple[str, int]] = frozenset()


def check_file(path: str, data: bytes, project: Project, *, with_reached: bool = False) -> CheckedFile:
    """Check one file. Never raises because of its content: a syntax error is a finding."""
    try:
        if not project.is_followed(path, data):
            return CheckedFile(uses=project.imports.new_uses())
        module = project.add(path, data)
    except UnreadableError as error:
        if not error.is_syntax:
            return CheckedFile(problems=(Problem("too-deep", str(error), path),))
        site = Site(path, error.line, error.column, error.line, error.column)
        return CheckedFile((rule("CVL901").finding(f"cannot parse the file: {error}", site),))
    try:
        return with_room(lambda: _check(path, module, project, with_reached))
    except Exception as error:  # noqa: BLE001 - an error in convlint becomes a problem; other files are checked
        import traceback

        text = f"convlint failed: {type(error).__name__}: {error}; please report this"
        return CheckedFile(problems=(Problem("internal", text, path, traceback=traceback.format_exc()),))


def _check(path: str, module: SourceModule, project: Project, with_reached: bool) -> CheckedFile:
    explorations = explore.explored(project, module)
    findings = tuple(_merged(list(_findings(project, module, explorations))))
    problems = tuple(_failures(path, explorations))
    for exploration in explorations:
        explore.close(project, exploration)
    reached = (
        frozenset(
            (site.path, site.line)
            for exploration in explorations
            for executed in exploration.paths
            for site in [
                *(step.site for step in executed.execution.steps),
                *(m.site for m in executed.interpreter.creators),
            ]
            if site is not None
        )
        if any(finding.graph for finding in findings) or with_reached
        else frozenset()
    )
    return CheckedFile(findings, project.imports.new_uses(), problems, reached)


def _failures(file: str, explorations: Sequence[Exploration]) -> Iterator[Problem]:
    """Yield the errors in convlint itself, one for each entry point."""
    for exploration in explorations:
        failure = next((path.failure for path in exploration.paths if path.failure), None)
        if failure is not None:
            last = failure.strip().splitlines()[-1]
            name = exploration.entry_point.name or "the file"
            text = f"convlint failed on {name}: {last}; please report this"
            yield Problem("internal", text, file, traceback=failure)


def _findings(project: Project, module: SourceModule, explorations: Sequence[Exploration]) -> Iterator[Finding]:
    gaps: dict[tuple[int, int], Gap] = {}  # the first at each place in the file
    paths = [path for exploration in explorations for path in exploration.paths]
    hooked = hooked_layers(paths)
    for path in paths:
        path.hooked = hooked
    for exploration in explorations:
        yield from report.findings(project, exploration)
        for path in exploration.paths:
            for gap in path.execution.gaps:
                if gap.site is not None and gap.site.path == module.path:
                    gaps.setdefault((gap.site.line, gap.site.column), gap)
    for gap in gaps.values():
        yield rule("CVL902").finding(f"analysis stopped: {gap.reason}", gap.site)


def _merged(findings: Sequence[Finding]) -> Iterator[Finding]:
    """One finding for each code and place, with the instances and occurrences of all.

    A class is followed alone and in the models that build it. The largest program shows most of the numbers.
    """
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        site = finding.site
        key = (finding.code, site.path, site.line, site.column) if site else finding
        groups.setdefault(key, []).append(finding)
    for group in groups.values():
        outer = max(group, key=lambda finding: len(finding.graph.nodes) if finding.graph else 0)
        names = dict.fromkeys(name for finding in (outer, *group) for name in finding.instances)
        places = dict.fromkeys(place for finding in (outer, *group) for place in finding.occurrences)
        yield replace(outer, instances=tuple(names), occurrences=tuple(places))
