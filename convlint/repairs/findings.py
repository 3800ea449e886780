"""A cause as a finding: the guilty line, both numbers, the repair that was tried, and where the program first fails."""

from __future__ import annotations

from typing import Literal

from convlint.analysis.diagnosis import Disagreement, messages
from convlint.ir import Finding, Fix, Related, Repair, Site
from convlint.repairs.candidates import Candidate
from convlint.repairs.search import Explanation

Verified = Literal["run", "static"]

_EFFECTS = {"static": "static analysis then finds no error here", "run": "the model then runs"}


def repaired(cause: Explanation, verified: Verified) -> Finding:
    """The finding of a cause: at the line of its repair, unchanged if no repair was found."""
    finding = cause.conflict.finding
    if cause.repair is None:
        return finding.with_(graph=None)
    candidate = cause.repair
    graph = cause.conflict.graph
    site = _site(candidate)
    blamed = _blamed(cause, site)
    edits = (candidate.edit,)
    repair = Repair(candidate.title, edits, verified, _EFFECTS[verified])
    related = messages.related(graph, blamed)
    instances = tuple(
        dict.fromkeys(name for id in blamed.nodes for name in [graph.nodes[id].layer] if name is not None)
    )
    return finding.with_(
        message=messages.message(graph, blamed, _advice(candidate)),
        site=site,
        module=graph.nodes[candidate.vote.node].layer or finding.module,
        related=(*_first_failure(cause, site), *related),
        fix=Fix(candidate.title, "unsafe", edits),
        repairs=(repair,),
        instances=instances or finding.instances,
        graph=None,
    )


def _advice(candidate: Candidate) -> str | None:
    """The edit in words; None where the number that the layer needs says it as well."""
    number = candidate.number
    is_argument = number.place.depth == 0 and number.role == "argument"
    if is_argument and candidate.edit.text == str(candidate.right):
        return None
    return f"; {candidate.title}"


def _site(candidate: Candidate) -> Site:
    """The call in which the number is an argument, else the number itself."""
    if candidate.number.role in ("argument", "operand"):
        return candidate.number.frame
    return candidate.number.site


def _blamed(cause: Explanation, site: Site) -> Disagreement:
    """The conflict as a disagreement that blames the repaired number."""
    candidate, node = cause.repair, cause.conflict.node
    assert candidate is not None
    assert node is not None
    nodes = (
        node,
        *(other.node for other in cause.settled if other.node is not None and other.graph is cause.conflict.graph),
    )
    for disagreement in messages.disagreements_at(cause.conflict.graph, [node]):
        votes = [vote for vote, _ in disagreement.wrong]
        others = [v for v in (*votes, *disagreement.others) if v.frames != candidate.vote.frames]
        return Disagreement(site, ((candidate.vote, candidate.right),), tuple(others), nodes)
    return Disagreement(site, ((candidate.vote, candidate.right),), (), nodes)


def _first_failure(cause: Explanation, site: Site) -> tuple[Related, ...]:
    """The operation that fails first, where it is on another line."""
    conflict = cause.conflict
    failing = None if conflict.node is None else conflict.graph.nodes[conflict.node].site
    if failing is None or (failing.path, failing.line) == (site.path, site.line):
        return ()
    return (Related("first fails here", failing),)
