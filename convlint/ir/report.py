"""The result of a command: findings, problems, and the reports of models that were run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from convlint.ir.coverage import Coverage
from convlint.ir.problem import Problem
from convlint.source_text.site import Edit, Fix, Site
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass, field, replace

if TYPE_CHECKING:
    from convlint.ir.claims import Claim, Witness
    from convlint.ir.costs import EarlierReport, Model
    from convlint.ir.graph import Graph
    from convlint.ir.suggestions import Refusal, RewrittenSet, Suggestion

Severity = Literal["error", "warning", "info"]
Confidence = Literal["high", "medium", "low"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Related:
    """Another line that a finding refers to; ``is_failure`` marks the operation that fails first because of it."""

    message: str
    site: Site
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A module with a defect, and the line of the program that builds it; without a module, the line of the defect.

    ``target`` is the model that was run, None in static mode.
    """

    path: str
    line: int
    module: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """Edits that settle a finding. ``verified`` says how they were tried: by a run, or by static analysis of the edited
    text; ``effect`` is the result.
    """

    title: str
    edits: tuple[Edit, ...]
    verified: Literal["run", "static"] | None
    effect: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect at one line.

    ``instances`` are all modules at this site with this defect, ``module`` first, and ``occurrences`` the lines that
    build them. ``repairs`` were tried; several are equally good, and ``fix`` is the first. ``condition`` is the branch
    on which alone it holds, until it becomes part of the message. Seven fields are not part of the output: ``nodes``,
    the failed nodes that the finding explains, ``graph``, in which they are, ``operations``, the lines of the failed
    operations, each with the calls that built its layer, ``claim``, which a run can confirm, ``calls`` of classes that
    fail, from the inside out, which a run can repeat, and for an error ``program``, the file in which it was found or
    whose model was run, and ``step``, its position among the errors of that program in the order of execution.
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
    instances: tuple[str, ...] = ()
    claim: Claim | None = None
    calls: tuple[Claim, ...] = ()
    repairs: tuple[Repair, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    operations: tuple[tuple[Site, ...], ...] = ()
    condition: str = ""
    program: str = ""
    step: int | None = None
    graph: Graph | None = field(default=None, repr=False, compare=False, metadata={"local": True})

    def with_(self, **changes: Any) -> Finding:
        """Return a copy with other values for some fields."""
        return replace(self, **changes)


def any_at_least(severities: Iterable[Severity], threshold: Severity) -> bool:
    """Check whether one of the severities is ``threshold`` or worse."""
    position = SEVERITIES.index(threshold)
    return any(SEVERITIES.index(severity) <= position for severity in severities)


@dataclass(frozen=True)
class Report:
    """The result of a command: the same object from the command line and from Python.

    ``coverage`` says how far each class and model was followed. ``texts`` are the files that sites refer to,
    ``decided`` findings of static analysis that runs refute or report themselves.
    """

    findings: tuple[Finding, ...] = ()
    models: tuple[Model, ...] = ()
    problems: tuple[Problem, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    rewritten: RewrittenSet | None = None
    earlier: EarlierReport | None = None
    texts: SourceTexts = field(default_factory=SourceTexts, repr=False, compare=False)
    decided: tuple[Finding, ...] = field(default=(), repr=False, compare=False)

    def exit_code_at(self, fail_on: Severity = "warning") -> int:
        """0: no findings, 1: findings at ``fail_on`` or worse, 2: something could not be checked."""
        if self.problems:
            return 2
        return int(any_at_least((finding.severity for finding in self.findings), fail_on))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)
