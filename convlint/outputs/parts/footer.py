"""Text around the layer table: a heading, totals and notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convlint.ir import Model
from convlint.outputs.parts.columns import MB, Line
from convlint.outputs.parts.terminal import number_of, one_line
from convlint.outputs.parts.tree import visible_rows
from convlint.support.quantities import short_count

Pairs = list[tuple[str, str]]


def heading(model: Model) -> Pairs:
    """The model, its inputs and outputs."""
    graph = model.graph
    inputs = "; ".join(model.inputs) or "none"
    source = f" ({graph.input_source})" if graph.input_source else ""
    pairs = [("model", model.target or "in memory"), ("input", inputs + source)]
    if model.outputs:
        pairs.append(("output", "; ".join(model.outputs)))
    if model.status != "complete":
        pairs.append(("status", model.status))
    return [(name, one_line(text)) for name, text in pairs]


def stopped(model: Model) -> str:
    """The error that stopped the run, and the layers that it did not reach; empty for a complete run."""
    if model.status == "complete":
        return ""
    failure = model.graph.failure
    text = "stopped"
    if failure is not None:
        layer = f" in `{failure.module}`" if failure.module else ""
        at = f" at {failure.site}" if failure.site else ""
        text += f"{layer}{at}: {failure.type}: {failure.message}"
    reached = visible_rows(model)
    missing = len(model.layers) - len(reached)
    if missing:
        params = model.totals.params - sum(row.params for row in reached)
        text += f"; not reached: {number_of(missing, 'layer')} with {params:,} parameters"
    return one_line(text)


def counts(model: Model, *, exact: bool = True) -> Pairs:
    """Parameters and multiply-accumulates, with all digits or with units."""
    totals, text = model.totals, number_text(exact=exact)
    frozen = totals.params - totals.trainable_params
    return [
        ("Params", f"{text(totals.params)} ({text(totals.trainable_params)} trainable, {text(frozen)} frozen)"),
        ("MACs", f"{'at least ' if is_partial(model) else ''}{text(totals.macs)} (FLOPs = 2 x MACs)"),
    ]


def number_text(*, exact: bool) -> Callable[[int], str]:
    """The function that writes a count: with all digits, or with a unit."""
    return "{:,}".format if exact else short_count


def is_partial(model: Model) -> bool:
    """Return whether the multiply-accumulates of some calls are unknown."""
    return any(row.macs is None for row in model.layers) or model.status != "complete"


def memory(model: Model, *, classic: bool) -> tuple[str, Pairs]:
    """The title of the memory below a table, and its lines."""
    if classic:
        return "Memory as torchsummary estimates it (1 MB = 2**20 bytes):", classic_memory(model)
    return "Memory in use, measured (1 MB = 2**20 bytes):", measured(model)


def classic_memory(model: Model) -> Pairs:
    """Memory as torchsummary and torchinfo estimate it: each output twice, and none is shared or freed."""
    totals = model.totals
    parts = (totals.input_bytes, totals.forward_backward_bytes, totals.params_bytes)
    names = ("Input size (MB)", "Forward/backward pass size (MB)", "Params size (MB)", "Total (MB)")
    return [(name, _mb(size)) for name, size in zip(names, (*parts, sum(parts)), strict=True)]


def measured(model: Model) -> Pairs:
    """Measured memory."""
    totals = model.totals
    mode = " (in eval mode)" if model.graph.saved_bytes_mode == "eval" else ""
    step = _mb(totals.training_bytes)
    if totals.training_bytes is not None:
        step += " (including gradients, Adam state and the backward pass)"
    return [
        ("Peak inference memory (MB)", _mb(totals.peak_inference_bytes)),
        ("Saved for backward (MB)", _mb(totals.saved_bytes) + mode),
        ("Training step (MB)", step),
    ]


def notes(model: Model, rows: Sequence[Line], limit: int = 10) -> list[str]:
    """Meanings of the marks in the table, and calls that the numbers do not include."""
    graph, remarks = model.graph, []
    if any(line.row.failed for line in rows):
        remarks.append("! fails as written")
    if any(line.times > 1 for line in rows):
        remarks.append("(xN) N equal consecutive layers, added up in one line")
    if any(row.macs is None for row in model.layers):
        remarks.append("? not traced into; not included in sums")
    unseen = [f"{path}: {reason}" if path else reason for path, reason in graph.untraced]
    remarks += [f"not traced: {text}" for text in unseen[:limit]]
    if len(unseen) > limit:
        remarks.append(f"not traced: {len(unseen) - limit} more")
    if graph.smallest_input:
        remarks.append(f"smallest input that runs: {'x'.join(map(str, graph.smallest_input))}")
    return [one_line(remark) for remark in remarks]


def _mb(value: int | None) -> str:
    return "not measured" if value is None else f"{value / MB:,.2f}"
