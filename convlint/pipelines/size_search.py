"""The rewrites with the least error at a size: forms judged in the worker, and chosen for all calls together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convlint.ir import Costs, DataEvidence, Graph, ModelVersion
from convlint.pipelines.model_versions import VersionRunner
from convlint.rewriting.alternatives import Sized, beyond_error, sized, smallest_error, studied_calls, within_error
from convlint.rewriting.candidates import Candidate
from convlint.rewriting.options import SuggestOptions
from convlint.support.dataclass import replace

_KINDS = ("tucker", "low-rank", "depthwise-separable")  # sets of one kind that are compared with the mixed one


def search(
    versions: VersionRunner,
    found: Sequence[Candidate],
    options: SuggestOptions,
    graph: Graph,
    totals: Costs,
    refuse: Callable[[Candidate, str], None],
) -> list[Candidate] | None:
    """At most one candidate for each call, together of the size or within the error; None if nothing was judged.

    ``refuse`` gets a candidate of each call of which no form is within the error, and the reason.
    With data the set of all kinds is compared with sets of one kind, by the output error of the whole model.
    """
    if options.max_error is None and options.goal.reached(totals):
        for candidate in found:
            refuse(candidate, f"the model has at most {options.goal.in_words} already")
        return []
    calls = studied_calls(found, options.kind_options, graph)
    if not calls:
        return None
    purpose = f"judging {sum(len(call.forms) for call in calls)} forms of layers"
    runs = versions.run_versions([ModelVersion(study=calls, weights=options.weights, data=options.data)], purpose)
    if runs is None:
        return None
    if runs[0].problems and options.data is not None:
        versions.note(runs[0].problems)
        runs = versions.run_versions([ModelVersion(study=calls, weights=options.weights)])
        if runs is None:
            return None
        options = replace(options, data=None)
    judged = list(sized(found, runs[0].studied, options.kind_options))
    if not judged:
        return None
    if options.max_error is not None:
        for each in beyond_error(judged, options.max_error):
            refuse(each.candidate, f"the error would be {each.largest:.0%} or more, and --max-error is lower")
        return [each.candidate for each in within_error(judged, options.max_error, totals)]
    best = smallest_error(judged, totals, options.goal)
    if options.data is not None:
        best = _compared(versions, [best, *_of_one_kind(judged, options, totals)], options)
    return [each.candidate for each in best]


def _of_one_kind(judged: Sequence[Sized], options: SuggestOptions, totals: Costs) -> list[list[Sized]]:
    """The sets of one kind that reach the goal."""
    sets = []
    for name in _KINDS:
        chosen = smallest_error([each for each in judged if each.candidate.kind.name == name], totals, options.goal)
        saved = sum((each.saved for each in chosen), Costs())
        if chosen and options.goal.reached(totals - saved):
            sets.append(chosen)
    return sets


def _compared(versions: VersionRunner, sets: Sequence[list[Sized]], options: SuggestOptions) -> list[Sized]:
    """The set whose model is nearest to the original on the data."""
    unique = list({tuple(id(each) for each in chosen): chosen for chosen in sets if chosen}.values())
    if len(unique) < 2:
        return sets[0]
    asked = [versions.on_data([each.candidate for each in chosen], options) for chosen in unique]
    runs = versions.run_versions(asked, "converting the weights in several ways")
    if runs is None or any(run.evidence is None for run in runs):
        return sets[0]
    errors = [_error(run.evidence) for run in runs]
    return unique[errors.index(min(errors))]


def _error(evidence: DataEvidence | None) -> float:
    return evidence.output_errors[-1] if evidence is not None and evidence.output_errors else float("inf")
