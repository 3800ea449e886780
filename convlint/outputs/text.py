"""A report for a reader: findings with the source they point at, problems, tables, and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from convlint.model import SEVERITIES, Finding, Fix, Problem, Related, Report, Severity, Witness
from convlint.outputs import table as layer_table
from convlint.outputs.columns import TableOptions
from convlint.outputs.excerpt import excerpt, mended
from convlint.outputs.terminal import one_line, painted, visible

COLORS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "blue"}
DEFAULT_TABLE = TableOptions()


def render(
    report: Report,
    *,
    table: TableOptions | None = DEFAULT_TABLE,
    width: int | None = None,
    color: bool = False,
    verdict: bool = True,
) -> str:
    """The report as text.

    ``table`` says how each model's layers are shown, None leaves the tables out. ``width`` is that of
    the terminal in cells, None takes what is needed; ``color`` adds escape codes. ``verdict`` ends with
    the line that counts the findings: for a run that did not look for any, it is left out.
    """
    return painted(_lines(report, table, width, verdict=verdict), width=width, color=color)


def _lines(
    report: Report,
    table: TableOptions | None,
    width: int | None,
    *,
    verdict: bool,
) -> Iterator[Text]:
    several = len({model.target for model in report.models}) > 1
    for finding in report.findings:
        yield from _finding(finding, width, several=several)
        yield Text()
    for problem in report.problems:
        yield _problem(problem)
        yield Text()
    for model in report.models if table is not None else ():
        yield from layer_table.texts(model, table or DEFAULT_TABLE, width)
        yield Text()
    if verdict or report.findings or report.problems:
        yield _verdict(report)


# --- findings


def _finding(finding: Finding, width: int | None, *, several: bool) -> Iterator[Text]:
    color = COLORS[finding.severity]
    yield Text.assemble(
        (visible(str(finding.site or finding.target or "model")), "bold"),
        ": ",
        (f"{finding.code} {finding.severity}", f"bold {color}"),
        f" [{finding.name}] ",
        one_line(finding.message),
    )
    if finding.site is not None:
        yield from excerpt(finding.site, "^", f"bold {color}", width)
    for related in finding.related:
        yield from _related(related, width)
    if several and finding.target:
        yield _remark("model", finding.target)
    if len(finding.instances) > 1:
        yield _remark("modules", _listed(finding.instances))
    if finding.confidence != "high":
        yield _remark("confidence", finding.confidence)
    if finding.witness is not None:
        yield from _witness(finding.witness)
    if finding.fix is not None:
        yield from _fix(finding.fix, width)


def _related(related: Related, width: int | None) -> Iterator[Text]:
    yield Text.assemble(
        ("  --> ", "blue"), visible(str(related.site)), ": ", one_line(related.message)
    )
    yield from excerpt(related.site, "-", "blue", width)


def _witness(witness: Witness) -> Iterator[Text]:
    inputs = f" on {', '.join(witness.inputs)}" if witness.inputs else ""
    yield _remark("witness", f"{witness.call}{inputs} fails: {witness.error}")
    if witness.control:
        yield _remark("control", f"{witness.control} works")


def _fix(fix: Fix, width: int | None) -> Iterator[Text]:
    kind = "help" if fix.applicability == "display" else f"{fix.applicability} fix"
    yield _remark(kind, fix.title, "green")
    yield from mended(fix.edits, width)


def _remark(name: str, text: str, style: str = "") -> Text:
    return Text.assemble(("  = ", "blue"), (f"{name}: ", f"bold {style}"), one_line(text))


def _listed(names: tuple[str, ...], limit: int = 6) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


# --- problems and the verdict


def _problem(problem: Problem) -> Text:
    place = problem.path or problem.target or "convlint"
    if problem.path and problem.line:
        place += f":{problem.line}"
    return Text.assemble(
        (visible(place), "bold"),
        ": ",
        ("problem", "bold magenta"),
        f" [{problem.kind}] ",
        one_line(problem.message),
    )


def _verdict(report: Report) -> Text:
    """What was found, what could not be checked, and what was seen in part only."""
    severities = Counter(finding.severity for finding in report.findings)
    found = [_number_of(severities[s], s) for s in SEVERITIES if severities[s]]
    where = f" in {_number_of(len(report.models), 'model')}" if report.models else ""
    text = Text()
    if found:
        worst = next(s for s in SEVERITIES if severities[s])
        text.append(f"Found {_enumerated(found)}{where}.", f"bold {COLORS[worst]}")
    elif report.models or not report.problems:
        complete = not report.problems and all(m.status == "complete" for m in report.models)
        text.append(f"Found nothing{where}.", "bold green" if complete else "bold")
    if report.problems:
        problems = _number_of(len(report.problems), "problem")
        text.append(" " * bool(text)).append(
            f"Could not check everything: {problems}.", "bold magenta"
        )
    if partial := [model for model in report.models if model.status != "complete"]:
        text.append(f" {_number_of(len(partial), 'model')} did not run to the end.")
    unseen = {name for model in report.models for name, _ in model.graph.unseen if name}
    if unseen:
        text.append(f" Not seen inside: {_listed(tuple(sorted(unseen)))}.")
    return text


def _number_of(count: int, thing: str) -> str:
    plural = thing if count == 1 or thing == "info" else f"{thing}s"
    return f"{count:,} {plural}"


def _enumerated(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
