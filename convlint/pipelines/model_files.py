"""The findings of static analysis in the files of models that were run: a run says what its text says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from convlint.analysis import graph_queries
from convlint.findings.confirm import ProveClaim
from convlint.findings.select import merged
from convlint.ir import Finding, Graph, Problem, Site
from convlint.pipelines.file_linter import LintedFile
from convlint.pipelines.lint_files import Linter, by_file, read_files, reported
from convlint.repairs.conflict import Place, construction_frames, frames
from convlint.rules.registry import rule
from convlint.settings import discovery
from convlint.settings.config import Config
from convlint.settings.jobs import Job
from convlint.source_text.packages import is_installed, package_folder
from convlint.source_text.texts import SourceTexts

Frames = tuple[Place, ...]
"""The lines of a call and of the calls that built its layer, innermost first."""


class ModelFiles:
    """The files whose code builds and runs models, and what static analysis finds in them."""

    def __init__(self, linter: Linter, config: Config, texts: SourceTexts) -> None:
        self._linter = linter
        self._config = config
        self._texts = texts
        self._linted: dict[str, LintedFile] = {}
        self._ran = _RanOperations()

    def add(self, job: Job, graph: Graph | None) -> None:
        """Lint the file of a target, and the files of the project that build and run its model."""
        own = [job.target.path] if job.target.path else []
        folders = [self._config.root, os.getcwd(), *map(package_folder, own)]
        others = [path for path in _paths(graph) if _is_below(path, folders)] if graph else []
        found = discovery.find(others, exclude=self._config.exclude, root=self._config.root, force=True)
        paths = {os.path.realpath(path): discovery.display_path(path) for path in (*found.files, *own)}
        contents, _ = read_files(path for path in paths.values() if path not in self._linted)
        self._linted |= self._linter.linted(contents, self._texts.with_overlays(contents))

    def ran(self, graph: Graph) -> None:
        """Take note of the operations of a run, or of a run after repairs; what ran needs no static analysis."""
        self._ran.add(graph)

    @property
    def suspected(self) -> set[Place]:
        """The lines of classes that fail for some arguments."""
        return {(f.site.path, f.site.line) for f in self._findings() if f.claim is not None and f.site is not None}

    @property
    def followed(self) -> list[Finding]:
        """The findings with repairs that static analysis verified, errors first."""
        found = [each for each in self._findings() if any(repair.verified for repair in each.repairs)]
        return sorted(found, key=lambda finding: finding.severity != "error")

    @property
    def problems(self) -> list[Problem]:
        """The failures of static analysis itself."""
        return [each for linted in self._linted.values() for each in linted.problems if each.kind == "internal"]

    def findings_with(
        self, ran: Sequence[Finding], prove_claim: ProveClaim | None
    ) -> tuple[list[Finding], tuple[Finding, ...]]:
        """The findings to report in these files, and those that the runs refute or report themselves.

        Args:
            ran: the findings of the runs, also those that are suppressed.
            prove_claim: builds and runs the classes of latent findings; None runs nothing.
        """
        decided = tuple(finding for finding in self._findings() if self._is_decided(finding, ran))
        left = {path: [f for f in linted.findings if f not in decided] for path, linted in self._linted.items()}
        in_files = by_file([*ran, *(finding for findings in left.values() for finding in findings)])
        found: list[Finding] = []
        for path, findings in left.items():
            in_file = in_files.get(os.path.abspath(path), ())
            data = self._texts.data(path)
            found += reported(path, data, findings, self._config, self._texts, prove_claim, in_file)
        return merged(found), decided

    def _is_decided(self, finding: Finding, ran: Sequence[Finding]) -> bool:
        """Return whether the runs decide a finding: its operations ran, or an error of theirs has the same cause."""
        is_invalid = rule(finding.code).family == "invalid"
        if finding.claim is not None or (is_invalid and not finding.operations):  # about the arguments of a class
            sites = [*(finding.claim.sites if finding.claim else ()), *([finding.site] if finding.site else [])]
            if not self._ran.failed_lines.isdisjoint(_places(sites)):
                return True  # the error of the run says it
        if not is_invalid:
            return False
        edits = _sites(finding)
        errors = [other for other in ran if other.severity == "error"]
        same = any(_line(finding) == _line(other) or not edits.isdisjoint(_sites(other)) for other in errors)
        return same or self._ran.decides(finding)

    def _findings(self) -> Iterator[Finding]:
        return (finding for linted in self._linted.values() for finding in linted.findings)


class _RanOperations:
    """The operations of runs: those that failed, and those that worked."""

    def __init__(self) -> None:
        self._failed: set[Frames] = set()
        self._worked: set[Frames] = set()
        self.failed_lines: set[Place] = set()  # those that build the layers between which a call failed

    def add(self, graph: Graph) -> None:
        behind = graph_queries.downstream_tensors(graph, [node for node in graph.nodes if node.error])
        for node in graph.nodes:
            if node.error is not None or behind.isdisjoint(node.inputs):
                self._add(frames(graph, node), failed=node.error is not None)
            if node.error is not None:
                for each in (node, graph_queries.source_layer(graph, node)):
                    layer = None if each is None else graph.layer(each.layer)
                    self.failed_lines.update(_places(construction_frames(layer)))
        for layer in graph.layers:
            self._add(construction_frames(layer), failed=layer.error is not None)
        if graph.failure is not None and graph.failure.site is not None:
            self._add((graph.failure.site,), failed=True)

    def _add(self, sites: tuple[Site, ...], *, failed: bool) -> None:
        if sites:
            (self._failed if failed else self._worked).add(_places(sites))

    def decides(self, finding: Finding) -> bool:
        """Return whether one of the operations of a finding failed, or all of them worked, as they were built there."""
        operations = [_places(sites) for sites in finding.operations if sites]
        if any(_is_part(one, other) for one in operations for other in self._failed):
            return True
        return bool(operations) and all(any(other[: len(one)] == one for other in self._worked) for one in operations)


def _is_part(one: Frames, other: Frames) -> bool:
    """Return whether one is the inner part of the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _places(sites: Sequence[Site]) -> Frames:
    return tuple((os.path.abspath(site.path), site.line) for site in sites)


def _line(finding: Finding) -> Place | None:
    return None if finding.site is None else (os.path.abspath(finding.site.path), finding.site.line)


def _sites(finding: Finding) -> set[Place]:
    """The lines that the repairs of a finding edit."""
    edits = (edit for repair in finding.repairs[:1] for edit in repair.edits)
    return {(os.path.abspath(edit.site.path), edit.site.line) for edit in edits}


def _paths(graph: Graph) -> dict[str, None]:
    """The files whose code builds and runs a model."""
    sites = [*(node.site for node in graph.nodes), *(layer.site for layer in graph.layers)]
    if graph.failure is not None:
        sites += graph.failure.chain
    paths = [*(site.path for site in sites if site is not None), *(scope.path for scope in graph.scopes)]
    return dict.fromkeys(path for path in paths if path and os.path.isfile(path))


def _is_below(path: str, folders: Sequence[str]) -> bool:
    full = os.path.abspath(path)
    return not is_installed(full) and any(full.startswith(os.path.join(os.path.abspath(f), "")) for f in folders)
