"""What stands around the layer table: what was run before it, sums and what was not seen below it."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.ir import Model
from convlint.outputs.parts.columns import MB, Line
from convlint.outputs.parts.terminal import number_of, one_line
from convlint.outputs.parts.tree import shown_rows

Pairs = list[tuple[str, str]]


def heading(model: Model) -> Pairs:
    """What was run, on what."""
    graph = model.graph
    inputs = "; ".join(model.inputs) or "none"
    source = f" ({graph.input_from})" if graph.input_from else ""
    pairs = [("model", model.target or "in memory"), ("input", inputs + source)]
    if model.outputs:
        pairs.append(("output", "; ".join(model.outputs)))
    if model.status != "complete":
        pairs.append(("status", model.status))
    return [(name, one_line(text)) for name, text in pairs]


def stopped(model: Model) -> str:
    """What ended the run, and what it did not come to; empty for a complete one."""
    if model.status == "complete":
        return ""
    failure = model.graph.failure
    text = "stopped"
    if failure is not None:
        layer = f" in `{failure.module}`" if failure.module else ""
        at = f" at {failure.site}" if failure.site else ""
        text += f"{layer}{at}: {failure.type}: {failure.message}"
    shown = shown_rows(model)
    missing = len(model.layers) - len(shown)
    if missing:
        params = model.totals.params - sum(row.params for row in shown)
        text += f"; not reached: {number_of(missing, 'layer')} with {params:,} parameters"
    return one_line(text)


def counts(model: Model) -> Pairs:
    """Parameters and multiply-accumulates."""
    totals = model.totals
    frozen = totals.params - totals.trainable_params
    partial = any(row.macs is None for row in model.layers) or model.status != "complete"
    return [
        ("Params", f"{totals.params:,} ({totals.trainable_params:,} trainable, {frozen:,} frozen)"),
        ("MACs", ("at least " if partial else "") + f"{totals.macs:,} (FLOPs = 2 x MACs)"),
    ]


def classic(model: Model) -> Pairs:
    """Memory as torchsummary and torchinfo print it: every output twice, nothing shared or freed."""
    totals = model.totals
    parts = (totals.input_bytes, totals.forward_backward_bytes, totals.params_bytes)
    return [
        ("Input size (MB)", _mb(parts[0])),
        ("Forward/backward pass size (MB)", _mb(parts[1])),
        ("Params size (MB)", _mb(parts[2])),
        ("Total (MB)", _mb(sum(parts))),
    ]


def measured(model: Model) -> Pairs:
    """Memory as it was measured."""
    totals = model.totals
    mode = " (in eval mode)" if model.graph.saved_bytes_mode == "eval" else ""
    return [
        ("Peak inference memory (MB)", _mb(totals.peak_inference_bytes)),
        ("Saved for backward (MB)", _mb(totals.saved_bytes) + mode),
        (
            "Training step (MB)",
            _mb(totals.training_bytes)
            + (
                ""
                if totals.training_bytes is None
                else " (including gradients, Adam state and the backward pass)"
            ),
        ),
    ]


def notes(model: Model, found: Sequence[Line], limit: int = 10) -> list[str]:
    """What the marks of the table's lines mean, and what the numbers leave out."""
    graph, remarks = model.graph, []
    if any(line.row.failed for line in found):
        remarks.append("! fails as written")
    if any(line.times > 1 for line in found):
        remarks.append("(xN) N equal consecutive layers, added up in one line")
    if any(row.macs is None for row in model.layers):
        remarks.append("? not traced into; not included in sums")
    unseen = [f"{path}: {reason}" if path else reason for path, reason in graph.unseen]
    remarks += [f"not traced: {text}" for text in unseen[:limit]]
    if len(unseen) > limit:
        remarks.append(f"not traced: {len(unseen) - limit} more")
    if graph.smallest_input:
        remarks.append(f"smallest input that runs: {'x'.join(map(str, graph.smallest_input))}")
    return [one_line(remark) for remark in remarks]


def _mb(value: int | None) -> str:
    return "not measured" if value is None else f"{value / MB:,.2f}"
