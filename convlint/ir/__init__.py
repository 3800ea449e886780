"""The facts that convlint passes around: sites, the graph of a model, findings, reports.

Everything here is a frozen record of ints, strings and tuples, so that it can be compared, hashed, put in a test by
hand and sent from the worker as JSON. Text is made in ``outputs/``, numbers in ``cost/``, judgement in ``rules/``.

Lines start at 1; columns start at 1 and count characters; ``end_column`` points behind the last character.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convlint.ir.report import (
    SEVERITIES,
    Confidence,
    Finding,
    Problem,
    Related,
    Report,
    Severity,
    reach,
)
from convlint.source_text.site import Applicability, Edit, Fix, Site

if TYPE_CHECKING:
    from convlint.ir.claims import Attempt, Claim, Numbers, Proof, Trial, Verdict, Witness
    from convlint.ir.costs import Earlier, Model, Row, Totals
    from convlint.ir.graph import Graph, Status
    from convlint.ir.nodes import Argument, Call, Failure, Layer, Node, Scope, Shape, Tensor
    from convlint.ir.suggestions import (
        Absorber,
        Amounts,
        Between,
        Built,
        Change,
        Form,
        Order,
        Refusal,
        RewrittenSet,
        Suggestion,
        Timing,
        Tried,
        Verified,
        Version,
        Way,
    )
else:

    def __getattr__(name: str) -> object:
        """The records of models and claims: a file in which nothing is suspected has none of them,
        and to make them takes as long as to follow it.
        """
        if name in __all__:
            from convlint.ir import claims, costs, graph, nodes, suggestions

            for part in (claims, graph, nodes, suggestions, costs):
                globals().update({n: v for n, v in vars(part).items() if n in __all__})
            return globals()[name]
        raise AttributeError(f"module 'convlint.ir' has no attribute {name!r}")


__all__ = [
    "SEVERITIES",
    "Absorber",
    "Amounts",
    "Applicability",
    "Argument",
    "Attempt",
    "Between",
    "Built",
    "Call",
    "Change",
    "Claim",
    "Confidence",
    "Earlier",
    "Edit",
    "Failure",
    "Finding",
    "Fix",
    "Form",
    "Graph",
    "Layer",
    "Model",
    "Node",
    "Numbers",
    "Order",
    "Problem",
    "Proof",
    "Refusal",
    "Related",
    "Report",
    "RewrittenSet",
    "Row",
    "Scope",
    "Severity",
    "Shape",
    "Site",
    "Status",
    "Suggestion",
    "Tensor",
    "Timing",
    "Totals",
    "Trial",
    "Tried",
    "Verdict",
    "Verified",
    "Version",
    "Way",
    "Witness",
    "reach",
]
