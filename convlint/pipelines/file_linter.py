"""Lint one file after the other."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from convlint.ir import Coverage, Finding, Problem
from convlint.settings.config import ModelEntry
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass, field

if TYPE_CHECKING:
    from convlint.static import Project
    from convlint.static.exploration.explore import Exploration
    from convlint.static.program.project import Parsed

MOST_LINES = 200_000  # of a project whose syntax trees are in memory at once: about half a GB

_OF_NUMBERS = {"CVL102": "CVL203", "CVL103": "CVL201", "CVL105": "CVL201", "CVL108": "CVL203"}
"""Rules about numbers that do not fit, and the rules about numbers that fit for some arguments only."""
_OF_ARGUMENTS = frozenset({"CVL101", "CVL109"})
"""Rules about arguments that the constructor of a layer rejects."""

Program = tuple[str, tuple[ModelEntry, ...], SourceTexts]
"""The root directory of a project, its configured models, and the texts of its files."""


@dataclass(frozen=True, repr=False)
class LintedFile:
    """All findings of one file, whichever rules are selected. ``uses`` are files on which files depend directly, and
    ``coverage`` says how far its classes were followed.
    """

    findings: Sequence[Finding]
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    coverage: tuple[Coverage, ...] = ()


class FileLinter:
    """Lints one file after the other, and keeps the parsed project in between as long as memory allows.

    ``parsed`` keeps the syntax trees of imported files for further linters.
    """

    def __init__(self, program: Program, parsed: Parsed | None = None) -> None:
        from convlint import static

        self._static = static
        self._program = program
        self._parsed = parsed
        self._project: Project = static.Project(*program, parsed)
        self._max_lines = MOST_LINES

    def lint(self, path: str) -> LintedFile:
        if self._project.lines > self._max_lines:
            self._restart()
        is_first = not self._project.lines
        linted = self._lint(path)
        if is_first:  # one file may import most of a project
            self._max_lines = MOST_LINES + self._project.lines
        return linted

    def _restart(self) -> None:
        self._project = self._project.without_trees()
        gc.collect()  # the parts of the old project refer to each other

    def _lint(self, path: str) -> LintedFile:
        *_, texts = self._program
        return lint_text(path, texts.data(path), self._project)


def _without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out what an error at the same call says: that numbers may differ where they do, or that those of a layer
    differ whose arguments PyTorch rejects.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    differing = {finding.site for finding in errors if finding.code in _OF_NUMBERS}
    rejected = {finding.site for finding in errors if finding.code in _OF_ARGUMENTS}
    return [
        finding
        for finding in findings
        if not (finding.code in _OF_NUMBERS.values() and finding.site in differing)
        and not (finding.code in _OF_NUMBERS and finding.site in rejected)
    ]


def _with_condition(finding: Finding) -> Finding:
    """Add the branch on which alone a finding holds to its message."""
    if not finding.condition:
        return finding
    what, separator, advice = finding.message.partition("; ")
    return finding.with_(message=f"{what} when {finding.condition}{separator}{advice}", condition="")


def _with_latent_defects(
    project: Project, explorations: Sequence[Exploration], findings: Sequence[Finding]
) -> Sequence[Finding]:
    """Add the latent defects of classes about which their symbolic executions leave a question open."""
    from convlint.latent.suspicion import open_classes

    classes = open_classes(explorations)
    if not classes:
        return findings
    from convlint.latent.search import defects

    found = list(defects(project, explorations, classes))
    if not found:
        return findings
    from convlint.latent.findings import completed

    return completed(findings, found)


def lint_text(path: str, data: bytes, project: Project) -> LintedFile:
    """Lint one file with this content, and explain its errors. Never raises."""
    from convlint import static

    findings: Sequence[Finding] = ()
    try:
        checked = static.check_file(path, data, project, search=_with_latent_defects)
        findings = [f.with_(graph=None) if f.graph else f for f in checked.findings]
        classes = [finding for finding in checked.findings if finding.claim is not None]
        if classes or any(finding.graph for finding in checked.findings):
            from convlint.repairs.static_trials import explained  # most files have no error

            same = project.with_texts(project.texts.with_overlays({path: data}))
            findings = explained(path, checked, same, _with_latent_defects)
        findings = [_with_condition(finding) for finding in _without_echoes(findings)]
        if any(finding.severity == "error" for finding in findings) and (files := project.imports.read_files()):
            from convlint.repairs.data_lines import with_data_lines

            findings = [with_data_lines(f, files, project.texts) if f.severity == "error" else f for f in findings]
    except Exception as error:  # noqa: BLE001 - whatever it is, the other files are still checked
        import traceback

        text = f"convlint failed in this file: {type(error).__name__}: {error}; please report this"
        problem = Problem("internal", text, path=path, traceback=traceback.format_exc())
        return LintedFile(findings, problems=(problem,))
    return LintedFile(findings, checked.uses, checked.problems, checked.coverage)
