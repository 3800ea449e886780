"""Run a model and rewritten versions of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from convlint.ir import ChannelOrder, Graph, ModelVersion, Problem, Timing, VersionRun
from convlint.rewriting import channel_order
from convlint.rewriting.candidates import Candidate
from convlint.rewriting.drafts import EditedFiles
from convlint.rewriting.options import SuggestOptions
from convlint.rewriting.other_calls import other_calls
from convlint.rewriting.project import Project
from convlint.rewriting.unsupported import matches_pattern
from convlint.rewriting.verification import needed_calls
from convlint.runtime.worker.client import JobResult
from convlint.settings.jobs import Job, VersionsJob
from convlint.settings.targets import Target, parse_target
from convlint.source_text import lines
from convlint.source_text.packages import package_folder
from convlint.support.dataclass import replace

_PROBED = 2.5  # times as long as a version takes to be exported, scripted, and so on

RunVersions = Callable[[VersionsJob], JobResult]


class VersionRunner:
    """Runs the original and rewritten versions of the model of a job; ``problems`` collects the problems of all runs.

    ``weights`` is a checkpoint of the original, which is converted for every version.
    """

    def __init__(self, job: Job, run: RunVersions, weights: str | None) -> None:
        self.job = job
        self.run = run
        self.weights = weights
        self.project = Project(job.root, package_folder(job.target.path) if job.target.path else None)
        self.problems: list[Problem] = []
        self.original = VersionRun()
        self.seconds: float | None = None  # that the original took
        self.data_failed = False

    def run_original(self, patterns: Sequence[str], soon: tuple[str, ...] = ()) -> Graph | None:
        """Run the original, and build it with the other constructor calls in its files.

        ``soon`` are modules of torch that later runs need.
        Returns None, and adds a problem, if it does not run or has no layers with names like ``patterns``.
        """
        path = self.job.target.path
        other_calls = self._other_calls([path] if path else [])
        runs = self.run_versions([ModelVersion(other_calls=other_calls, weights=self.weights)], soon=soon)
        if runs is None:
            return None
        self.original = runs[0]
        graph = self.original.graph
        if graph is None or self.original.problems:
            self.problems += (self._named(problem) for problem in self.original.problems)
            return None
        if (reason := _does_not_run(graph)) is not None:
            text = (
                "the model does not run, so nothing can be verified; convlint check reports all errors; "
                f"the first is {reason}"
            )
            self.problems.append(self._named(Problem("does-not-run", text)))
            return None
        for pattern in patterns:
            if not any(matches_pattern(layer.name, [pattern]) for layer in graph.layers):
                text = f"no layer is named {pattern}; convlint summary lists all layers"
                self.problems.append(self._named(Problem("no-such-layer", text)))
                return None
        self._build_other_files(graph)
        return graph

    def _build_other_files(self, graph: Graph) -> None:
        """Build the models in other files of the project that define layers of this one."""
        own = os.path.realpath(self.job.target.path or "")
        sites = {layer.site.path: layer.site for layer in graph.layers if layer.site}
        others = [
            path for path, site in sites.items() if os.path.realpath(path) != own and not self.project.refusal(site)
        ]
        calls = self._other_calls(others)
        runs = self.run_versions([ModelVersion(other_calls=calls)]) if calls else None
        if runs is not None:
            self.original = replace(self.original, other_calls=(*self.original.other_calls, *runs[0].other_calls))

    def _other_calls(self, paths: Iterable[str]) -> tuple[str, ...]:
        calls: list[str] = []
        for path in paths:
            try:
                text, _ = lines.decode(self.project.texts.data(path))
            except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
                continue  # the run reports the error
            calls += other_calls(path, text)
        return tuple(call for call in calls if not _build_the_same(parse_target(call), self.job.target))

    def run_versions(
        self, versions: Sequence[ModelVersion], purpose: str = "", *, soon: tuple[str, ...] = ()
    ) -> tuple[VersionRun, ...] | None:
        """Run versions of the model; None, and a problem, if they could not be run.

        ``purpose`` is what a terminal shows meanwhile, with an estimate of the time.
        """
        if purpose:
            purpose = f"{purpose} of {self.job.text}, {self._about(versions)}"
        answer = self.run(VersionsJob(self.job, tuple(versions), self.original.libraries, purpose, soon))
        if self.seconds is None:
            self.seconds = answer.seconds
        self.problems += answer.problems
        return answer.tried if len(answer.tried) == len(versions) else None

    def _about(self, versions: Sequence[ModelVersion]) -> str:
        """An estimate of the time, for versions that take as long as the original did."""
        count = sum(_PROBED if version.probes else 1.0 for version in versions)
        return f"about {max(1, round(count * (self.seconds or 0.0)))} s"

    def version(self, written: EditedFiles, candidates: Sequence[Candidate]) -> ModelVersion:
        """The version of the project in which ``candidates`` have been written."""
        places = [candidate.place for candidate in candidates if candidate.place]
        layers = [use.layer for place in places for use in place.uses]
        sites = [place.site for place in places] + [each.site for each in layers if each.site]
        return ModelVersion(
            texts=written.texts,
            other_calls=needed_calls(self.original.other_calls, [(s.path, s.line, s.column) for s in sites]),
            replacements={change.layer: change.replacement for c in candidates for change in c.changes},
            channel_orders=self._channel_orders(candidates),
            weights=self.weights,
        )

    def _channel_orders(self, candidates: Sequence[Candidate]) -> tuple[ChannelOrder, ...]:
        """The possible orders of the channels of grouped layers, for trained weights."""
        graph = self.original.graph
        if self.weights is None or graph is None:
            return ()
        changes = [change for candidate in candidates for change in candidate.changes]
        names = {change.layer for change in changes if change.replacement.code == "CVL501"}
        run = dict.fromkeys(node.layer for node in graph.nodes if node.layer in names)
        return tuple(
            ChannelOrder(name, channel_order.input_order(graph, name), channel_order.output_order(graph, name))
            for name in run
            if name
        )

    def note(self, problems: Iterable[Problem]) -> None:
        """Add problems of a run."""
        problems = list(problems)
        self.data_failed |= any(problem.kind == "data" for problem in problems)
        self.problems += (self._named(problem) for problem in problems)

    def on_data(
        self, candidates: Sequence[Candidate], options: SuggestOptions, save: str | None = None
    ) -> ModelVersion:
        """The original converted on the user's data with the forms of some candidates."""
        return ModelVersion(
            replacements={change.layer: change.replacement for c in candidates for change in c.changes},
            channel_orders=self._channel_orders(candidates),
            weights=self.weights,
            save=save,
            data=options.data,
            recalibrate=options.recalibrate,
        )

    def save_weights(self, version: ModelVersion, path: str) -> None:
        """Write the converted checkpoint of a version; adds a problem if that fails."""
        for outcome in self.run_versions([replace(version, other_calls=(), save=path)]) or ():
            self.problems += (self._named(problem) for problem in outcome.problems)

    def measure(self, version: ModelVersion, runs: int) -> tuple[Timing, ...]:
        """Measure the latency of the model and of each changed layer, before and after; () for 0 runs."""
        graph = self.original.graph
        kinds = {layer.name: layer.base for layer in graph.layers} if graph is not None else {}
        own = [name for name in version.replacements if kinds.get(name) == "Module"]
        if runs and own:
            text = f"not measured: {own[0]} is a class of the project, of which only the source is rewritten"
            self.note([Problem("measure", text)])
        if not runs or own:
            return ()
        measured = self.run_versions([replace(version, texts={}, other_calls=(), runs=runs)])
        return () if measured is None else measured[0].timings

    def _named(self, problem: Problem) -> Problem:
        return replace(problem, target=self.job.text)


def _does_not_run(graph: Graph) -> str | None:
    """The first error of a model and its location; None if the model runs."""
    layers = [(layer.name, layer.site, layer.error) for layer in graph.layers if layer.error]
    calls = [(n.layer or n.module or n.op, graph.where(n), n.error) for n in graph.nodes if n.error]
    for name, site, error in (*layers, *calls):
        return f"{name} at {site}: {error}" if site else f"{name}: {error}"
    if graph.failure is not None:
        place = f" at {graph.failure.site}" if graph.failure.site else ""
        return f"{graph.failure.type}{place}: {graph.failure.message}"
    return None if graph.status == "complete" else "the forward pass did not complete"


def _build_the_same(first: Target, second: Target) -> bool:
    return replace(first, text="") == replace(second, text="")


def _sums(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(first for first, _ in pairs), sum(second for _, second in pairs)


def sum_of_layers(timings: Sequence[Timing], names: Sequence[str]) -> Iterator[Timing]:
    """For each memory layout the sum of the timings of some layers."""
    for layout in dict.fromkeys(timing.layout for timing in timings):
        layers = [timing for timing in timings if timing.layout == layout and timing.subject in names]
        if layers:
            before, after = [t.before for t in layers], [t.after for t in layers]
            yield replace(layers[0], subject="layers", before=_sums(before), after=_sums(after), wins=None)
