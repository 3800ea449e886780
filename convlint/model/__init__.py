"""The facts that convlint passes around: sites, the graph of a model, findings, reports.

Everything here is a frozen record of ints, strings and tuples, so that it can be compared, hashed, put in a test by
hand and sent from the worker as JSON. Text is made in ``outputs/``, numbers in ``cost/``, judgement in ``rules/``.

Lines start at 1; columns start at 1 and count characters; ``end_column`` points behind the last character.
"""

from convlint.model.claim import Attempt, Claim, Numbers, Proof, Trial, Verdict, Witness
from convlint.model.graph import (
    Argument,
    Call,
    Failure,
    Graph,
    Layer,
    Node,
    Scope,
    Shape,
    Site,
    Status,
    Tensor,
    kept_for_the_last,
)
from convlint.model.report import (
    SEVERITIES,
    Applicability,
    Confidence,
    Edit,
    Finding,
    Fix,
    Model,
    Problem,
    Related,
    Report,
    Row,
    Severity,
    Totals,
)

__all__ = [
    "SEVERITIES",
    "Applicability",
    "Argument",
    "Attempt",
    "Call",
    "Claim",
    "Confidence",
    "Edit",
    "Failure",
    "Finding",
    "Fix",
    "Graph",
    "Layer",
    "Model",
    "Node",
    "Numbers",
    "Problem",
    "Proof",
    "Related",
    "Report",
    "Row",
    "Scope",
    "Severity",
    "Shape",
    "Site",
    "Status",
    "Tensor",
    "Totals",
    "Trial",
    "Verdict",
    "Witness",
    "kept_for_the_last",
]
