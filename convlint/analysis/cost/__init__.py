"""Costs of a model, computed from its graph: multiply-accumulates, parameters and bytes."""

from __future__ import annotations

from convlint.analysis.cost.formulas import macs
from convlint.analysis.cost.layer_rows import leaves_of, rows
from convlint.analysis.cost.training import training_bytes
from convlint.ir import Graph, Model, Totals

__all__ = ["macs", "model_report", "rows", "totals"]


def totals(graph: Graph) -> Totals:
    """Compute the total costs of a model.

    - ``macs``: of all calls; calls that were not traced into add nothing
    - ``forward_backward_bytes``: twice the outputs of all leaf layers, as torchsummary and torchinfo count
    - ``training_bytes``: see the function ``training_bytes``
    """
    leaves = leaves_of(graph)
    outputs = [
        graph.tensor(id).nbytes
        for call in graph.calls
        if (layer := graph.layer(call.layer)) is not None and layer.name in leaves
        for id in call.outputs
    ]
    return Totals(
        params=sum(layer.params for layer in graph.layers),
        trainable_params=sum(layer.trainable_params for layer in graph.layers),
        params_bytes=sum(layer.params_bytes for layer in graph.layers),
        macs=sum(macs(graph, node) or 0 for node in graph.nodes),
        input_bytes=graph.input_bytes,
        forward_backward_bytes=2 * sum(outputs),
        peak_inference_bytes=graph.peak_inference_bytes,
        saved_bytes=graph.saved_bytes,
        training_bytes=training_bytes(graph),
    )


def model_report(graph: Graph) -> Model:
    """Build the report of a model from its graph: layer table and totals."""
    return Model(
        target=graph.target or "",
        status=graph.status,
        inputs=graph.inputs,
        outputs=graph.outputs,
        traced_by=graph.traced_by,
        layers=rows(graph),
        totals=totals(graph),
        graph=graph,
    )
