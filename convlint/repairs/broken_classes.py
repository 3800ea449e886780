"""Errors of classes that fail for all arguments: which are causes, and which only follow from others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convlint.ir import Edit, Finding
from convlint.repairs.budget import Budget
from convlint.repairs.conflict import Outcome
from convlint.support.dataclass import dataclass

Check = Callable[[Sequence[Edit]], tuple[Outcome, Sequence[Finding]] | None]
"""Analyzes the program after edits, its classes included; None where that failed."""

_MOST = 4  # classes of one file that are repaired one after the other


@dataclass(frozen=True)
class RepairedClasses:
    """The errors of classes that are causes, the ``edits`` that repair them, and the outcome after these."""

    causes: tuple[Finding, ...]
    edits: tuple[Edit, ...]
    outcome: Outcome


def broken_classes(findings: Sequence[Finding]) -> list[Finding]:
    """The errors of classes that fail for all arguments."""
    return [f for f in findings if f.severity == "error" and f.graph is None and f.witness is not None and f.repairs]


def one_after_the_other(broken: Sequence[Finding], start: Outcome, check: Check, budget: Budget) -> RepairedClasses:
    """Repair one class after the other: an error that is gone after the repair of another class follows from that.

    A repair that makes other operations fail is none, unless nothing else failed before: what a class hides that
    fails for all arguments is found after it, other such classes included.
    """
    hides = not start.conflicts and len(broken) == 1
    causes: list[Finding] = []
    edits: list[Edit] = []
    state, left = start, [*broken]
    while left and len(causes) < _MOST and budget.is_left:
        first = left.pop(0)
        after = check([*edits, *first.repairs[0].edits])
        breaks = after is not None and not hides and not after[0].failing <= state.failing
        if after is None and hides:  # nothing is known about what follows
            causes.append(first)
            break
        if after is None or is_found(first, after[1]) or breaks:
            causes.append(first.with_(repairs=(), fix=None))
            continue
        state = after[0]
        causes.append(first)
        edits += first.repairs[0].edits
        left = [each for each in left if is_found(each, after[1])]
        left += [each for each in broken_classes(after[1]) if hides and not is_found(each, (*causes, *left))]
    return RepairedClasses((*causes, *left), tuple(edits), state)


def is_found(finding: Finding, findings: Sequence[Finding]) -> bool:
    """Return whether an error or warning is among others: in the same line, with the same rule, as severe or more."""
    return any(other.severity in ("error", finding.severity) and _place(other) == _place(finding) for other in findings)


def _place(finding: Finding) -> tuple[str, str, int] | None:
    site = finding.site
    return None if site is None else (finding.code, site.path, site.line)
