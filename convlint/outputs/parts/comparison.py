"""What is another than in a report that was written before."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

from convlint.ir import EarlierReport, Finding, Model, Report, Totals

SUMS: tuple[tuple[str, Callable[[Totals], int | None]], ...] = (
    ("MACs", lambda totals: totals.macs),
    ("parameters", lambda totals: totals.params),
    ("peak inference memory", lambda totals: totals.peak_inference_bytes),
    ("saved for backward", lambda totals: totals.saved_bytes),
    ("training memory", lambda totals: totals.training_bytes),
)
"""The sums that are compared: what each is called, and how it is read off."""


def lines(report: Report, earlier: EarlierReport) -> Iterator[str]:
    """A sentence for each model, and one for the findings."""
    for model in report.models:
        yield f"{model.target}: {changes(model, earlier)}"
    new, gone = len(new_findings(report, earlier)), gone_findings(report, earlier)
    count = f"{new:,} new, {gone:,} gone" if new or gone else "unchanged"
    yield f"Findings: {count} since {since(earlier)}"


def since(earlier: EarlierReport) -> str:
    """What the earlier report is called: its file's name, as in main for main.json."""
    return os.path.splitext(os.path.basename(earlier.path))[0]


def changes(model: Model, earlier: EarlierReport) -> str:
    """How the sums of a model changed: "+38 % MACs, -2 % parameters since main"."""
    name = since(earlier)
    before = earlier.totals.get(model.target)
    if before is None:
        return f"not in {name}"
    told = [
        f"{changed} {what}"
        for what, of in SUMS
        if (changed := change(of(before), of(model.totals))) not in ("", "0 %")
    ]
    text = f"{', '.join(told) if told else 'unchanged'} since {name}"
    if earlier.inputs[model.target] != model.inputs:
        text += f", which ran on {'; '.join(earlier.inputs[model.target]) or 'no input'}"
    return text


def change(before: int | None, now: int | None) -> str:
    """By how much a sum grew, in percent with as many digits as say something; "" where one was not measured."""
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
    """Those that the earlier report did not have: of several that are alike, the last."""
    left = Counter(earlier.findings)
    new = []
    for finding in report.findings:
        known = _known(finding)
        left[known] -= 1
        if left[known] < 0:
            new.append(finding)
    return new


def gone_findings(report: Report, earlier: EarlierReport) -> int:
    """How many findings of the earlier report are no more."""
    return (Counter(earlier.findings) - Counter(map(_known, report.findings))).total()


def _known(finding: Finding) -> tuple[str, str, str]:
    """Code, file and module: a message names sizes, which change."""
    path = finding.site.path if finding.site else finding.target
    return (finding.code, path or "", finding.module or finding.message)
