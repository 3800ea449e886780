"""A report as JSON, schema version 1: docs/schema.json describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from convlint.ir import (
    Costs,
    Edit,
    Finding,
    Fix,
    Model,
    Problem,
    Refusal,
    Report,
    RewrittenSet,
    Row,
    Site,
    Suggestion,
    Timing,
    Totals,
    Verification,
    Witness,
)

SCHEMA_VERSION = 1


def render(report: Report) -> str:
    """The report as one JSON object, in ASCII, indented, shapes on one line."""
    text = json.dumps(document(report), indent=2)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


# A list of numbers, one per line. It cannot match in a string, where JSON writes line breaks as \n.
_NUMBERS = re.compile(r"\[\n\s+(\d+(?:,\n\s+\d+)*)\n\s+\]")


def document(report: Report) -> dict[str, Any]:
    """The report as lists and dicts. Shapes are lists, sizes are in bytes, and null means not measured."""
    return {
        "convlint": version("convlint"),
        "schema_version": SCHEMA_VERSION,
        "findings": [_finding(finding) for finding in report.findings],
        "models": [_model(model) for model in report.models],
        "problems": [_problem(problem) for problem in report.problems],
        "suggestions": [_suggestion(suggestion) for suggestion in report.suggestions],
        "refusals": [_refusal(refusal) for refusal in report.refusals],
        "rewritten": _rewritten(report.rewritten) if report.rewritten else None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        **(_span(finding.site) if finding.site else dict.fromkeys(_SPAN)),
        "module": finding.module,
        "target": finding.target,
        "related": [{"message": end.message, **_span(end.site)} for end in finding.related],
        "witness": _witness(finding.witness) if finding.witness else None,
        "fix": _fix(finding.fix) if finding.fix else None,
        "instances": list(finding.instances),
    }


_SPAN = ("path", "line", "column", "end_line", "end_column")


def _span(site: Site) -> dict[str, Any]:
    return {
        "path": site.path,
        "line": site.line,
        "column": site.column,
        "end_line": site.end_line or site.line,
        "end_column": site.end_column or site.column,
    }


def _witness(witness: Witness) -> dict[str, Any]:
    return {"call": witness.call, "inputs": list(witness.inputs), "error": witness.error, "control": witness.control}


def _fix(fix: Fix) -> dict[str, Any]:
    return {"title": fix.title, "applicability": fix.applicability, "edits": [_edit(edit) for edit in fix.edits]}


def _edit(edit: Edit) -> dict[str, Any]:
    return {**_span(edit.site), "text": edit.text}


def _model(model: Model) -> dict[str, Any]:
    graph = model.graph
    return {
        "target": model.target,
        "status": model.status,
        "inputs": list(model.inputs),
        "outputs": list(model.outputs),
        "traced_by": model.traced_by,
        "layers": [_layer(row) for row in model.layers],
        "totals": _totals(model.totals),
        "input_from": graph.input_source,
        "unseen": [{"module": module, "reason": reason} for module, reason in graph.untraced],
    }


def _layer(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "calls": row.calls,
        "input_shape": _sizes(row.input_shape),
        "output_shape": _sizes(row.output_shape),
        "kernel_size": _sizes(row.kernel_size),
        "stride": _sizes(row.stride),
        "padding": _sizes(row.padding),
        "dilation": _sizes(row.dilation),
        "groups": row.groups,
        "bias": row.bias,
        "params": row.params,
        "trainable_params": row.trainable_params,
        "params_bytes": row.params_bytes,
        "macs": row.macs,
        "output_bytes": row.output_bytes,
        "saved_bytes": row.saved_bytes,
        "site": _span(row.site) if row.site else None,
        "failed": row.failed,
    }


def _sizes(value: tuple[int, ...] | str | None) -> list[int] | str | None:
    return list(value) if isinstance(value, tuple) else value


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "params": totals.params,
        "trainable_params": totals.trainable_params,
        "params_bytes": totals.params_bytes,
        "macs": totals.macs,
        "input_bytes": totals.input_bytes,
        "forward_backward_bytes": totals.forward_backward_bytes,
        "peak_inference_bytes": totals.peak_inference_bytes,
        "saved_bytes": totals.saved_bytes,
        "training_bytes": totals.training_bytes,
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "code": suggestion.code,
        "name": suggestion.name,
        **(_span(suggestion.site) if suggestion.site else dict.fromkeys(_SPAN)),
        "title": suggestion.title,
        "instances": list(suggestion.instances),
        "before": _amounts(suggestion.before),
        "after": _amounts(suggestion.after),
        "saved": _amounts(suggestion.saved),
        "verified": _verified(suggestion.verified),
        "latency": _latency(suggestion.latency),
        "diff": suggestion.diff,
        "chosen": suggestion.chosen,
        "evidence": suggestion.evidence,
        "weight_error": suggestion.weight_error,
        "layers": [
            {
                "name": change.layer,
                "before": _amounts(change.before),
                "after": _amounts(change.after),
                "weight_error": change.weight_error,
            }
            for change in suggestion.changes
        ],
        "edits": [_edit(edit) for edit in suggestion.edits],
    }


def _amounts(amounts: Costs) -> dict[str, Any]:
    return {
        "params": amounts.params,
        "macs": amounts.macs,
        "output_bytes": amounts.output_bytes,
        "saved_bytes": amounts.saved_bytes,
    }


def _verified(verified: Verification) -> dict[str, Any]:
    return {
        "ran": verified.ran,
        "output_shapes_equal": verified.output_shapes_equal,
        "params_equal": verified.params_equal,
        "macs_equal": verified.macs_equal,
        "saved_bytes_error": verified.saved_bytes_error,
        "trained": verified.trained,
        "ways": verified.other_calls,
    }


def _latency(timings: Sequence[Timing]) -> dict[str, Any] | None:
    """Seconds by model or layers, then by tensor layout; null if nothing was timed."""
    found: dict[str, Any] = {}
    for timing in timings:
        found.setdefault(timing.subject, {})[timing.layout] = _timing(timing)
    return found or None


def _timing(timing: Timing) -> dict[str, Any]:
    return {
        "device": timing.device,
        "threads": timing.threads,
        "runs": timing.runs,
        "before": dict(zip(("min", "median"), timing.before, strict=True)),
        "after": dict(zip(("min", "median"), timing.after, strict=True)),
        "slower": timing.slower,
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "code": refusal.code,
        **(_span(refusal.site) if refusal.site else dict.fromkeys(_SPAN)),
        "instances": list(refusal.instances),
        "reason": refusal.reason,
    }


def _rewritten(rewritten: RewrittenSet) -> dict[str, Any]:
    return {
        "before": _amounts(rewritten.before),
        "after": _amounts(rewritten.after),
        "verified": _verified(rewritten.verified) if rewritten.verified else None,
        "latency": _latency(rewritten.latency),
        "goal": rewritten.goal,
        "diff": rewritten.diff,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "message": problem.message,
        "path": problem.path,
        "line": problem.line,
        "target": problem.target,
    }
