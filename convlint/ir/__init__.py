"""The facts that convlint passes around: sites, the graph of a model, findings, reports.

Everything here is a frozen record of ints, strings and tuples, so that it can be compared, hashed, put in a test by
hand and sent from the worker as JSON. Text is made in ``outputs/``, numbers in ``cost/``, judgement in ``rules/``.

Lines start at 1; columns start at 1 and count characters; ``end_column`` points behind the last character.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convlint.ir.problem import Problem
from convlint.ir.report import (
    SEVERITIES,
    Confidence,
    Finding,
    Related,
    Report,
    Severity,
    reach,
)
from convlint.source_text.site import Applicability, Edit, Fix, Site

if TYPE_CHECKING:
    from convlint.ir.claims import (
        Claim,
        Instantiation,
        IntArguments,
        Proof,
        Trial,
        Verdict,
        Witness,
    )
    from convlint.ir.costs import EarlierReport, Model, Row, Totals
    from convlint.ir.graph import Graph, Status
    from convlint.ir.nodes import Argument, Call, Failure, Layer, Node, Scope, Shape, Tensor
    from convlint.ir.suggestions import (
        BuiltLayer,
        ChannelOrder,
        Costs,
        IntermediateLayers,
        LayerChange,
        ModelVersion,
        OtherCall,
        Refusal,
        ReorderedState,
        Replacement,
        RewrittenSet,
        Suggestion,
        Timing,
        Verification,
        VersionRun,
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
    "Applicability",
    "Argument",
    "BuiltLayer",
    "Call",
    "ChannelOrder",
    "Claim",
    "Confidence",
    "Costs",
    "EarlierReport",
    "Edit",
    "Failure",
    "Finding",
    "Fix",
    "Graph",
    "Instantiation",
    "IntArguments",
    "IntermediateLayers",
    "Layer",
    "LayerChange",
    "Model",
    "ModelVersion",
    "Node",
    "OtherCall",
    "Problem",
    "Proof",
    "Refusal",
    "Related",
    "ReorderedState",
    "Replacement",
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
    "Verdict",
    "Verification",
    "VersionRun",
    "Witness",
    "reach",
]
