from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, norm_dimensions
from convlint.ir import Finding, Graph
from convlint.rules.base import Rule, related_to


class NormDimensions(Rule):
    """A BatchNorm or InstanceNorm is of another dimension than the tensor that it receives.

    ## Why is this bad?

    `BatchNorm2d` accepts 4-D tensors (batch, channels, height, width) only, `BatchNorm1d` 2-D and 3-D, and
    `BatchNorm3d` 5-D ones. PyTorch checks this at every call, so the forward raises an error. The class was often
    copied from a model for images to one for signals or volumes.

    ## Use instead

    `BatchNorm1d` after `Conv1d` and `Linear`, `BatchNorm2d` after `Conv2d`, and `BatchNorm3d` after `Conv3d`; the
    message names the class. `SyncBatchNorm` and `GroupNorm` accept all of them.
    """

    code = "CVL115"
    name = "norm-dimensions"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph.nodes:
            accepted = norm_dimensions.accepted(node)
            if accepted is None:
                continue
            source = graph_queries.source_layer(graph, node)
            shape = graph_queries.input_shape(graph, node)
            sizes = f" of {graph_queries.sizes(shape)}" if graph.traced_by == "recorder" else ""
            origin = "" if source is None else f" from {graph_queries.name(graph, source)}"
            fitting = norm_dimensions.fitting_class(graph, node)
            yield self.finding(
                f"{graph_queries.name(graph, node)} expects a {accepted} tensor but receives a {len(shape)}-D tensor"
                f"{sizes}{origin}" + (f"; use {fitting}" if fitting else ""),
                graph.where(node),
                module=node.layer,
                related=related_to("the call that fails", node.site),
                nodes=(node.id,),
            )
