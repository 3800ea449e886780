"""Proposals of ``suggest``: a candidate with the draft that is tried, and the suggestion that it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Costs, Graph, LayerChange, Model, Suggestion, Timing, Verification, VersionRun
from convlint.pipelines import run_models
from convlint.pipelines.model_versions import sum_of_layers
from convlint.rewriting.base import Draft
from convlint.rewriting.candidates import Candidate
from convlint.rewriting.drafts import EditedFiles, apply_drafts
from convlint.rewriting.project import Project
from convlint.rewriting.selection import Goal
from convlint.support.dataclass import dataclass, replace


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate as a suggestion: a draft that could be written, and those that are left if it fails.

    ``run`` is that of the model with this proposal alone, None while its costs are only estimated.
    """

    candidate: Candidate
    draft: Draft
    left: tuple[Draft, ...]
    written: EditedFiles
    suggestion: Suggestion
    run: VersionRun | None = None

    @property
    def number(self) -> int:
        """The identity of the candidate, whose drafts this proposal tries one after the other."""
        return id(self.candidate)


def shared_attributes(parts: Sequence[Proposal]) -> set[str]:
    """The attributes of a convolution that all new classes have."""
    found: dict[str, set[str]] = {}
    for helper in (helper for part in parts for helper in part.draft.helpers if helper.writer is not None):
        names = {name[1:] for name in helper.parameters if name.startswith(".")}
        found.setdefault(helper.name, set()).update(names)  # calls that need one class share it
    return set.intersection(*found.values()) if found else set()


def with_shared_classes(
    suggestions: Sequence[Suggestion], proposals: Sequence[Proposal], parts: Sequence[Proposal], project: Project
) -> Iterator[Suggestion]:
    """The suggestions of proposals, with new classes that have every parameter with which the ``parts`` were run.

    What was run as one of them shares its class with the others, and may need a parameter that only these name. An
    alternative, which was not run, replaces the same calls and may need the same.
    """
    of_class: dict[object, frozenset[str]] = {}
    for helper in (helper for part in parts for helper in part.draft.helpers if helper.writer is not None):
        of_class[helper.writer] = of_class.get(helper.writer, frozenset()) | helper.parameters
    of_all = frozenset[str]().union(*of_class.values())
    for proposal, suggestion in zip(proposals, suggestions, strict=True):
        draft = proposal.draft
        helpers = tuple(
            helper if helper.writer is None else helper.with_parameters(of_class.get(helper.writer, of_all))
            for helper in draft.helpers
        )
        if proposal.run is None and helpers != draft.helpers:
            written = apply_drafts([replace(draft, helpers=helpers)], project)
            if not isinstance(written, str):
                yield replace(suggestion, edits=written.edits, diff=written.diff)
                continue
        yield suggestion


def new_findings(original: Graph | None, graph: Graph, parts: Sequence[Proposal]) -> dict[int, str]:
    """The numbers of the parts whose layers bring a finding of convlint itself, each with the first."""
    known = list(run_models.findings(original)) if original is not None else []
    found: dict[int, str] = {}
    for finding in run_models.findings(graph):
        for part in parts:
            layer = next((c.place for c in part.suggestion.changes if _is_in(finding.module, c.place)), None)
            same = [f for f in known if f.code == finding.code and layer is not None and _is_in(f.module, layer)]
            if layer is not None and not same and finding.severity != "info":
                found.setdefault(part.number, f"it brings {finding.code}: {finding.message}")
    return found


def _is_in(module: str | None, layer: str) -> bool:
    return module is not None and (module == layer or module.startswith(f"{layer}."))


def with_run(proposal: Proposal, verification: Verification, run: VersionRun) -> Proposal:
    """Return a proposal with the result of its own run."""
    changes = _with_errors(proposal.suggestion.changes, run)
    suggestion = replace(proposal.suggestion, verified=verification, changes=changes)
    return replace(proposal, suggestion=suggestion, run=run)


def _with_errors(changes: Sequence[LayerChange], run: VersionRun) -> tuple[LayerChange, ...]:
    return tuple(replace(change, weight_error=run.weight_errors.get(change.layer)) for change in changes)


def in_set(suggestion: Suggestion, run: VersionRun, verified: Verification, timings: Sequence[Timing]) -> Suggestion:
    """A chosen suggestion as the run of the whole set shows it: neighbors share channel orders."""
    changes = _with_errors(suggestion.changes, run)
    latency = tuple(sum_of_layers(timings, suggestion.instances))
    if suggestion.verified is not None:
        verified = suggestion.verified
    return replace(suggestion, chosen=True, changes=changes, verified=verified, latency=latency)


def costs_more(params: float, macs: float) -> str:
    """Return why a rewrite that saves these shares of parameters and MACs is refused."""
    if params == macs == 0:
        return "it would save nothing"
    return f"it would need more {'parameters' if params < 0 else 'MACs'}"


def totals_of(model: Model) -> Costs:
    """Return the parameters, MACs and bytes of a whole model."""
    maps = sum(row.output_bytes for row in model.layers)
    return Costs(model.totals.params, model.totals.macs, maps, model.totals.saved_bytes)


def suggestion_of(candidate: Candidate, rewrite: EditedFiles) -> Suggestion:
    """A candidate with estimated costs."""
    kind, form = candidate.kind, candidate.form
    return Suggestion(
        code=form.code,
        name=kind.name,
        title=kind.title(form),
        site=candidate.site,
        changes=candidate.changes,
        edits=rewrite.edits,
        diff=rewrite.diff,
        verified=None,
        evidence=kind.evidence,
    )


def goal_in_words(goal: Goal, after: Costs) -> str | None:
    """The result for ``--target-params`` and ``--target-macs`` in words; None without a goal."""
    if not goal:
        return None
    reached = "reached" if goal.reached(after) else "not reached"
    return f"at most {goal.in_words}: {reached}"
