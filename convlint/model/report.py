"""What is reported: findings, problems, and the table of each model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from convlint.model.claim import Claim, Witness
from convlint.model.graph import Graph, Shape, Site, Status

Severity = Literal["error", "warning", "info"]
Confidence = Literal["high", "medium", "low"]
Applicability = Literal["safe", "unsafe", "display"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Related:
    """The other end of a finding."""

    message: str
    site: Site


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of ``site`` by ``text``."""

    site: Site
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that mend a finding. ``safe``: behaviour kept; ``unsafe``: may change it; ``display``: shown only."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


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


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be checked. ``kind`` is a short kebab-case name: ``timeout``, ``import-error`` ..."""

    kind: str
    message: str
    path: str | None = None
    line: int | None = None
    target: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the layer table: a leaf layer, or a functional call that no leaf layer owns.

    Shapes are those of the first call. ``macs`` and ``output_bytes`` are summed over the calls; ``macs`` is None
    for what was not seen inside.
    """

    name: str
    kind: str
    calls: int
    input_shape: Shape | None
    output_shape: Shape | None
    kernel_size: Shape | None = None
    stride: Shape | None = None
    padding: Shape | str | None = None
    dilation: Shape | None = None
    groups: int | None = None
    bias: bool | None = None
    params: int = 0
    trainable_params: int = 0
    params_bytes: int = 0
    macs: int | None = 0
    output_bytes: int = 0
    saved_bytes: int | None = None
    site: Site | None = None
    failed: str | None = None  # what stopped the run here, for the row of a partial table


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a model; bytes at the recorded batch size. ``None``: could not be measured."""

    params: int
    trainable_params: int
    params_bytes: int
    macs: int
    input_bytes: int
    forward_backward_bytes: int
    peak_inference_bytes: int | None
    saved_bytes: int | None
    training_bytes: int | None


@dataclass(frozen=True, slots=True)
class Model:
    """What is reported of one model that was run."""

    target: str
    status: Status
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    traced_by: str
    layers: tuple[Row, ...]
    totals: Totals
    graph: Graph


@dataclass(frozen=True)
class Report:
    """The result of a command: the same object from the command line and from Python."""

    findings: tuple[Finding, ...] = ()
    models: tuple[Model, ...] = ()
    problems: tuple[Problem, ...] = ()
    suggestions: tuple[Any, ...] = ()

    def exit_code(self, fail_on: Severity = "warning") -> int:
        """0 nothing found, 1 findings at ``fail_on`` or worse, 2 something could not be checked."""
        if self.problems:
            return 2
        worst = SEVERITIES.index(fail_on)
        return int(any(SEVERITIES.index(finding.severity) <= worst for finding in self.findings))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)
