"""Differences from an earlier report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

from convlint.ir import EarlierReport, Finding, Model, Report, Totals

TOTALS: tuple[tuple[str, Callable[[Totals], int | None]], ...] = (
    ("MACs", lambda totals: totals.macs),
    ("parameters", lambda totals: totals.params),
    ("peak inference memory", lambda totals: totals.peak_inference_bytes),
    ("saved for backward", lambda totals: totals.saved_bytes),
    ("training memory", lambda totals: totals.training_bytes),
)


def lines(report: Report, earlier: EarlierReport) -> Iterator[str]:
    """One line per model, and one for the findings."""
    for model in report.models:
        yield f"{model.target}: {changes(model, earlier)}"
    new, gone = len(new_findings(report, earlier)), gone_findings(report, earlier)
    count = f"{new:,} new, {gone:,} gone" if new or gone else "unchanged"
    yield f"Findings: {count} since {earlier_name(earlier)}"


def earlier_name(earlier: EarlierReport) -> str:
    """The file name of the earlier report without its extension: main for main.json."""
    return os.path.splitext(os.path.basename(earlier.path))[0]


def changes(model: Model, earlier: EarlierReport) -> str:
    """The changes of a model's totals: "+38 % MACs, -2 % parameters since main"."""
    name = earlier_name(earlier)
    before = earlier.totals.get(model.target)
    if before is None:
        return f"not in {name}"
    changed = [
        f"{difference} {title}"
        for title, of in TOTALS
        if (difference := change(of(before), of(model.totals))) not in ("", "0 %")
    ]
    text = f"{', '.join(changed) or 'unchanged'} since {name}"
    if earlier.inputs[model.target] != model.inputs:
        text += f", which ran on {'; '.join(earlier.inputs[model.target]) or 'no input'}"
    return text


def change(before: int | None, now: int | None) -> str:
    """Relative change of a total in percent, with one or two digits below 10 %; "" if one was not measured."""
    if before is None or now is None:
        return ""
    if before == now:
        return "0 %"
    if before == 0:
        return f"+{now:,} (from 0)"
    percent = 100 * (now - before) / before
    if abs(percent) >= 1_000:
        return f"{now / before:,.0f}x"
    digits = 0 if abs(percent) >= 10 else 1 if abs(percent) >= 0.1 else 2
    return f"{percent:+,.{digits}f} %" if abs(percent) >= 0.005 else f"{now - before:+,}"


def new_findings(report: Report, earlier: EarlierReport) -> list[Finding]:
    """Findings that the earlier report does not have; of several equal ones, the last."""
    left = Counter(earlier.findings)
    new = []
    for finding in report.findings:
        identity = _identity(finding)
        left[identity] -= 1
        if left[identity] < 0:
            new.append(finding)
    return new


def gone_findings(report: Report, earlier: EarlierReport) -> int:
    """Number of findings of the earlier report that are gone."""
    return (Counter(earlier.findings) - Counter(map(_identity, report.findings))).total()


def _identity(finding: Finding) -> tuple[str, str, str]:
    """The code, file and module of a finding, because messages contain sizes, which change."""
    path = finding.site.path if finding.site else finding.target
    return (finding.code, path or "", finding.module or finding.message)
