"""Suggest rewrites: run the model, estimate every candidate, choose the set to propose, and verify it by a run.

Only what is proposed is run; alternatives are estimated. With trained weights every candidate is run, because the error
of its converted weights decides which is chosen.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from convlint.analysis import cost
from convlint.ir import (
    Consequence,
    Costs,
    DataEvidence,
    Graph,
    ModelVersion,
    Refusal,
    Report,
    RewrittenSet,
    SetEstimate,
    Suggestion,
    Verification,
)
from convlint.pipelines import consequences, mixing, size_search
from convlint.pipelines.model_versions import RunVersions, VersionRunner
from convlint.pipelines.proposals import (
    Proposal,
    costs_more,
    goal_in_words,
    in_set,
    new_findings,
    shared_attributes,
    suggestion_of,
    totals_of,
    with_run,
    with_shared_classes,
)
from convlint.rewriting import own_blocks
from convlint.rewriting.base import Draft
from convlint.rewriting.candidates import Candidate, find_candidates, live_candidates
from convlint.rewriting.drafts import EditedFiles, apply_drafts
from convlint.rewriting.kinds import kinds as all_kinds
from convlint.rewriting.options import SuggestOptions
from convlint.rewriting.selection import Goal, best_set, front, ranked, score
from convlint.rewriting.verification import verify
from convlint.settings.jobs import Job
from convlint.support.dataclass import replace
from convlint.support.errors import UsageError

_BATCH = 6  # versions that one process runs after importing the libraries once


def suggest(job: Job, run: RunVersions, options: SuggestOptions, *, live: bool = False) -> Report:
    """Suggest verified rewrites of the model of a job; refusals explain why other layers stay as they are.

    ``live``: the model has been built already, so its layers are rewritten one by one instead of source code. Errors
    of the model are problems in the report. Raises UsageError if libcst, which edits text, is not installed.
    """
    if not live and find_spec("libcst") is None:
        raise UsageError("suggest needs libcst: pip install libcst")
    return _Search(job, run, options, live=live).report()


class _Search:
    def __init__(self, job: Job, run: RunVersions, options: SuggestOptions, *, live: bool) -> None:
        self.live = live
        self.searched = False  # the candidates were chosen for their size and error already
        self.options = options
        self.versions = VersionRunner(job, run, options.weights)
        self.refused: list[Refusal] = []
        self.linted: dict[int, str] = {}  # proposals that bring a finding of convlint, and which

    def report(self) -> Report:
        if not self.live:  # libcst takes a quarter of a second, in which the original runs
            threading.Thread(target=importlib.import_module, args=("convlint.rewriting.helpers",), daemon=True).start()
        graph = self.versions.run_original(self.options.layers, () if self.live else consequences.MODULES)
        if graph is None:
            return Report(problems=tuple(self.versions.problems))
        model = cost.model_report(graph)
        totals = totals_of(model)
        found = self._candidates(graph, totals)
        if self.options.weights and not self.live and (self.options.goal or self.options.max_error is not None):
            searched = size_search.search(self.versions, found, self.options, graph, totals, self._refuse)
            if searched is not None:
                found, self.searched = searched, True
        proposals = self._estimated(found)
        if self.options.weights is not None or self.options.prove_all:
            proposals = self._verified(proposals)
        proposals, chosen, rewritten = self._choose(proposals, totals)
        suggestions = [chosen.get(each.suggestion, each.suggestion) for each in proposals]
        if not self.live:
            parts = [each for each in proposals if each.suggestion in chosen]
            suggestions = [*with_shared_classes(suggestions, proposals, parts, self.versions.project)]
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
        kind_options = replace(options.kind_options, weights=options.weights is not None or self.live)
        kinds = [all_kinds()[name] for name in options.kinds] or [
            kind for kind in all_kinds().values() if options.weights or not kind.needs_weights
        ]
        if self.live:
            found, refused = live_candidates(graph, kinds, kind_options, options.layers)
        else:
            calls, project = self.versions.original.other_calls, self.versions.project
            found, refused = find_candidates(graph, calls, project, kinds, kind_options, options.layers)
            if not options.weights:  # they could not be converted
                found = own_blocks.preferred(found, graph, project, kind_options)
        self.refused += refused
        worthwhile = []
        for candidate in sorted(found, key=lambda candidate: -score(candidate.changes, totals)):
            saved = sum((change.before - change.after for change in candidate.changes), Costs())
            shares = saved.params / max(totals.params, 1), saved.macs / max(totals.macs, 1)
            if min(shares) < 0 or max(shares) == 0:
                self._refuse(candidate, costs_more(*shares))
            elif max(shares) < options.min_saving:
                self._refuse(candidate, f"it would save only {max(shares):.1%} of the model")
            else:
                worthwhile.append(candidate)
        return worthwhile

    def _refuse(self, candidate: Candidate, reason: str) -> None:
        names = tuple(change.layer for change in candidate.changes)
        self.refused.append(Refusal(candidate.kind.code, candidate.site, names, reason))

    def _estimated(self, found: Sequence[Candidate]) -> list[Proposal]:
        """The candidates that can be written, at most ``--top`` of them."""
        proposals: list[Proposal] = []
        for candidate in found:
            if self.options.top is not None and len(proposals) == self.options.top:
                break
            if (proposal := self._written(candidate, candidate.drafts)) is not None:
                proposals.append(proposal)
        return proposals

    def _written(self, candidate: Candidate, drafts: Sequence[Draft]) -> Proposal | None:
        """The proposal with the first draft that can be written; None, and a refusal, if there is none."""
        reason = "this call cannot be rewritten"
        for position, draft in enumerate(drafts):
            rewrite = apply_drafts([draft], self.versions.project)
            if not isinstance(rewrite, str):
                suggestion = suggestion_of(candidate, rewrite)
                return Proposal(candidate, draft, tuple(drafts[position + 1 :]), rewrite, suggestion)
            reason = rewrite
        if candidate.fallback is not None:
            return self._written(candidate.fallback, candidate.fallback.drafts)
        self._refuse(candidate, candidate.otherwise or reason)
        return None

    # --- verification, each on its own

    def _verified(self, proposals: Sequence[Proposal]) -> list[Proposal]:
        """The proposals that a run verifies, each with its first draft that can be."""
        verified: list[Proposal] = []
        left = list(proposals)
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            purpose = f"verifying {len(batch)} of {_count(len(batch) + len(left))}"
            runs = self.versions.run_versions([self._version([each]) for each in batch], purpose)
            if runs is None:
                break
            failed = []
            for proposal, run in zip(batch, runs, strict=True):
                verification = verify(proposal.candidate.changes, self.versions.original, run)
                if isinstance(verification, Verification):
                    verified.append(with_run(proposal, verification, run))
                    continue
                more = proposal.left or proposal.candidate.fallback
                another = self._written(proposal.candidate, proposal.left) if more else None
                if another is not None:
                    failed.append(another)
                elif not more:
                    self._refuse(proposal.candidate, proposal.candidate.otherwise or verification)
            left = failed + left
        return verified

    def _version(self, parts: Sequence[Proposal], written: EditedFiles | None = None) -> ModelVersion:
        return self.versions.version(written or parts[0].written, [part.candidate for part in parts])

    # --- the set

    def _choose(
        self, proposals: list[Proposal], totals: Costs
    ) -> tuple[list[Proposal], dict[Suggestion, Suggestion], RewrittenSet | None]:
        """Choose the suggestions to propose together: each with its form in the set, and the rewritten model.

        Those that bring a finding of convlint itself are not proposed. Where they do not work together, each is run on
        its own, and those that fail are replaced.
        """
        limit: int | None = None
        goal = Goal() if self.searched else self.options.goal
        while chosen := best_set([each.suggestion for each in proposals], totals, goal)[:limit]:
            parts = [each for each in proposals if each.suggestion in chosen]
            self.linted = mixing.unmixed(self.versions.original.graph, parts)
            if not self.linted:
                rewrite = apply_drafts([part.draft for part in parts], self.versions.project)
                rewritten = rewrite if isinstance(rewrite, str) else self._verify_set(rewrite, parts, totals)
                if not isinstance(rewritten, str):
                    suggestions, together = rewritten
                    return proposals, suggestions, replace(together, front=self._front(proposals, suggestions, totals))
            if self.linted:
                proposals, dropped = self._mended(proposals, self.linted)
                for part in dropped:
                    self._refuse(part.candidate, self.linted[part.number])
                continue
            if all(part.run is not None for part in parts):
                for suggestion in chosen[len(chosen) // 2 :]:  # two of the suggestions are incompatible
                    text = f"incompatible with the other suggestions: {rewritten}"
                    self.refused.append(Refusal(suggestion.code, suggestion.site, suggestion.instances, text))
                limit = len(chosen) // 2
                continue
            tried = {part.number for part in parts}
            proposals = [each for each in proposals if each.number not in tried] + self._verified(parts)
        return proposals, {}, None

    def _mended(
        self, proposals: Sequence[Proposal], linted: Mapping[int, str]
    ) -> tuple[list[Proposal], list[Proposal]]:
        """The proposals with channel shuffles or without those that bring findings, and the latter."""
        shuffle = not self.live and not self.options.weights  # a shuffle would change what trained weights compute
        options = self.options.kind_options
        return mixing.mended(proposals, linted, self.versions.project, options, shuffle=shuffle)

    def _front(
        self, proposals: Sequence[Proposal], chosen: Mapping[Suggestion, Suggestion], totals: Costs
    ) -> tuple[SetEstimate, ...]:
        """The sets to compare the chosen one with; none of them brings a finding that can be known without a run."""
        grouped = [each for each in proposals if each.suggestion.code == "CVL501"]
        others = [each for each in proposals if each not in grouped]
        while linted := mixing.unmixed(self.versions.original.graph, grouped):
            grouped, _ = self._mended(grouped, linted)
        compared = [chosen.get(each.suggestion, each.suggestion) for each in (*others, *grouped)]
        return front(compared, list(chosen.values()), totals)

    def _verify_set(
        self, rewrite: EditedFiles, parts: Sequence[Proposal], totals: Costs
    ) -> tuple[dict[Suggestion, Suggestion], RewrittenSet] | str:
        """Run the model with all ``parts``; returns the reason if they are incompatible."""
        project = None if self.live else consequences.Consequences(self.versions)
        version = self._version(parts, rewrite)
        probed = replace(version, probes=project.probes if project else ())
        runs = self.versions.run_versions([probed], f"verifying {_count(len(parts))}")
        if runs is None:
            return "the run failed"
        (run,) = runs
        changes = [change for part in parts for change in part.suggestion.changes]
        verified = verify(changes, self.versions.original, run)
        if isinstance(verified, str) or run.graph is None:
            return str(verified)
        self.linted = new_findings(self.versions.original.graph, run.graph, parts)
        if self.linted:
            return next(iter(self.linted.values()))
        data = self._on_data(parts, version)
        if self.options.save_weights is not None and data is None:
            self.versions.save_weights(version, self.options.save_weights)
        after = totals_of(cost.model_report(run.graph))
        timings = self.versions.measure(version, self.options.runs)
        works: tuple[str, ...] = ()
        broken: tuple[Consequence, ...] = ()
        if project is not None:
            works, broken = project.of(run, [part.suggestion for part in parts], shared_attributes(parts))
        suggestions = {part.suggestion: in_set(part.suggestion, run, verified, timings) for part in parts}
        return suggestions, RewrittenSet(
            before=totals,
            after=after,
            diff=rewrite.diff,
            files=rewrite.files,
            verified=verified,
            latency=tuple(timing for timing in timings if timing.subject == "model"),
            goal=goal_in_words(self.options.goal, after),
            data=data,
            works=works,
            consequences=broken,
        )

    def _on_data(self, parts: Sequence[Proposal], version: ModelVersion) -> DataEvidence | None:
        """Convert the model on the user's data, and load the saved checkpoint; None, and a problem, if that fails."""
        if self.options.data is None or self.versions.data_failed:
            return None
        asked = self.versions.on_data([part.candidate for part in parts], self.options, self.options.save_weights)
        runs = self.versions.run_versions([replace(asked, sensitivity=True)], "converting the weights")
        if runs is None:
            return None
        self.versions.note(runs[0].problems)
        if asked.save is not None and runs[0].evidence is not None:
            again = replace(version, weights=asked.save, replacements={}, channel_orders=(), other_calls=())
            loaded = self.versions.run_versions([again])
            self.versions.note(loaded[0].problems if loaded else ())
        return runs[0].evidence


def _count(rewrites: int) -> str:
    return "1 rewrite" if rewrites == 1 else f"{rewrites} rewrites"
