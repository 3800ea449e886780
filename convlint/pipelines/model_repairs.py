"""Repair models that fail when they are run: edited versions of their texts run in the worker process."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence

from convlint.analysis.diagnosis import without_consequences
from convlint.ir import Finding, Graph, ModelVersion, Node
from convlint.pipelines.model_files import ModelFiles
from convlint.repairs.conflict import Outcome, Place
from convlint.repairs.outcomes import outcome
from convlint.repairs.run_trials import Lint, Repaired, RunTrials, Texts, findings_of, search
from convlint.repairs.slicer import Slicer
from convlint.runtime.worker.client import JobResult
from convlint.settings.input_shapes import InputSpec
from convlint.settings.jobs import Job, VersionsJob
from convlint.source_text.packages import package_folder
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass, replace

RunVersions = Callable[[VersionsJob], JobResult]

_SHARE = 3.0  # the time for trials, as a multiple of that of the run
_LEAST = 4.0  # seconds for trials, however short the run was
_GRACE = 2.0  # seconds for one trial, in addition to twice the time of the run
_LARGE = 1 << 29  # bytes of parameters or outputs from which a model is tried without values, which takes longer


@dataclass(frozen=True)
class FailedRun:
    """A run in which something failed: its job and graph, and the seconds that the run took and until it answered."""

    job: Job
    graph: Graph
    run_seconds: float
    seconds: float

    def repaired(
        self, findings: Sequence[Finding], run: RunVersions, lint: Lint, files: ModelFiles | None
    ) -> tuple[list[Finding], list[Graph]]:
        """The findings of the rules with one for each cause, and the graphs of runs in which repairs were tried.

        Args:
            findings: those of the rules in the graph.
            run: runs versions of the model's texts.
            lint: the findings of the rules in a graph.
            files: what static analysis found in the files of the model.
        """
        start = outcome(self.graph, findings)
        if not start.conflicts:
            return [*findings], []
        places = {(f.site.path, f.site.line) for f in findings if f.claim is not None and f.site is not None}
        suspected = places | (files.suspected if files else set())
        followed = files.followed if files else []
        found: Repaired | None = None
        if self.job.device == "cpu" and self._is_large():
            found = self._without_values(start, run, lint, suspected, followed)
        if found is None:
            found = self._search(self._versions(self._trial_job(), run), start, lint, suspected, followed)
        return findings_of(self.graph, findings, found), [found.graph] if found.graph else []

    def _search(
        self, versions: _Versions, start: Outcome, lint: Lint, suspected: Collection[Place], followed: Sequence[Finding]
    ) -> Repaired:
        texts = SourceTexts()
        path = self.job.target.path
        folders = (self.job.root, os.getcwd(), *((package_folder(path),) if path else ()))
        seconds = max(_SHARE * self.seconds, _LEAST)
        return search(start, Slicer(texts, *folders), RunTrials(texts, versions, lint, seconds), suspected, followed)

    def _without_values(
        self, start: Outcome, run: RunVersions, lint: Lint, suspected: Collection[Place], followed: Sequence[Finding]
    ) -> Repaired | None:
        """The repairs found on the meta device; None if the model fails differently there, or with real values."""
        versions = self._versions(replace(self._trial_job(), device="meta"), run)
        (graph,) = versions([{}])
        if graph is None:
            return None
        graph = without_consequences(graph)
        if outcome(graph, lint(graph)).failing != start.failing:
            return None
        found = self._search(versions, start, lint, suspected, followed)
        if not found.edits:
            return found
        trials = RunTrials(SourceTexts(), self._versions(self._trial_job(), run), lint, 0.0)
        after = trials(found.edits)
        return found if after is not None and bool(after.failing) != found.runs else None

    def _versions(self, job: Job, run: RunVersions) -> _Versions:
        """Versions of the model, judged as the run was: not by calls that may fail for the guessed input only."""
        unjudged = (_place(node) for node in self.graph.nodes if node.op == "unseen")
        return _Versions(job, run, frozenset(unjudged) if self.graph.input_is_guessed else frozenset())

    def _is_large(self) -> bool:
        parameters = sum(layer.params_bytes for layer in self.graph.layers)
        outputs = sum(tensor.nbytes for node in self.graph.nodes for tensor in node.outputs)
        return parameters > _LARGE or outputs > _LARGE

    def _trial_job(self) -> Job:
        """The job of one trial: with the inputs of the run, also if they were guessed, and less time."""
        job = replace(self.job, timeout=min(self.job.timeout, 2 * self.run_seconds + _GRACE))
        if not self.graph.input_is_guessed:
            return job
        tensors = [tensor for node in self.graph.nodes if node.op == "input" for tensor in node.outputs]
        specs = [InputSpec(t.shape[1:], dtype=None if t.dtype.startswith("float") else t.dtype) for t in tensors]
        return replace(job, inputs=tuple(specs), batch_size=self.graph.batch_size)


def _place(node: Node) -> tuple[str | None, str, int]:
    """The layer and the line of a call, which are the same after an edit of a number."""
    return (node.layer, "", 0) if node.site is None else (node.layer, node.site.path, node.site.line)


@dataclass(frozen=True)
class _Versions:
    """Builds and runs a model with other contents of its files. Failures of ``unjudged`` calls do not count."""

    job: Job
    run: RunVersions
    unjudged: frozenset[tuple[str | None, str, int]] = frozenset()

    def __call__(self, texts: Sequence[Texts]) -> list[Graph | None]:
        versions = tuple(
            ModelVersion(texts={path: data.decode("latin-1") for path, data in each.items()}, trial=True)
            for each in texts
        )
        answer = self.run(VersionsJob(self.job, versions))
        if len(answer.tried) != len(versions):  # one of them ended all
            return [None] if len(versions) == 1 else [graph for each in texts for graph in self([each])]
        return [None if tried.problems or tried.graph is None else self._judged(tried.graph) for tried in answer.tried]

    def _judged(self, graph: Graph) -> Graph:
        if not self.unjudged:
            return graph
        nodes = [
            replace(node, op="unseen", error=None, attrs={}) if node.error and _place(node) in self.unjudged else node
            for node in graph.nodes
        ]
        return replace(graph, nodes=tuple(nodes))
