"""Runs the original of a model and rewritten versions of it, and remembers what the original did."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from convlint.ir import ChannelOrder, Graph, ModelVersion, Problem, Timing, VersionRun
from convlint.rewriting import channel_order
from convlint.rewriting.candidates import Candidate, matches
from convlint.rewriting.drafts import Written
from convlint.rewriting.other_calls import ways as ways_in
from convlint.rewriting.project import Project, package_folder
from convlint.rewriting.verification import needed_ways
from convlint.runtime.worker.client import JobResult
from convlint.settings.jobs import Job, VersionsJob
from convlint.source_text import lines

Runs = Callable[[VersionsJob], JobResult]


class Trials:
    """A model, its project, and what became of its versions. ``problems`` are what could not be done.

    ``weights`` is a checkpoint of the original, that every version gets converted for it.
    """

    def __init__(self, job: Job, run: Runs, weights: str | None) -> None:
        self.job = job
        self.run = run
        self.weights = weights
        folder = package_folder(job.target.path) if job.target.path else None
        self.project = Project(job.root, folder)
        self.problems: list[Problem] = []
        self.original = VersionRun()

    def explored(self, patterns: Sequence[str]) -> Graph | None:
        """The model as it is, run, and built in the other ways of its file. None, and a problem, if it does not run
        or has no layers of these names.
        """
        path = self.job.target.path
        tried = self.tried(
            [ModelVersion(other_calls=self._ways([path] if path else []), weights=self.weights)]
        )
        if tried is None:
            return None
        self.original = tried[0]
        graph = self.original.graph
        if graph is None or self.original.problems:
            self.problems += (self._named(problem) for problem in self.original.problems)
            return None
        if (reason := _does_not_run(graph)) is not None:
            text = (
                "the model does not run, so nothing could be verified; convlint check says why; "
                f"the first is {reason}"
            )
            self.problems.append(self._named(Problem("does-not-run", text)))
            return None
        for pattern in patterns:
            if not any(matches(layer.name, [pattern]) for layer in graph.layers):
                text = f"no layer is called {pattern}; convlint summary lists all"
                self.problems.append(self._named(Problem("no-such-layer", text)))
                return None
        self._explore_files(graph)
        return graph

    def _explore_files(self, graph: Graph) -> None:
        """Build what other files of the project build, where layers come from them."""
        own = os.path.realpath(self.job.target.path or "")
        sites = {layer.site.path: layer.site for layer in graph.layers if layer.site}
        others = [
            path
            for path, site in sites.items()
            if os.path.realpath(path) != own and not self.project.refusal(site)
        ]
        ways = self._ways(others)
        tried = self.tried([ModelVersion(other_calls=ways)]) if ways else None
        if tried is not None:
            self.original = replace(
                self.original, other_calls=(*self.original.other_calls, *tried[0].other_calls)
            )

    def _ways(self, paths: Iterable[str]) -> tuple[str, ...]:
        found: list[str] = []
        for path in paths:
            try:
                text, _ = lines.decode(self.project.texts.data(path))
            except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
                continue  # the run says what is wrong with the file
            found += ways_in(path, text)
        return tuple(found)

    # --- versions

    def tried(self, versions: Sequence[ModelVersion]) -> tuple[VersionRun, ...] | None:
        """What became of these versions; None, and a problem, where nothing did."""
        answer = self.run(VersionsJob(self.job, tuple(versions), self.original.libraries))
        self.problems += answer.problems
        return answer.tried if len(answer.tried) == len(versions) else None

    def version(self, made: Written, of: Sequence[Candidate]) -> ModelVersion:
        """The version of the project with these candidates written into it."""
        places = [one.place for one in of if one.place]
        layers = [use.layer for place in places for use in place.uses]
        sites = [place.site for place in places] + [each.site for each in layers if each.site]
        return ModelVersion(
            texts=made.texts,
            other_calls=needed_ways(
                self.original.other_calls, [(s.path, s.line, s.column) for s in sites]
            ),
            replacements={change.layer: change.replacement for c in of for change in c.changes},
            channel_orders=self._orders(of),
            weights=self.weights,
        )

    def _orders(self, of: Sequence[Candidate]) -> tuple[ChannelOrder, ...]:
        """In which orders the channels of grouped layers may come, for trained weights."""
        graph = self.original.graph
        if self.weights is None or graph is None:
            return ()
        names = {c.layer for one in of for c in one.changes if c.replacement.code == "CVL501"}
        run = dict.fromkeys(node.layer for node in graph.nodes if node.layer in names)
        return tuple(
            ChannelOrder(name, channel_order.before(graph, name), channel_order.behind(graph, name))
            for name in run
            if name
        )

    def save_weights(self, version: ModelVersion, path: str) -> None:
        """Write the checkpoint that is converted for a version; a problem says where that failed."""
        for outcome in self.tried([replace(version, other_calls=(), save=path)]) or ():
            self.problems += (self._named(problem) for problem in outcome.problems)

    def timed(self, version: ModelVersion, runs: int) -> tuple[Timing, ...]:
        """How long the model and the changed layers, together, take: original and rewritten. Nothing for no runs."""
        if not runs:
            return ()
        tried = self.tried([replace(version, texts={}, other_calls=(), runs=runs)])
        return () if tried is None else tuple(_summed(tried[0].timings))

    def _named(self, problem: Problem) -> Problem:
        return replace(problem, target=self.job.text)


def _does_not_run(graph: Graph) -> str | None:
    """The first thing in a model that fails, and where."""
    layers = [(layer.name, layer.site, layer.error) for layer in graph.layers if layer.error]
    calls = [(n.layer or n.module or n.op, graph.where(n), n.error) for n in graph.nodes if n.error]
    for name, site, error in (*layers, *calls):
        return f"{name} at {site}: {error}" if site else f"{name}: {error}"
    if graph.failure is not None:
        place = f" at {graph.failure.site}" if graph.failure.site else ""
        return f"{graph.failure.type}{place}: {graph.failure.message}"
    return None if graph.status == "complete" else "it did not run to its end"


def _sums(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(first for first, _ in pairs), sum(second for _, second in pairs)


def _summed(timings: Sequence[Timing]) -> Iterator[Timing]:
    """Of each layout the timing of the model, and the sum of those of its layers."""
    for layout in dict.fromkeys(timing.layout for timing in timings):
        here = [timing for timing in timings if timing.layout == layout]
        layers = [timing for timing in here if timing.subject != "model"]
        if layers:
            before, after = [t.before for t in layers], [t.after for t in layers]
            yield replace(layers[0], subject="layers", before=_sums(before), after=_sums(after))
        yield from (timing for timing in here if timing.subject == "model")
