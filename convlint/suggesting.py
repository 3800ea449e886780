"""The pipeline of suggestions: a run -> candidates -> edits, each really run -> the set that is proposed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from convlint import cost, lines
from convlint.model import (
    Amounts,
    Graph,
    Order,
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
from convlint.rewriting import absorb
from convlint.rewriting.candidates import Candidate, candidates, matches, of_live_model
from convlint.rewriting.choosing import Goal, ranked, together, worth
from convlint.rewriting.kind import Draft, Wishes
from convlint.rewriting.kinds import kinds as all_kinds
from convlint.rewriting.project import Project, package_folder
from convlint.rewriting.verifying import needed_ways, verify
from convlint.rewriting.ways import ways as ways_in
from convlint.rewriting.writing import Written, written
from convlint.targets import Job, Try, parse_count
from convlint.trace.client import Answer
from convlint.usage import UsageError, check_choice

Runs = Callable[[Try], Answer]
_AT_ONCE = 6  # versions of one process that has the libraries loaded
_RUNS = 20  # calls that are timed


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


def options(
    *,
    kinds: Sequence[str] = (),
    target_params: int | str | None = None,
    target_macs: int | str | None = None,
    measure: bool = False,
    **rest: Any,
) -> Options:
    """Options from what a user wrote; ``rest`` are fields of ``Options``. Raises UsageError."""
    for name in kinds:
        check_choice(name, tuple(all_kinds()), "--kind")
    made = Options(
        kinds=tuple(kinds),
        goal=Goal(
            None if target_params is None else parse_count(target_params, "--target-params"),
            None if target_macs is None else parse_count(target_macs, "--target-macs"),
        ),
        runs=_RUNS if measure else 0,
        **rest,
    )
    _check(made)
    return made


def _check(made: Options) -> None:
    """Raise UsageError where options contradict each other."""
    wishes = made.wishes
    if wishes.groups is not None and wishes.groups < 2:
        raise UsageError(f"--groups {wishes.groups}: write auto, or a number of groups from 2 on")
    if wishes.pairs < 1:
        raise UsageError(f"--pairs {wishes.pairs}: there is at least one pair")
    if not 0 <= made.least <= 1:
        raise UsageError("--min-saving is a share of the model, as in 5% or 0.05")
    if made.save_weights and not made.weights:
        raise UsageError("--save-weights needs --weights FILE, the checkpoint to convert")
    if made.weights and wishes.between not in ("none", "norm"):
        raise UsageError(
            f"--between {wishes.between} puts an activation where trained weights had none: "
            "weights can be converted with none or norm"
        )
    if made.save_weights and not os.path.isdir(os.path.dirname(made.save_weights) or "."):
        raise UsageError(f"--save-weights {made.save_weights}: there is no such folder")


def suggest(job: Job, run: Runs, options: Options, *, live: bool = False) -> Report:
    """Rewrites of a model that were run, and what could not be rewritten. Never raises for what the model does.

    ``live``: the model was built before, so its layers are rewritten one by one, and no text.
    """
    return _Search(job, run, options, live=live).report()


@dataclass(frozen=True, slots=True)
class _Proved:
    """A candidate, as it was written when it held."""

    candidate: Candidate
    draft: Draft
    written: Written
    outcome: Tried
    suggestion: Suggestion


class _Search:
    def __init__(self, job: Job, run: Runs, options: Options, *, live: bool) -> None:
        self.live = live
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
        self.problems += (replace(p, target=self.job.text) for p in self.original.problems)
        graph = self.original.graph
        if graph is None or self.original.problems:
            return None
        if graph.status != "complete" or any(node.error for node in graph.nodes):
            text = "the model does not run, so nothing could be verified; convlint check says why"
            self.problems.append(Problem("does-not-run", text, target=self.job.text))
            return None
        for pattern in self.options.layers:
            if not any(matches(layer.name, [pattern]) for layer in graph.layers):
                text = f"no layer is called {pattern}; convlint summary lists all"
                self.problems.append(Problem("no-such-layer", text, target=self.job.text))
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
        wanted = [all_kinds()[name] for name in options.kinds] or list(all_kinds().values())
        if self.live:
            found, refused = of_live_model(graph, wanted, options.wishes, options.layers)
        else:
            found, refused = candidates(
                *(graph, self.original.ways, self.project, wanted, options.wishes, options.layers)
            )
        self.refused += refused
        kept = []
        for one in sorted(found, key=lambda one: -worth(one.changes, totals)):
            saved = sum((change.before - change.after for change in one.changes), Amounts())
            shares = saved.params / max(totals.params, 1), saved.macs / max(totals.macs, 1)
            if min(shares) < 0 or max(shares) == 0:
                self._refuse(one, _costs_more(*shares))
            elif max(shares) < options.least:
                self._refuse(one, f"it would save {max(shares):.1%} of the model")
            else:
                kept.append(one)
        return kept

    def _refuse(self, candidate: Candidate, reason: str) -> None:
        names = tuple(change.layer for change in candidate.changes)
        self.refused.append(Refusal(candidate.kind.code, candidate.site, names, reason))

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
                while isinstance(made, str) and drafts:
                    draft = drafts.pop(0)
                    made = written([draft], self.project)
                if isinstance(made, str):
                    self._refuse(candidate, candidate.otherwise or made)
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
                    latency = self._timed(self._version(made, [candidate]))
                    suggestion = replace(suggestion, latency=latency)
                    yield _Proved(candidate, draft, made, outcome, suggestion)
                elif drafts:
                    left.append((candidate, drafts))
                else:
                    self._refuse(candidate, candidate.otherwise or verified)

    def _version(self, made: Written, of: Sequence[Candidate]) -> Version:
        places = [one.place for one in of if one.place]
        layers = [use.layer for place in places for use in place.uses]
        sites = [place.site for place in places] + [each.site for each in layers if each.site]
        return Version(
            texts=made.texts,
            ways=needed_ways(self.original.ways, [(s.path, s.line, s.column) for s in sites]),
            forms={change.layer: change.form for c in of for change in c.changes},
            orders=self._orders(of),
            weights=self.options.weights,
        )

    def _orders(self, of: Sequence[Candidate]) -> tuple[Order, ...]:
        """In which orders the channels of grouped layers may come, for trained weights."""
        graph = self.original.graph
        if self.options.weights is None or graph is None:
            return ()
        names = {c.layer for one in of for c in one.changes if c.form.code == "CVL501"}
        run = dict.fromkeys(node.layer for node in graph.nodes if node.layer in names)
        return tuple(
            Order(name, absorb.before(graph, name), absorb.behind(graph, name))
            for name in run
            if name
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
            found = made if isinstance(made, str) else self._rewritten(made, parts, totals)
            if isinstance(found, RewrittenSet):
                return chosen, found
            kept = chosen[: len(chosen) // 2]  # two of them do not go together
            for one in chosen[len(kept) :]:
                text = f"it is not proposed beside the others: {found}"
                self.refused.append(Refusal(one.code, one.site, one.instances, text))
            chosen = kept
        return [], None

    def _rewritten(
        self, made: Written, parts: Sequence[_Proved], totals: Amounts
    ) -> RewrittenSet | str:
        """The model with all these, or why they do not go together."""
        version = self._version(made, [one.candidate for one in parts])
        tried = (parts[0].outcome,) if len(parts) == 1 else self._try([version])
        if tried is None:
            return "it gave no answer"
        changes = [change for one in parts for change in one.suggestion.changes]
        verified = verify(changes, self.original, tried[0])
        if isinstance(verified, str) or tried[0].graph is None:
            return str(verified)
        self._save_weights(version)
        after = _totals(tried[0].graph)
        return RewrittenSet(
            before=totals,
            after=after,
            diff=made.diff,
            files=made.files,
            verified=verified,
            latency=tuple(t for t in self._timed(version) if t.what == "model"),
            goal=_goal(self.options.goal, after),
        )

    def _save_weights(self, version: Version) -> None:
        if self.options.save_weights is not None:
            tried = self._try([replace(version, ways=(), save=self.options.save_weights)])
            for outcome in tried or ():
                self.problems += (replace(p, target=self.job.text) for p in outcome.problems)

    def _timed(self, version: Version) -> tuple[Timing, ...]:
        """How long the model and the changed layers, together, take: original and rewritten."""
        if not self.options.runs:
            return ()
        tried = self._try([replace(version, texts={}, ways=(), save=None, runs=self.options.runs)])
        return () if tried is None else tuple(_summed(tried[0].timings))


def _sums(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(first for first, _ in pairs), sum(second for _, second in pairs)


def _summed(timings: Sequence[Timing]) -> Iterator[Timing]:
    """Of each layout the timing of the model, and the sum of those of its layers."""
    for layout in dict.fromkeys(timing.layout for timing in timings):
        here = [timing for timing in timings if timing.layout == layout]
        layers = [timing for timing in here if timing.what != "model"]
        if layers:
            before, after = [t.before for t in layers], [t.after for t in layers]
            yield replace(layers[0], what="layers", before=_sums(before), after=_sums(after))
        yield from (timing for timing in here if timing.what == "model")


def _costs_more(params: float, macs: float) -> str:
    if params == macs == 0:
        return "it would save nothing"
    more = "parameters" if params < 0 else "multiply-accumulates"
    return f"it would take more {more}"


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
        site=candidate.site,
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
