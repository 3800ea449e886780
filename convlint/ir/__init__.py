"""The records that all parts of convlint exchange: graphs of models, findings, reports, suggestions.

They are frozen and hold numbers, strings and tuples, so tests can write them by hand and the worker can send them as
JSON. Text is made in ``outputs``, costs in ``analysis.cost``, findings in ``rules``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convlint.ir.coverage import Coverage, Stopped
from convlint.ir.problem import Problem
from convlint.ir.report import (
    SEVERITIES,
    Confidence,
    Finding,
    Occurrence,
    Related,
    Repair,
    Report,
    Severity,
    any_at_least,
)
from convlint.source_text.site import Applicability, Edit, Fix, Site

if TYPE_CHECKING:
    from convlint.ir.claims import Claim, Instantiation, IntArguments, Proof, Trial, Verdict, Witness
    from convlint.ir.costs import EarlierReport, Model, Row, Totals
    from convlint.ir.graph import Graph, Status
    from convlint.ir.nodes import Argument, Call, Failure, Layer, MergedBatch, Node, Scope, Shape, Tensor
    from convlint.ir.suggestions import (
        Consequence,
        Costs,
        DataEvidence,
        IntermediateLayers,
        LayerChange,
        Refusal,
        Replacement,
        RewrittenSet,
        SetEstimate,
        Suggestion,
        Timing,
        Verification,
    )
    from convlint.ir.versions import (
        BuiltLayer,
        ChannelOrder,
        ModelVersion,
        OtherCall,
        ReorderedState,
        StudiedCall,
        StudiedForm,
        VersionRun,
    )
else:

    def __getattr__(name: str) -> object:
        """Load the records of models and claims when they are first used: checking a file without findings needs
        none of them, and defining them takes as long as analyzing the file.
        """
        if name in __all__:
            from convlint.ir import claims, costs, graph, nodes, suggestions, versions

            for part in (claims, graph, nodes, suggestions, versions, costs):
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
    "Consequence",
    "Costs",
    "Coverage",
    "DataEvidence",
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
    "MergedBatch",
    "Model",
    "ModelVersion",
    "Node",
    "Occurrence",
    "OtherCall",
    "Problem",
    "Proof",
    "Refusal",
    "Related",
    "ReorderedState",
    "Repair",
    "Replacement",
    "Report",
    "RewrittenSet",
    "Row",
    "Scope",
    "SetEstimate",
    "Severity",
    "Shape",
    "Site",
    "Status",
    "Stopped",
    "StudiedCall",
    "StudiedForm",
    "Suggestion",
    "Tensor",
    "Timing",
    "Totals",
    "Trial",
    "Verdict",
    "Verification",
    "VersionRun",
    "Witness",
    "any_at_least",
]
