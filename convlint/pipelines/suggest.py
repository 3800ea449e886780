"""Suggest rewrites: run the model, write each candidate, verify it by a run, and choose the set to propose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from convlint.analysis import cost
from convlint.ir import Costs, Graph, Model, Refusal, Report, RewrittenSet, Suggestion, Verification, VersionRun
from convlint.pipelines.model_versions import RunVersions, VersionRunner
from convlint.rewriting.base import Draft
from convlint.rewriting.candidates import Candidate, find_candidates, live_candidates
from convlint.rewriting.drafts import EditedFiles, apply_drafts
from convlint.rewriting.kinds import kinds as all_kinds
from convlint.rewriting.options import SuggestOptions
from convlint.rewriting.selection import Goal, best_set, ranked, score
from convlint.rewriting.verification import verify
from convlint.settings.jobs import Job
from convlint.support.dataclass import dataclass, replace
from convlint.support.errors import UsageError

_BATCH = 6  # versions that one process runs after importing the libraries once


def suggest(job: Job, run: RunVersions, options: SuggestOptions, *, live: bool = False) -> Report:
    """Suggest verified rewrites of the model of a job; refusals explain why other layers stay as they are.

    ``live``: the model has been built already, so its layers are rewritten one by one instead of source code. Errors
    of the model are problems in the report. Raises UsageError if libcst, which edits text, is not installed.
    """
    if not live and find_spec("libcst") is None:
        raise UsageError("suggest needs libcst: pip install 'convlint[torch]' (or libcst)")
    return _Search(job, run, options, live=live).report()


@dataclass(frozen=True, slots=True)
class _Verified:
    """A candidate that was verified, with the draft that was written."""

    candidate: Candidate
    draft: Draft
    written: EditedFiles
    run: VersionRun
    suggestion: Suggestion


class _Search:
    def __init__(self, job: Job, run: RunVersions, options: SuggestOptions, *, live: bool) -> None:
        self.live = live
        self.options = options
        self.versions = VersionRunner(job, run, options.weights)
        self.refused: list[Refusal] = []

    def report(self) -> Report:
        graph = self.versions.run_original(self.options.layers)
        if graph is None:
            return Report(problems=tuple(self.versions.problems))
        model = cost.model_report(graph)
        totals = _totals(model)
        verified = self._verify(self._candidates(graph, totals), totals)
        chosen, rewritten = self._choose(verified, totals)
        suggestions = [chosen.get(each.suggestion, each.suggestion) for each in verified]
        return Report(
            models=(model,),
            problems=tuple(self.versions.problems),
            suggestions=tuple(ranked(suggestions, totals)),
            refusals=tuple(self.refused),
            rewritten=rewritten,
            texts=self.versions.project.texts,
        )

    # --- candidates, each on its own

    def _candidates(self, graph: Graph, totals: Costs) -> list[Candidate]:
        """The candidates that save enough, the largest savings first."""
        options = self.options
        kinds = [all_kinds()[name] for name in options.kinds] or [
            kind for kind in all_kinds().values() if options.weights or not kind.needs_weights
        ]
        if self.live:
            found, refused = live_candidates(graph, kinds, options.kind_options, options.layers)
        else:
            calls, project = self.versions.original.other_calls, self.versions.project
            found, refused = find_candidates(graph, calls, project, kinds, options.kind_options, options.layers)
        self.refused += refused
        worthwhile = []
        for candidate in sorted(found, key=lambda candidate: -score(candidate.changes, totals)):
            saved = sum((change.before - change.after for change in candidate.changes), Costs())
            shares = saved.params / max(totals.params, 1), saved.macs / max(totals.macs, 1)
            if min(shares) < 0 or max(shares) == 0:
                self._refuse(candidate, _costs_more(*shares))
            elif max(shares) < options.min_saving:
                self._refuse(candidate, f"it would save only {max(shares):.1%} of the model")
            else:
                worthwhile.append(candidate)
        return worthwhile

    def _refuse(self, candidate: Candidate, reason: str) -> None:
        names = tuple(change.layer for change in candidate.changes)
        self.refused.append(Refusal(candidate.kind.code, candidate.site, names, reason))

    def _verify(self, found: list[Candidate], totals: Costs) -> list[_Verified]:
        """The candidates that are verified by a run, at most ``--top`` of them."""
        verified: list[_Verified] = []
        top = self.options.top
        while found and (top is None or len(verified) < top):
            count = _BATCH if top is None else min(_BATCH, top - len(verified))
            verified += self._verify_batch(found[:count])
            found = found[count:]
        return sorted(verified, key=lambda each: -score(each.suggestion.changes, totals))

    def _verify_batch(self, batch: Sequence[Candidate]) -> Iterator[_Verified]:
        """Run candidates together, each with its first draft that can be written and verified."""
        left = [(candidate, list(candidate.drafts)) for candidate in batch]
        while left:
            attempts = []
            for candidate, drafts in left:
                if not drafts:
                    self._refuse(candidate, "this call cannot be rewritten")
                    continue
                draft = drafts.pop(0)
                rewrite = apply_drafts([draft], self.versions.project)
                while isinstance(rewrite, str) and drafts:
                    draft = drafts.pop(0)
                    rewrite = apply_drafts([draft], self.versions.project)
                if isinstance(rewrite, str):
                    self._refuse(candidate, candidate.otherwise or rewrite)
                else:
                    version = self.versions.version(rewrite, [candidate])
                    attempts.append((candidate, drafts, draft, rewrite, version))
            runs = self.versions.run_versions([version for *_, version in attempts]) if attempts else ()
            if runs is None:
                return
            left = []
            for (candidate, drafts, draft, rewrite, version), run in zip(attempts, runs, strict=True):
                verification = verify(candidate.changes, self.versions.original, run)
                if isinstance(verification, Verification):
                    suggestion = _suggestion(candidate, rewrite, verification, run)
                    suggestion = replace(suggestion, latency=self.versions.measure(version, self.options.runs))
                    yield _Verified(candidate, draft, rewrite, run, suggestion)
                elif drafts:
                    left.append((candidate, drafts))
                else:
                    self._refuse(candidate, candidate.otherwise or verification)

    # --- the set

    def _choose(
        self, verified: Sequence[_Verified], totals: Costs
    ) -> tuple[dict[Suggestion, Suggestion], RewrittenSet | None]:
        """Choose the suggestions to propose together: each with its form in the set, and the rewritten model."""
        chosen = best_set([each.suggestion for each in verified], totals, self.options.goal)
        while chosen:
            parts = [each for each in verified if each.suggestion in chosen]
            rewrite = apply_drafts([part.draft for part in parts], self.versions.project)
            rewritten = rewrite if isinstance(rewrite, str) else self._verify_set(rewrite, parts, totals)
            if not isinstance(rewritten, str):
                return rewritten
            half = chosen[: len(chosen) // 2]  # two of the suggestions are incompatible
            for suggestion in chosen[len(half) :]:
                text = f"incompatible with the other suggestions: {rewritten}"
                self.refused.append(Refusal(suggestion.code, suggestion.site, suggestion.instances, text))
            chosen = half
        return {}, None

    def _verify_set(
        self, rewrite: EditedFiles, parts: Sequence[_Verified], totals: Costs
    ) -> tuple[dict[Suggestion, Suggestion], RewrittenSet] | str:
        """Run the model with all ``parts``; returns the reason if they are incompatible."""
        version = self.versions.version(rewrite, [part.candidate for part in parts])
        runs = (parts[0].run,) if len(parts) == 1 else self.versions.run_versions([version])
        if runs is None:
            return "the run failed"
        (run,) = runs
        changes = [change for part in parts for change in part.suggestion.changes]
        verified = verify(changes, self.versions.original, run)
        if isinstance(verified, str) or run.graph is None:
            return str(verified)
        if self.options.save_weights is not None:
            self.versions.save_weights(version, self.options.save_weights)
        after = _totals(cost.model_report(run.graph))
        timings = self.versions.measure(version, self.options.runs)
        suggestions = {part.suggestion: _in_set(part.suggestion, run) for part in parts}
        return suggestions, RewrittenSet(
            before=totals,
            after=after,
            diff=rewrite.diff,
            files=rewrite.files,
            verified=verified,
            latency=tuple(timing for timing in timings if timing.subject == "model"),
            goal=_goal(self.options.goal, after),
        )


def _in_set(suggestion: Suggestion, run: VersionRun) -> Suggestion:
    """A chosen suggestion with the weight errors of the whole set: neighbors share channel orders."""
    changes = (replace(c, weight_error=run.weight_errors.get(c.layer)) for c in suggestion.changes)
    return replace(suggestion, chosen=True, changes=tuple(changes))


def _costs_more(params: float, macs: float) -> str:
    if params == macs == 0:
        return "it would save nothing"
    return f"it would need more {'parameters' if params < 0 else 'MACs'}"


def _totals(model: Model) -> Costs:
    maps = sum(row.output_bytes for row in model.layers)
    return Costs(model.totals.params, model.totals.macs, maps, model.totals.saved_bytes)


def _suggestion(candidate: Candidate, rewrite: EditedFiles, verified: Verification, run: VersionRun) -> Suggestion:
    kind, form, errors = candidate.kind, candidate.form, run.weight_errors
    return Suggestion(
        code=form.code,
        name=kind.name,
        title=kind.title(form),
        site=candidate.site,
        changes=tuple(replace(c, weight_error=errors.get(c.layer)) for c in candidate.changes),
        edits=rewrite.edits,
        diff=rewrite.diff,
        verified=verified,
        evidence=kind.evidence,
    )


def _goal(goal: Goal, after: Costs) -> str | None:
    """The result for ``--target-params`` and ``--target-macs`` in words; None without a goal."""
    if not goal:
        return None
    limits = [
        f"{limit:,} {unit}" for limit, unit in ((goal.params, "parameters"), (goal.macs, "MACs")) if limit is not None
    ]
    reached = "reached" if goal.reached(after) else "not reached"
    return f"at most {' and '.join(limits)}: {reached}"
