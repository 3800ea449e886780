"""The pipeline of suggestions: a run -> candidates -> edits, each really run -> the set that is proposed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from convlint.analysis import cost
from convlint.ir import (
    Costs,
    Graph,
    Model,
    Refusal,
    Report,
    RewrittenSet,
    Suggestion,
    Verification,
    VersionRun,
)
from convlint.pipelines.model_versions import Runs, Trials
from convlint.rewriting.base import Draft
from convlint.rewriting.candidates import Candidate, candidates, of_live_model
from convlint.rewriting.drafts import Written, written
from convlint.rewriting.kinds import kinds as all_kinds
from convlint.rewriting.options import Options
from convlint.rewriting.selection import Goal, ranked, together, worth
from convlint.rewriting.verification import verify
from convlint.settings.jobs import Job
from convlint.support.errors import UsageError

_AT_ONCE = 6  # versions of one process that has the libraries loaded


def suggest(job: Job, run: Runs, options: Options, *, live: bool = False) -> Report:
    """Rewrites of a model that were run, and what could not be rewritten. Never raises for what the model does.

    ``live``: the model was built before, so its layers are rewritten one by one, and no text. Raises UsageError if
    libcst, which edits text, is not installed.
    """
    if not live and find_spec("libcst") is None:
        raise UsageError("suggest needs libcst: pip install 'convlint[torch]' (or libcst)")
    return _Search(job, run, options, live=live).report()


@dataclass(frozen=True, slots=True)
class _Proved:
    """A candidate, as it was written when it held."""

    candidate: Candidate
    draft: Draft
    written: Written
    outcome: VersionRun
    suggestion: Suggestion


class _Search:
    def __init__(self, job: Job, run: Runs, options: Options, *, live: bool) -> None:
        self.live = live
        self.options = options
        self.trials = Trials(job, run, options.weights)
        self.refused: list[Refusal] = []

    def report(self) -> Report:
        """Do it all."""
        graph = self.trials.explored(self.options.layers)
        if graph is None:
            return Report(problems=tuple(self.trials.problems))
        model = cost.model_report(graph)
        totals = _totals(model)
        proved = self._proved(self._candidates(graph, totals), totals)
        chosen, rewritten = self._set(proved, totals)
        suggestions = [chosen.get(one.suggestion, one.suggestion) for one in proved]
        return Report(
            models=(model,),
            problems=tuple(self.trials.problems),
            suggestions=tuple(ranked(suggestions, totals)),
            refusals=tuple(self.refused),
            rewritten=rewritten,
            texts=self.trials.project.texts,
        )

    # --- candidates, each for itself

    def _candidates(self, graph: Graph, totals: Costs) -> list[Candidate]:
        """What could be made, the most worthwhile first."""
        options = self.options
        wanted = [all_kinds()[name] for name in options.kinds] or list(all_kinds().values())
        if self.live:
            found, refused = of_live_model(graph, wanted, options.wishes, options.layers)
        else:
            found, refused = candidates(
                *(
                    graph,
                    self.trials.original.other_calls,
                    self.trials.project,
                    wanted,
                    options.wishes,
                    options.layers,
                )
            )
        self.refused += refused
        kept = []
        for one in sorted(found, key=lambda one: -worth(one.changes, totals)):
            saved = sum((change.before - change.after for change in one.changes), Costs())
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

    def _proved(self, found: list[Candidate], totals: Costs) -> list[_Proved]:
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
                made = written([draft], self.trials.project)
                while isinstance(made, str) and drafts:
                    draft = drafts.pop(0)
                    made = written([draft], self.trials.project)
                if isinstance(made, str):
                    self._refuse(candidate, candidate.otherwise or made)
                else:
                    trials.append((candidate, drafts, draft, made))
            versions = [self.trials.version(made, [candidate]) for candidate, _, _, made in trials]
            tried = self.trials.tried(versions) if versions else ()
            if tried is None:
                return
            left = []
            for (candidate, drafts, draft, made), outcome in zip(trials, tried, strict=True):
                verified = verify(candidate.changes, self.trials.original, outcome)
                if isinstance(verified, Verification):
                    suggestion = _suggestion(candidate, made, verified, outcome)
                    latency = self.trials.timed(
                        self.trials.version(made, [candidate]), self.options.runs
                    )
                    suggestion = replace(suggestion, latency=latency)
                    yield _Proved(candidate, draft, made, outcome, suggestion)
                elif drafts:
                    left.append((candidate, drafts))
                else:
                    self._refuse(candidate, candidate.otherwise or verified)

    # --- the set

    def _set(
        self, proved: Sequence[_Proved], totals: Costs
    ) -> tuple[dict[Suggestion, Suggestion], RewrittenSet | None]:
        """The suggestions that are proposed together, each as it is in the set, and what they make of the model."""
        chosen = together([one.suggestion for one in proved], totals, self.options.goal)
        while chosen:
            parts = [one for one in proved if one.suggestion in chosen]
            made = written([one.draft for one in parts], self.trials.project)
            found = made if isinstance(made, str) else self._together(made, parts, totals)
            if not isinstance(found, str):
                return found
            kept = chosen[: len(chosen) // 2]  # two of them do not go together
            for one in chosen[len(kept) :]:
                text = f"it is not proposed beside the others: {found}"
                self.refused.append(Refusal(one.code, one.site, one.instances, text))
            chosen = kept
        return {}, None

    def _together(
        self, made: Written, parts: Sequence[_Proved], totals: Costs
    ) -> tuple[dict[Suggestion, Suggestion], RewrittenSet] | str:
        """The model with all these, run; or why they do not go together."""
        version = self.trials.version(made, [one.candidate for one in parts])
        tried = (parts[0].outcome,) if len(parts) == 1 else self.trials.tried([version])
        if tried is None:
            return "it gave no answer"
        (outcome,) = tried
        changes = [change for one in parts for change in one.suggestion.changes]
        verified = verify(changes, self.trials.original, outcome)
        if isinstance(verified, str) or outcome.graph is None:
            return str(verified)
        if self.options.save_weights is not None:
            self.trials.save_weights(version, self.options.save_weights)
        after = _totals(cost.model_report(outcome.graph))
        timings = self.trials.timed(version, self.options.runs)
        return {
            one.suggestion: _in_the_set(one.suggestion, outcome) for one in parts
        }, RewrittenSet(
            before=totals,
            after=after,
            diff=made.diff,
            files=made.files,
            verified=verified,
            latency=tuple(timing for timing in timings if timing.subject == "model"),
            goal=_goal(self.options.goal, after),
        )


def _in_the_set(suggestion: Suggestion, outcome: VersionRun) -> Suggestion:
    """A chosen suggestion with the errors of weights in the whole set: neighbours share the orders of channels."""
    errors = outcome.weight_errors
    changes = (replace(c, weight_error=errors.get(c.layer)) for c in suggestion.changes)
    return replace(suggestion, chosen=True, changes=tuple(changes))


def _costs_more(params: float, macs: float) -> str:
    if params == macs == 0:
        return "it would save nothing"
    more = "parameters" if params < 0 else "multiply-accumulates"
    return f"it would take more {more}"


def _totals(model: Model) -> Costs:
    maps = sum(row.output_bytes for row in model.layers)
    return Costs(model.totals.params, model.totals.macs, maps, model.totals.saved_bytes)


def _suggestion(
    candidate: Candidate, made: Written, verified: Verification, outcome: VersionRun
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


def _goal(goal: Goal, after: Costs) -> str | None:
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
