"""Findings and problems in sentences, for formats that have one text for each."""

from __future__ import annotations

from convlint.ir import Finding, Fix, Problem
from convlint.outputs.parts.terminal import one_line

APPLIED = ("safe", "unsafe")
"""Fixes that are whole changes of the text; those for display only are told, and not made by anyone's click."""


def told(finding: Finding) -> list[str]:
    """The message of a finding, and a line each for what proves it and how it is mended."""
    lines = [one_line(finding.message)]
    witness, fix = finding.witness, finding.fix
    if witness is not None:
        inputs = f" on {', '.join(witness.inputs)}" if witness.inputs else ""
        control = f", while {witness.control} works" if witness.control else ""
        lines.append(one_line(f"Witness: {witness.call}{inputs} fails: {witness.error}{control}"))
    if fix is not None:
        lines.append(one_line(f"{_kind(fix)}: {fix.title}"))
    return lines


def _kind(fix: Fix) -> str:
    return "Help" if fix.applicability == "display" else f"Fix ({fix.applicability})"


def unchecked(problem: Problem) -> str:
    """A problem in one sentence that says it is one."""
    about = f" in {problem.target}" if problem.target and problem.path else ""
    return one_line(f"Could not check everything{about}: {problem.message}")
