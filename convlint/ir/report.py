"""What is reported: findings and problems, and of each model that was run its table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from convlint.ir.problem import Problem
from convlint.source_text.site import Fix, Site

if TYPE_CHECKING:
    from convlint.ir.claims import Claim, Witness
    from convlint.ir.costs import EarlierReport, Model
    from convlint.ir.suggestions import Refusal, RewrittenSet, Suggestion

Severity = Literal["error", "warning", "info"]
Confidence = Literal["high", "medium", "low"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Related:
    """The other end of a finding."""

    message: str
    site: Site


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect at one line. ``nodes`` are the failed nodes that it explains, ``claim`` is what would prove it (both
    are not part of the output).
    """

    code: str
    name: str
    severity: Severity
    message: str
    site: Site | None
    confidence: Confidence = "high"
    module: str | None = None
    target: str | None = None
    related: tuple[Related, ...] = ()
    witness: Witness | None = None
    fix: Fix | None = None
    nodes: tuple[int, ...] = ()
    instances: tuple[str, ...] = ()  # all modules at this site with this defect, ``module`` first
    claim: Claim | None = None

    def with_(self, **changes: Any) -> Finding:
        return replace(self, **changes)


def reach(severities: Iterable[Severity], least: Severity) -> bool:
    """Whether one of them is ``least`` or worse."""
    worst = SEVERITIES.index(least)
    return any(SEVERITIES.index(severity) <= worst for severity in severities)


@dataclass(frozen=True)
class Report:
    """The result of a command: the same object from the command line and from Python."""

    findings: tuple[Finding, ...] = ()
    models: tuple[Model, ...] = ()
    problems: tuple[Problem, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    rewritten: RewrittenSet | None = None
    earlier: EarlierReport | None = None  # what to compare with

    def exit_code(self, fail_on: Severity = "warning") -> int:
        """0 nothing found, 1 findings at ``fail_on`` or worse, 2 something could not be checked."""
        if self.problems:
            return 2
        return int(reach((finding.severity for finding in self.findings), fail_on))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)
