"""A cause as a finding: the guilty line, both numbers, the repairs that were tried, and the first failing operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from convlint.analysis import graph_queries
from convlint.analysis.diagnosis import Disagreement, Vote, messages
from convlint.ir import SEVERITIES, Finding, Fix, Graph, Occurrence, Related, Repair, Site
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict_ends import declared_votes
from convlint.repairs.search import Explanation
from convlint.rules.cvl110_merge_shapes import MergeShapes, statement
from convlint.rules.registry import rule_about
from convlint.support.dataclass import replace

Verified = Literal["run", "static"]

CONTRACT = " does not work with these arguments: "
"""What static analysis writes before a message that it moved to the call of a class."""
_MOST_ENDS = 4  # lines of other layers in one finding
_ADVICE = re.compile(r"; use (\w+=)?\d+$")
_EFFECTS = {"static": "static analysis then finds no error here", "run": "the model then runs"}


def repaired(cause: Explanation, verified: Verified, effect: str = "") -> Finding:
    """The finding of a cause: at the line of its first repair."""
    operations = tuple(dict.fromkeys(conflict.frames for conflict in (cause.conflict, *cause.settled)))
    finding = _as_certain_as_all(cause).with_(operations=operations)
    candidate = cause.repair
    if candidate is None:
        return (_without_advice(cause, finding) if cause.refuted else finding).with_(graph=None)
    graph = cause.conflict.graph
    site = candidate.place
    repairs = tuple([Repair(_title(graph, e), e.edits, verified, effect or _EFFECTS[verified]) for e in cause.repairs])
    found = finding.with_(site=site, fix=Fix(repairs[0].title, "unsafe", repairs[0].edits), repairs=repairs, graph=None)
    if candidate.vote is None:
        ends = finding.related if cause.conflict.is_merge else ()
        message = finding.message.partition("; use ")[0]
        if cause.conflict.is_merge and cause.conflict.node is not None and finding.code != MergeShapes.code:
            message = statement(graph, graph.nodes[cause.conflict.node])  # the finding is about a layer that reads it
            found = found.with_(code=MergeShapes.code, name=MergeShapes.name, module=None, instances=())
        return found.with_(message=message, related=(*ends, *_first_failure(cause, site)))
    if cause.conflict.is_merge:
        titled = tuple([replace(r, title=e.title) for r, e in zip(repairs, cause.repairs, strict=True)])
        found = found.with_(fix=Fix(titled[0].title, "unsafe", titled[0].edits), repairs=titled)
        message = finding.message.rpartition(CONTRACT)[2].partition("; use ")[0]
        return found.with_(message=message, related=(*finding.related, *_first_failure(cause, site)))
    blamed = _blamed(cause, candidate.vote, candidate.right, site)
    known = finding.occurrences if finding.site == site else ()
    occurrences = tuple(dict.fromkeys([*known, *_occurrences(cause, site)]))
    # A layer may be known from several programs that contain each other; in one it has one name.
    instances = tuple(dict.fromkeys(each.module for each in occurrences if each.module and graph.layer(each.module)))
    if len(instances) > 1:  # whose argument may have several values
        repairs = (replace(repairs[0], title=candidate.title), *repairs[1:])
    layer = graph.nodes[blamed.wrong[0][0].node].layer
    about = rule_about(messages.reported_call(graph, blamed).op)
    return found.with_(
        code=about.code if about else finding.code,
        name=about.name if about else finding.name,
        message=_part_that_does_not_fit(cause, blamed) or messages.message(graph, blamed, advice="", modules=instances),
        module=layer or finding.module,
        related=(*_ends(graph, blamed), *_first_failure(cause, site)),
        fix=Fix(repairs[0].title, "unsafe", repairs[0].edits),
        repairs=repairs,
        instances=instances or ((layer,) if layer else ()),
        occurrences=occurrences,
    )


def _as_certain_as_all(cause: Explanation) -> Finding:
    """The finding of the conflict of a cause, which is an error if one of the conflicts that it settles is."""
    first = cause.conflict.finding
    findings = (first, *(conflict.finding for conflict in cause.settled))
    most = min(findings, key=lambda each: (SEVERITIES.index(each.severity), each.condition != ""))
    return first.with_(severity=most.severity, condition=most.condition)


def _without_advice(cause: Explanation, finding: Finding) -> Finding:
    """The finding of a cause that no repair settles: at the caller of the line that builds the layer, if that builds
    others that work.
    """
    graph, node = cause.conflict.graph, cause.conflict.node
    layer = None if node is None else graph.layer(graph.nodes[node].layer)
    if layer is None or layer.site is None or finding.site != layer.site:
        return finding
    finding = finding.with_(message=_ADVICE.sub("", finding.message))
    failing = {each.layer for each in graph.nodes if each.error}
    others = [each for each in graph.layers if each.site == layer.site and each.name not in failing]
    if not others or not layer.chain:
        return finding
    built = Related(f"{layer.kind} `{layer.name}` is built here", layer.site)
    return finding.with_(site=layer.chain[0], related=(built, *_first_failure(cause, layer.chain[0])))


def _occurrences(cause: Explanation, site: Site) -> Iterator[Occurrence]:
    """Each failing layer that is built at the line of the cause, and the outermost call that builds it."""
    for conflict in (cause.conflict, *cause.settled):
        node = None if conflict.node is None else conflict.graph.nodes[conflict.node]
        layer = None if node is None else conflict.graph.layer(node.layer)
        if layer is not None and layer.site is not None and site in (layer.site, *layer.chain):
            outermost = (layer.site, *layer.chain)[-1]
            yield Occurrence(outermost.path, outermost.line, layer.name, cause.conflict.finding.target)


def _title(graph: Graph, candidate: Candidate) -> str:
    """The edit in words, with the argument of the layer where the edit is not that argument's number itself."""
    number = candidate.number
    if number is None:
        return candidate.title
    argument = candidate.vote and messages.argument(graph, candidate.vote)
    is_argument = number.place.depth == 0 and number.is_in_the_call
    if argument is None or not is_argument or candidate.edit.text == str(candidate.right):
        return candidate.title
    return f"{argument}={candidate.right} ({candidate.title})"


def _blamed(cause: Explanation, vote: Vote, right: Fraction, site: Site) -> Disagreement:
    """The conflict as a disagreement that blames the repaired number in each failing layer that it builds."""
    graph, node = cause.conflict.graph, cause.conflict.node
    assert node is not None
    nodes = (node, *(other.node for other in cause.settled if other.node is not None and other.graph is graph))
    wrong = tuple([pair for id in nodes for pair in declared_votes(graph, id) if site in pair[0].frames])
    wrong = wrong or ((vote, right),)
    others: list[Vote] = []
    for disagreement in messages.disagreements_at(graph, [node])[:1]:
        votes = [*(each for each, _ in disagreement.wrong), *disagreement.others]
        others = [each for each in votes if each.frames not in [other.frames for other, _ in wrong]]
    return Disagreement(site, wrong, tuple(others), nodes)


def _part_that_does_not_fit(cause: Explanation, blamed: Disagreement) -> str | None:
    """The message about a failing call that reads a part or a concatenation of what the repaired layer returns."""
    graph, node = cause.conflict.graph, cause.conflict.node
    if node is None or any(vote.node == node for vote, _ in blamed.wrong):
        return None
    if blamed.others and graph_queries.concatenation_before(graph, graph.nodes[node]) is None:
        return None
    vote = next((vote for vote, _ in declared_votes(graph, node)), None)
    return None if vote is None else messages.about_input(graph, vote)


def _ends(graph: Graph, blamed: Disagreement) -> tuple[Related, ...]:
    """The lines of the layer that fails and of the nearest layers that contradict it."""
    first, _ = blamed.wrong[0]
    callers = first.frames[1:] if len(blamed.wrong) == 1 else ()  # several modules are listed with their callers
    others: dict[tuple[Site, ...], Vote] = {}
    for vote in blamed.others:
        others.setdefault(vote.frames, vote)
        if vote.node < first.node and vote.label == "out":  # what a layer before the failing one outputs matters there
            others[vote.frames] = vote
    votes = [replace(vote, frames=vote.frames[:1]) for vote in others.values()]
    ends = (replace(first, frames=(*first.frames[:1], *callers)), *votes)
    return messages.related(graph, replace(blamed, others=ends, wrong=()))[:_MOST_ENDS]


def _first_failure(cause: Explanation, site: Site) -> tuple[Related, ...]:
    """The operation that fails first, where it is on another line."""
    conflict = cause.conflict
    failing = None if conflict.node is None else conflict.graph.nodes[conflict.node].site
    if conflict.node is None and conflict.layer is None:
        failing = conflict.finding.site
    if failing is None or (failing.path, failing.line) == (site.path, site.line):
        return ()
    return (Related("first fails here", failing, is_failure=True),)
