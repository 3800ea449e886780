"""Findings and problems as plain sentences, for formats that have one text for each."""

from __future__ import annotations

from convlint.ir import Finding, Problem
from convlint.outputs.parts.terminal import one_line

APPLIED = ("safe", "unsafe")  # fixes that tools may apply; the others are only displayed


def finding_lines(finding: Finding) -> list[str]:
    """The message of a finding, its witness and its fix, one line each."""
    lines = [one_line(finding.message)]
    witness, fix = finding.witness, finding.fix
    if witness is not None:
        inputs = f" on {', '.join(witness.inputs)}" if witness.inputs else ""
        control = f", while {witness.control} works" if witness.control else ""
        lines.append(one_line(f"Witness: {witness.call}{inputs} fails: {witness.error}{control}"))
    if fix is not None:
        kind = "Help" if fix.applicability == "display" else f"Fix ({fix.applicability})"
        lines.append(one_line(f"{kind}: {fix.title}"))
    return lines


def problem_sentence(problem: Problem) -> str:
    """One sentence that reports a problem."""
    about = f" in {problem.target}" if problem.target and problem.path else ""
    return one_line(f"Could not check everything{about}: {problem.message}")
