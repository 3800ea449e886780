"""Findings and problems as plain sentences, for formats that have one text for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Edit, Finding, Problem, Repair
from convlint.outputs.parts.terminal import one_line

APPLIED = ("safe", "unsafe")  # fixes that tools may apply; the others are only displayed
_MOST_NAMES = 6  # modules of one finding


def headline(finding: Finding) -> str:
    """The message of a finding on one line, with the repairs that were tried if it does not say what to do."""
    if "; use " in finding.message or "; replace " in finding.message:
        return one_line(finding.message)
    titles = [_place_and_title(finding, repair) for repair in finding.repairs]
    advice = [f"use {title}" if "=" in title.partition(" ")[0] else title for title in titles]
    if len(advice) < 2:
        return one_line("; ".join([finding.message, *advice]))
    return one_line(f"{finding.message}; either {' or '.join(advice)}")


def finding_lines(finding: Finding) -> list[str]:
    """The message of a finding, its modules if they are several, its witness and its fix, one line each."""
    lines = [finding.message]
    if modules := affected_modules(finding):
        lines.append(f"Modules: {modules}")
    witness, fix = finding.witness, finding.fix
    if witness is not None:
        inputs = f" on {', '.join(witness.inputs)}" if witness.inputs else ""
        control = f", while {witness.control} works" if witness.control else ""
        lines.append(f"Witness: {witness.call}{inputs} fails: {witness.error}{control}")
    if finding.repairs:
        lines.append(f"{fix_kind(finding).capitalize()}: {repair_sentence(finding)}")
    elif fix is not None:
        kind = "Help" if fix.applicability == "display" else f"Fix ({fix.applicability})"
        lines.append(f"{kind}: {fix.title}")
    return [one_line(line) for line in lines]


def affected_modules(finding: Finding) -> str:
    """The modules of a finding, with the lines that build them if they differ; empty for a single module."""
    shown = [each for each in finding.occurrences if each.module is not None]
    if len({(each.path, each.line) for each in shown}) > 1:
        return listed([f"{each.module} ({each.path}:{each.line})" for each in shown])
    return listed(finding.instances) if len(finding.instances) > 1 else ""


def listed(names: Sequence[str]) -> str:
    """The first names, and the number of the others."""
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def fix_kind(finding: Finding) -> str:
    """Name the fix of a finding: "verified fix", "safe fix", "unsafe fix", or "help" if it is only displayed."""
    if finding.repairs and finding.repairs[0].verified:
        return "verified fix"
    if finding.fix is None:
        return ""
    return "help" if finding.fix.applicability == "display" else f"{finding.fix.applicability} fix"


def fixes(finding: Finding) -> Iterator[tuple[str, str, tuple[Edit, ...]]]:
    """Each way to fix a finding: what it is, its title, and its edits; equally good repairs are alternatives.

    The effect of repairs that were tried follows the last.
    """
    for number, repair in enumerate(finding.repairs, start=1):
        is_last = number == len(finding.repairs)
        either = "either " if number == 1 and not is_last else ""
        effect = f"; {repair.effect}" if is_last and repair.effect else ""
        title = f"{either}{repair.title}{repair_place(finding, repair)}{effect}"
        yield "or" if number > 1 else fix_kind(finding), title, repair.edits
    if finding.fix is not None and not finding.repairs:
        yield fix_kind(finding), finding.fix.title, finding.fix.edits


def repair_sentence(finding: Finding) -> str:
    """The repairs of a finding and their effect: "either replace `8` with `16` or ...; the model then runs"."""
    titles = [_place_and_title(finding, repair) for repair in finding.repairs]
    text = titles[0] if len(titles) == 1 else f"either {' or '.join(titles)}"
    effect = finding.repairs[0].effect
    return f"{text}; {effect}" if effect else text


def _place_and_title(finding: Finding, repair: Repair) -> str:
    return f"{repair.title}{repair_place(finding, repair)}"


def repair_place(finding: Finding, repair: Repair) -> str:
    """The place of a repair that is not at the lines of the finding: " at net.py:8"."""
    site = finding.site
    for edited in (edit.site for edit in repair.edits[:1]):
        if site is None or site.path != edited.path or not site.line <= edited.line <= max(site.end_line, site.line):
            return f" at {edited.path}:{edited.line}"
    return ""


def problem_sentence(problem: Problem) -> str:
    """One sentence that reports a problem."""
    about = f" in {problem.target}" if problem.target and problem.path else ""
    return one_line(f"Could not check everything{about}: {problem.message}")
