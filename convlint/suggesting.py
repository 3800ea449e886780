"""The pipeline of suggestions: a run -> candidates -> edits, each really run -> the set that is proposed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from convlint import cost, lines
from convlint.model import (
    Amounts,
    Graph,
    Problem,
    Refusal,
    Report,
    RewrittenSet,
    Suggestion,
    Timing,
    Tried,
    Verified,
    Version,
)
from convlint.rewrite.candidates import Candidate, candidates
from convlint.rewrite.choosing import Goal, ranked, together, worth
from convlint.rewrite.kind import Draft, Wishes
from convlint.rewrite.kinds import kinds
from convlint.rewrite.project import Project, package_folder
from convlint.rewrite.verifying import needed_ways, verify
from convlint.rewrite.ways import ways as ways_in
from convlint.rewrite.writing import Written, written
from convlint.targets import Job, Try
from convlint.trace.client import Answer

Runs = Callable[[Try], Answer]
_AT_ONCE = 6  # versions of one process that has the libraries loaded


@dataclass(frozen=True, slots=True)
class Options:
    """Which rewrites are wanted. ``kinds``: names, none for all; ``least`` is the share of the model's parameters or
    MACs that a suggestion has to save; ``runs`` of ``--measure``, 0 for none.
    """

    kinds: tuple[str, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)
    layers: tuple[str, ...] = ()
    least: float = 0.0
    top: int | None = None
    goal: Goal = field(default_factory=Goal)
    runs: int = 0
    weights: str | None = None
    save_weights: str | None = None


def suggest(job: Job, run: Runs, options: Options) -> Report:
    """Rewrites of a model that were run, and what could not be rewritten. Never raises for what the model does."""
    return _Search(job, run, options).report()


@dataclass(frozen=True, slots=True)
class _Proved:
    """A candidate, as it was written when it held."""

    candidate: Candidate
    draft: Draft
    written: Written
    outcome: Tried
    suggestion: Suggestion


class _Search:
    def __init__(self, job: Job, run: Runs, options: Options) -> None:
        self.job = job
        self.run = run
        self.options = options
        folder = package_folder(job.target.path) if job.target.path else None
        self.project = Project(job.root, folder)
        self.problems: list[Problem] = []
        self.refused: list[Refusal] = []
        self.original = Tried()

    def report(self) -> Report:
        """Do it all."""
        graph = self._explored()
        if graph is None:
            return Report(problems=tuple(self.problems))
        model = cost.model_report(graph)
        totals = _totals(graph)
        proved = self._proved(self._candidates(graph, totals), totals)
        suggestions = ranked([one.suggestion for one in proved], totals)
        chosen, rewritten = self._set(proved, suggestions, totals)
        return Report(
            models=(model,),
            problems=tuple(self.problems),
            suggestions=tuple(replace(one, chosen=one in chosen) for one in suggestions),
            refusals=tuple(self.refused),
            rewritten=rewritten,
        )

    # --- the original

    def _explored(self) -> Graph | None:
        """The model as it is, run, and built in the other ways of its file. None, and a problem, if it does not run."""
        path = self.job.target.path
        ways = self._ways([path] if path else [])
        tried = self._try([Version(ways=ways, weights=self.options.weights)])
        if tried is None:
            return None
        self.original = tried[0]
        self.problems += self.original.problems
        graph = self.original.graph
        if graph is None or self.original.problems:
            return None
        if graph.status != "complete" or any(node.error for node in graph.nodes):
            text = "the model does not run, so nothing could be verified; convlint check says why"
            self.problems.append(Problem("does-not-run", text, target=self.job.text))
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
        tried = self._try([Version(ways=ways)]) if ways else None
        if tried is not None:
            more = (*self.original.ways, *tried[0].ways)
            self.original = replace(self.original, ways=more)

    def _ways(self, paths: Iterable[str]) -> tuple[str, ...]:
        found: list[str] = []
        for path in paths:
            try:
                text, _ = lines.decode(self.project.data(path))
            except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
                continue  # the run says what is wrong with the file
            found += ways_in(path, text)
        return tuple(found)

    def _try(self, versions: Sequence[Version]) -> tuple[Tried, ...] | None:
        """What became of these versions; None, and a problem, where nothing did."""
        answer = self.run(Try(self.job, tuple(versions), self.original.libraries))
        self.problems += answer.problems
        return answer.tried if len(answer.tried) == len(versions) else None

    # --- candidates, each for itself

    def _candidates(self, graph: Graph, totals: Amounts) -> list[Candidate]:
        """What could be made, the most worthwhile first."""
        options = self.options
        wanted = [kinds()[name] for name in options.kinds] or list(kinds().values())
        ways = self.original.ways
        found, refused = candidates(
            graph, ways, self.project, wanted, options.wishes, options.layers
        )
        self.refused += refused
        kept = []
        for one in sorted(found, key=lambda one: -worth(one.changes, totals)):
            saved = sum((change.before - change.after for change in one.changes), Amounts())
            share = max(saved.params / max(totals.params, 1), saved.macs / max(totals.macs, 1))
            if share <= 0 or share < options.least:
                self._refuse(one, f"it would save {max(share, 0):.1%} of the model")
            else:
                kept.append(one)
        return kept

    def _refuse(self, candidate: Candidate, reason: str) -> None:
        names = tuple(change.layer for change in candidate.changes)
        self.refused.append(Refusal(candidate.kind.code, candidate.place.site, names, reason))

    def _proved(self, found: list[Candidate], totals: Amounts) -> list[_Proved]:
        """The candidates that hold when they are run, at most as many as are wanted."""
        proved: list[_Proved] = []
        top = self.options.top
        while found and (top is None or len(proved) < top):
            count = _AT_ONCE if top is None else min(_AT_ONCE, top - len(proved))
            proved += self._proved_now(found[:count])
            found = found[count:]
        return sorted(proved, key=lambda one: -worth(one.suggestion.changes, totals))

    def _proved_now(self, found: Sequence[Candidate]) -> Iterator[_Proved]:
        """Those of a few candidates that hold, each written in the first way that does."""
        left = [(candidate, list(candidate.drafts)) for candidate in found]
        while left:
            trials = []
            for candidate, drafts in left:
                if not drafts:
                    self._refuse(candidate, "there is no way to write it into this call")
                    continue
                draft = drafts.pop(0)
                made = written([draft], self.project)
                if isinstance(made, str):
                    self._refuse(candidate, made)
                else:
                    trials.append((candidate, drafts, draft, made))
            versions = [self._version(made, [candidate]) for candidate, _, _, made in trials]
            tried = self._try(versions) if versions else ()
            if tried is None:
                return
            left = []
            for (candidate, drafts, draft, made), outcome in zip(trials, tried, strict=True):
                verified = verify(candidate.changes, self.original, outcome)
                if isinstance(verified, Verified):
                    suggestion = _suggestion(candidate, made, verified, outcome)
                    yield _Proved(candidate, draft, made, outcome, suggestion)
                elif drafts:
                    left.append((candidate, drafts))
                else:
                    self._refuse(candidate, verified)

    def _version(self, made: Written, of: Sequence[Candidate]) -> Version:
        sites = [(c.place.site.path, c.place.site.line, c.place.site.column) for c in of]
        sites += [
            (use.layer.site.path, use.layer.site.line, use.layer.site.column)
            for c in of
            for use in c.place.uses
            if use.layer.site
        ]
        return Version(
            texts=made.texts,
            ways=needed_ways(self.original.ways, sites),
            forms={change.layer: change.form for c in of for change in c.changes},
            weights=self.options.weights,
        )

    # --- the set

    def _set(
        self, proved: Sequence[_Proved], suggestions: Sequence[Suggestion], totals: Amounts
    ) -> tuple[list[Suggestion], RewrittenSet | None]:
        """The suggestions that are proposed together, and what they make of the model, run together."""
        chosen = together(suggestions, totals, self.options.goal)
        while chosen:
            parts = [one for one in proved if one.suggestion in chosen]
            made = written([one.draft for one in parts], self.project)
            if isinstance(made, Written):
                rewritten = self._rewritten(made, parts, totals)
                if rewritten is not None:
                    return chosen, rewritten
            chosen = chosen[: len(chosen) // 2]  # two of them do not go together
        return [], None

    def _rewritten(
        self, made: Written, parts: Sequence[_Proved], totals: Amounts
    ) -> RewrittenSet | None:
        version = self._version(made, [one.candidate for one in parts])
        version = replace(version, save=self.options.save_weights)
        if len(parts) == 1 and version.save is None:
            outcome = parts[0].outcome
        else:
            tried = self._try([version])
            if tried is None:
                return None
            outcome = tried[0]
        changes = [change for one in parts for change in one.suggestion.changes]
        verified = verify(changes, self.original, outcome)
        if isinstance(verified, str) or outcome.graph is None:
            return None
        after = _totals(outcome.graph)
        return RewrittenSet(
            before=totals,
            after=after,
            diff=made.diff,
            files=made.files,
            verified=verified,
            latency=self._timed(version),
            goal=_goal(self.options.goal, after),
        )

    def _timed(self, version: Version) -> tuple[Timing, ...]:
        """How long the model and the changed layers take, original and rewritten."""
        if not self.options.runs:
            return ()
        tried = self._try([replace(version, texts={}, ways=(), save=None, runs=self.options.runs)])
        return () if tried is None else tried[0].timings


def _totals(graph: Graph) -> Amounts:
    model = cost.model_report(graph)
    return Amounts(
        model.totals.params,
        model.totals.macs,
        sum(row.output_bytes for row in model.layers),
        graph.saved_bytes,
    )


def _suggestion(
    candidate: Candidate, made: Written, verified: Verified, outcome: Tried
) -> Suggestion:
    kind, form, errors = candidate.kind, candidate.form, outcome.weight_errors
    return Suggestion(
        code=form.code,
        name=kind.name,
        title=kind.title(form),
        site=candidate.place.site,
        changes=tuple(replace(c, weight_error=errors.get(c.layer)) for c in candidate.changes),
        edits=made.edits,
        diff=made.diff,
        verified=verified,
        evidence=kind.evidence,
    )


def _goal(goal: Goal, after: Amounts) -> str | None:
    """Whether what was asked of the totals was reached."""
    if not goal:
        return None
    asked = [
        f"{limit:,} {what}"
        for limit, what in ((goal.params, "parameters"), (goal.macs, "multiply-accumulates"))
        if limit is not None
    ]
    reached = "reached" if goal.reached(after) else "not reached"
    return f"at most {' and '.join(asked)}: {reached}"
