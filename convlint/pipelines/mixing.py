"""Grouped proposals that nothing mixes: found before a run, and mended by a channel shuffle, or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlint.analysis import ops
from convlint.ir import Graph, Node
from convlint.pipelines.proposals import Proposal, suggestion_of
from convlint.rewriting.alternatives import with_form
from convlint.rewriting.base import KindOptions
from convlint.rewriting.drafts import apply_drafts
from convlint.rewriting.project import Project
from convlint.rules.registry import rule
from convlint.support.dataclass import replace

_CODE = "CVL501"
_RULE = "CVL307"


def unmixed(graph: Graph | None, parts: Sequence[Proposal]) -> dict[int, str]:
    """The numbers of the parts that follow a layer with the same groups, each with what convlint would report.

    The rule reads the graph of the original with the groups that its layers would get.
    """
    changes = [change for part in parts for change in part.suggestion.changes if change.replacement.code == _CODE]
    forms = {change.layer: change.replacement for change in changes}
    if graph is None or len(forms) < 2:  # a single one follows no other
        return {}
    nodes = [
        _with_groups(n, forms[n.layer].groups) if n.layer in forms and n.op in ops.CONVS else n for n in graph.nodes
    ]
    known = {finding.module for finding in rule(_RULE).check(graph)}
    found: dict[int, str] = {}
    for finding in rule(_RULE).check(replace(graph, nodes=tuple(nodes))):
        for part in parts:
            form = forms.get(finding.module or "")
            if (
                finding.module in part.suggestion.instances
                and form
                and not form.shuffled
                and finding.module not in known
            ):
                found.setdefault(part.number, f"it brings {_RULE}: {finding.message}")
    return found


def _with_groups(node: Node, groups: int) -> Node:
    return replace(node, attrs={**node.attrs, "groups": groups})


def mended(
    proposals: Sequence[Proposal], linted: Mapping[int, str], project: Project, options: KindOptions, *, shuffle: bool
) -> tuple[list[Proposal], list[Proposal]]:
    """The proposals without findings, and those that were left out.

    Where ``shuffle`` and the text allow it, a channel shuffle comes before the layer. Of the others the half that saves
    less is left out: the rest may bring no finding without them.
    """
    shuffled = {}
    for each in proposals:
        if shuffle and _RULE in linted.get(each.number, ""):
            shuffled[each.number] = _shuffled(each, project, options)
    if any(shuffled.values()):
        return [shuffled.get(each.number) or each for each in proposals], []
    left = sorted((p for p in proposals if p.number in linted), key=lambda p: p.suggestion.saved.params)
    out = left[: (len(left) + 1) // 2]
    return [each for each in proposals if each not in out], out


def _shuffled(proposal: Proposal, project: Project, options: KindOptions) -> Proposal | None:
    """The proposal with a channel shuffle before its layers; None if the call cannot be written so."""
    candidate = proposal.candidate
    if candidate.form.code != _CODE or candidate.form.shuffled or candidate.place is None or not candidate.drafts:
        return None
    changed = with_form(candidate, replace(candidate.form, shuffled=True), options)
    for position, draft in enumerate(changed.drafts):
        written = apply_drafts([draft], project)
        if not isinstance(written, str):
            rest = changed.drafts[position + 1 :]
            return Proposal(changed, draft, rest, written, suggestion_of(changed, written))
    return None
