"""Defects of classes that are not of a number: ``forward`` forgets a value or a layer, and the repair reads it."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.ir import Finding, Fix, Repair
from convlint.repairs.broken_classes import Check, is_found
from convlint.repairs.budget import Budget
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict import Outcome
from convlint.repairs.slicer import Slicer
from convlint.repairs.value_candidates import forgotten_values_at, other_values_at
from convlint.support.dataclass import replace

_EFFECT = "static analysis then follows the class without an error"


def reread(findings: Sequence[Finding], start: Outcome, check: Check, slicer: Slicer, budget: Budget) -> list[Finding]:
    """The findings, those about classes with the edit of ``forward`` as their repair that settles them, if one does.

    It must bring nothing new, and read what nothing reads, or settle more of the program than the repair of a number.
    """
    found = list(findings)
    for number, finding in enumerate(findings):
        failing = next((each.site for each in finding.related if each.is_failure), finding.site)
        if finding.claim is None or failing is None:
            continue
        others = other_values_at(failing, slicer) if start.conflicts and finding.repairs else []
        known = check(finding.repairs[0].edits) if others and budget.is_left else None
        for candidate in (*forgotten_values_at(failing, slicer), *others):
            after = check(candidate.edits) if budget.is_left else None
            if after is None or is_found(finding, after[1]) or not after[0].failing <= start.failing:
                continue
            if candidate in others and (known is None or after[0].count >= known[0].count):
                continue
            if all(is_found(each, findings) for each in after[1] if each.severity != "info"):
                found[number] = _repaired(finding, candidate)
                break
    return found


def _repaired(finding: Finding, candidate: Candidate) -> Finding:
    repair = Repair(candidate.title, candidate.edits, "static", _EFFECT)
    site, claim = candidate.place, finding.claim
    same_line = [each for each in finding.related if each.is_failure and each.site.line == site.line]
    return finding.with_(
        site=site,
        message=f"{finding.message.rpartition('; ')[0]}; {candidate.title}",
        related=tuple(each for each in finding.related if each not in same_line),
        fix=Fix(repair.title, "unsafe", repair.edits),
        repairs=(repair,),
        claim=None if claim is None else replace(claim, edits=candidate.edits),
    )
