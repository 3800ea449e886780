"""Source mode: what can be known of a file's models without running anything.

``check_file`` parses a file, follows its classes, functions and top level on symbolic numbers, and
lets the rules judge what that gives. Nothing is imported or executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from convlint.ir import Finding, Problem, Site
from convlint.rules.registry import rule
from convlint.static import report
from convlint.static.domain.execution import Gap
from convlint.static.exploration import explore
from convlint.static.exploration.explore import Exploration
from convlint.static.program.parse import UnreadableError
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.recursion import with_room

__all__ = ["Checked", "Project", "check_file"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a file, by all rules that source alone decides. ``files`` are the others
    of the project that were read on the way.
    """

    findings: tuple[Finding, ...] = ()
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def check_file(path: str, data: bytes, project: Project) -> Checked:
    """Check one file. Never raises for what is in it: a syntax error is a finding."""
    try:
        module = project.add(path, data)
    except UnreadableError as error:
        if not error.is_syntax:
            return Checked(problems=(Problem("too-deep", str(error), path),))
        site = Site(path, error.line, error.column, error.line, error.column)
        return Checked((rule("CVL901").finding(f"cannot parse the file: {error}", site),))
    try:
        if not any(b"torch" in one.data for one in project.reached(module)):
            return Checked(files=tuple(sorted(project.files_of(module))))
        return with_room(lambda: _checked(path, module, project))
    except Exception as error:  # noqa: BLE001 - a mistake of ours is told, and other files are checked
        import traceback

        text = f"convlint failed: {type(error).__name__}: {error}; please report this"
        return Checked(
            problems=(Problem("internal", text, path, traceback=traceback.format_exc()),)
        )


def _checked(path: str, module: SourceModule, project: Project) -> Checked:
    followed = explore.explored(project, module)
    found = tuple(_merged(list(_found(project, module, followed))))
    problems = tuple(_failures(path, followed))
    for one in followed:
        explore.close(project, one)
    return Checked(found, tuple(sorted(project.files_of(module))), problems)


def _failures(path: str, followed: Sequence[Exploration]) -> Iterator[Problem]:
    """What went wrong in convlint itself, each place in the file once."""
    for one in followed:
        failure = next((path.failure for path in one.paths if path.failure), None)
        if failure is not None:
            last = failure.strip().splitlines()[-1]
            what = one.entry_point.name or "the file"
            text = f"convlint failed on {what}: {last}; please report this"
            yield Problem("internal", text, path, traceback=failure)


def _found(
    project: Project, module: SourceModule, followed: Sequence[Exploration]
) -> Iterator[Finding]:
    gaps: dict[tuple[int, int], Gap] = {}
    for one in followed:
        yield from report.findings(project, one)
        for path in one.paths:
            for thing in path.execution.gaps:
                if thing.site is not None and thing.site.path == module.path:
                    gaps.setdefault((thing.site.line, thing.site.column), thing)
    for thing in gaps.values():
        yield rule("CVL902").finding(f"analysis stopped: {thing.reason}", thing.site)


def _merged(found: Sequence[Finding]) -> Iterator[Finding]:
    """One finding for each code and place."""
    whole: dict[object, Finding] = {}
    for finding in found:
        site = finding.site
        key = (finding.code, site.path, site.line, site.column) if site else finding
        if key in whole:
            names = dict.fromkeys((*whole[key].instances, *finding.instances))
            whole[key] = replace(whole[key], instances=tuple(names))
        else:
            whole[key] = finding
    yield from whole.values()
