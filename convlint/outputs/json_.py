"""A report as JSON, schema version 1: docs/schema.json describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from convlint import ir
from convlint.outputs.parts.log_commands import json_without_commands
from convlint.support.dataclass import fields

SCHEMA_VERSION = 1
# A list of numbers, one per line. It cannot match in a string, where JSON writes line breaks as \n.
_NUMBERS = re.compile(r"\[\n\s+(\d+(?:,\n\s+\d+)*)\n\s+\]")


def render(report: ir.Report) -> str:
    """The report as one JSON object, in ASCII, indented, shapes on one line."""
    text = json.dumps(document(report), indent=2)
    return json_without_commands(_NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)) + "\n"


def document(report: ir.Report) -> dict[str, Any]:
    """The report as lists and dicts. Shapes are lists, sizes are in bytes, and null means not measured."""
    return {
        "convlint": version("convlint"),
        "schema_version": SCHEMA_VERSION,
        "findings": [_finding(finding) for finding in report.findings],
        "models": [_model(model) for model in report.models],
        "coverage": [_coverage(each) for each in report.coverage],
        "problems": [_problem(problem) for problem in report.problems],
        "suggestions": [_suggestion(suggestion) for suggestion in report.suggestions],
        "refusals": [
            {"code": r.code, **_span(r.site), "instances": list(r.instances), "reason": r.reason}
            for r in report.refusals
        ],
        "rewritten": _rewritten(report.rewritten) if report.rewritten else None,
    }


def _record(
    record: ir.Row
    | ir.Totals
    | ir.Costs
    | ir.Verification
    | ir.Witness
    | ir.Problem
    | ir.Occurrence
    | ir.Coverage
    | ir.DataEvidence
    | ir.Stopped,
) -> dict[str, Any]:
    """All fields of a record by name, as docs/schema.json lists them; tuples become lists."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _finding(finding: ir.Finding) -> dict[str, Any]:
    fix = finding.fix
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        **_span(finding.site),
        "module": finding.module,
        "target": finding.target,
        "related": [{"message": end.message, **span(end.site)} for end in finding.related],
        "witness": _record(finding.witness) if finding.witness else None,
        "fix": {"title": fix.title, "applicability": fix.applicability, "edits": _edits(fix.edits)} if fix else None,
        "repairs": [
            {"title": r.title, "edits": _edits(r.edits), "verified": r.verified, "effect": r.effect}
            for r in finding.repairs
        ],
        "instances": list(finding.instances),
        "occurrences": [_record(each) for each in finding.occurrences],
    }


def _span(site: ir.Site | None) -> dict[str, Any]:
    return span(site) if site else dict.fromkeys(("path", "line", "column", "end_line", "end_column"))


def span(site: ir.Site) -> dict[str, Any]:
    """Path, start and end of a site."""
    end = {"end_line": site.end_line or site.line, "end_column": site.end_column or site.column}
    return {"path": site.path, "line": site.line, "column": site.column, **end}


def _edits(edits: Sequence[ir.Edit]) -> list[dict[str, Any]]:
    return [{**span(edit.site), "text": edit.text} for edit in edits]


def _model(model: ir.Model) -> dict[str, Any]:
    graph = model.graph
    return {
        "target": model.target,
        "status": model.status,
        "inputs": list(model.inputs),
        "outputs": list(model.outputs),
        "traced_by": model.traced_by,
        "layers": [{**_record(row), "site": span(row.site) if row.site else None} for row in model.layers],
        "totals": _record(model.totals),
        "input_from": graph.input_source,
        "unseen": [{"module": module, "reason": reason} for module, reason in graph.untraced],
    }


def _suggestion(suggestion: ir.Suggestion) -> dict[str, Any]:
    return {
        "code": suggestion.code,
        "name": suggestion.name,
        **_span(suggestion.site),
        "title": suggestion.title,
        "instances": list(suggestion.instances),
        "before": _record(suggestion.before),
        "after": _record(suggestion.after),
        "saved": _record(suggestion.saved),
        "verified": _verified(suggestion.verified) if suggestion.verified else None,
        "latency": _latency(suggestion.latency),
        "diff": suggestion.diff,
        "chosen": suggestion.chosen,
        "evidence": suggestion.evidence,
        "weight_error": suggestion.weight_error,
        "layers": [
            {
                "name": change.layer,
                "before": _record(change.before),
                "after": _record(change.after),
                "weight_error": change.weight_error,
            }
            for change in suggestion.changes
        ],
        "edits": _edits(suggestion.edits),
    }


def _verified(verified: ir.Verification) -> dict[str, Any]:
    data = _record(verified)
    data["ways"] = data.pop("other_calls")
    return data


def _latency(timings: Sequence[ir.Timing]) -> dict[str, Any] | None:
    """Seconds by model or layers, then by tensor layout; null if nothing was timed."""
    found: dict[str, Any] = {}
    for timing in timings:
        found.setdefault(timing.subject, {})[timing.layout] = _timing(timing)
    return found or None


def _timing(timing: ir.Timing) -> dict[str, Any]:
    return {
        "device": timing.device,
        "threads": timing.threads,
        "runs": timing.runs,
        "before": dict(zip(("min", "median"), timing.before, strict=True)),
        "after": dict(zip(("min", "median"), timing.after, strict=True)),
        "slower": timing.slower,
        "verdict": timing.verdict,
    }


def _rewritten(rewritten: ir.RewrittenSet) -> dict[str, Any]:
    return {
        "before": _record(rewritten.before),
        "after": _record(rewritten.after),
        "verified": _verified(rewritten.verified) if rewritten.verified else None,
        "latency": _latency(rewritten.latency),
        "goal": rewritten.goal,
        "data": _record(rewritten.data) if rewritten.data else None,
        "works": list(rewritten.works),
        "front": [_set(each) for each in rewritten.front],
        "consequences": [{"kind": c.kind, "message": c.message, **_span(c.site)} for c in rewritten.consequences],
        "diff": rewritten.diff,
    }


def _set(estimate: ir.SetEstimate) -> dict[str, Any]:
    return {
        "name": estimate.name,
        "codes": list(estimate.codes),
        "layers": estimate.layers,
        "totals": _record(estimate.totals),
        "weight_error": estimate.weight_error,
        "chosen": estimate.chosen,
    }


def _coverage(coverage: ir.Coverage) -> dict[str, Any]:
    data = _record(coverage)
    del data["name"]
    stopped = [_record(each) for each in coverage.stopped]
    return {"path": data.pop("path"), "line": data.pop("line"), "class": coverage.name, **data, "stopped": stopped}


def _problem(problem: ir.Problem) -> dict[str, Any]:
    data = _record(problem)
    del data["traceback"]
    return data
