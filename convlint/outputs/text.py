"""A report as text: findings with excerpts of source, problems, tables, and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Literal

from convlint.ir import SEVERITIES, Finding, Problem, Report, Severity
from convlint.outputs.parts.excerpt import excerpt, fix_preview, span_text
from convlint.outputs.parts.sentences import affected_modules, fixes, listed
from convlint.outputs.parts.terminal import Styled, number_of, one_line, painted, plain, styled, visible

if TYPE_CHECKING:
    from rich.text import Text

    from convlint.outputs.parts.columns import TableOptions
    from convlint.source_text.texts import SourceTexts

COLORS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "blue"}


def render(
    report: Report,
    *,
    table: TableOptions | Literal["usual"] | None = "usual",
    width: int | None = None,
    color: bool = False,
    verdict: bool = True,
    files: int | None = None,
    fixed: int = 0,
    statistics: bool = False,
    quiet: bool = False,
) -> str:
    """The report as text.

    Args:
        table: options of the layer tables; None for no tables.
        width: cells of the terminal; None for no limit.
        color: whether to add escape codes.
        verdict: whether to end with the line that counts the findings; False for ``convlint summary``.
        files: number of files that were checked statically; None if no file was requested.
        fixed: number of findings that were fixed.
        statistics: whether to print the number of findings per rule instead of the findings.
        quiet: whether to print findings and problems only.
    """
    findings = _statistics(report) if statistics else _findings(report, width)
    problems = (line for problem in report.problems for line in (problem_line(problem), styled()))
    parts: list[Iterable[Text | Styled]] = [findings, problems]
    if table is not None and not quiet:
        parts.append(_tables(report, table, width))
    if not quiet and (verdict or report.findings or report.problems):
        parts.append(_since(report))
        parts.append(_coverage(report, statistics=statistics))
        parts.append([_verdict(report, files, fixed)])
    return painted(chain.from_iterable(parts), width=width, color=color)


def _tables(report: Report, table: TableOptions | Literal["usual"], width: int | None) -> Iterator[Text | Styled]:
    for model in report.models:
        from convlint.outputs.parts import table as layer_table

        options = layer_table.TableOptions() if table == "usual" else table
        yield from layer_table.texts(model, options, width)
        yield styled()


def _findings(report: Report, width: int | None) -> Iterator[Styled]:
    several = len({model.target for model in report.models}) > 1
    for finding in report.findings:
        yield from _finding(finding, report.texts, width, several=several)
        yield styled()


def _statistics(report: Report) -> Iterator[Styled]:
    """The number of findings per code, the most frequent first."""
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    width = max((len(f"{count:,}") for count in counts.values()), default=0)
    for (code, name), count in sorted(counts.items(), key=lambda row: (-row[1], row[0])):
        yield styled(f"{count:>{width},} ", (code, "bold"), f" [{name}]")
    if counts:
        yield styled()


def _finding(finding: Finding, texts: SourceTexts, width: int | None, *, several: bool) -> Iterator[Styled]:
    color = COLORS[finding.severity]
    yield styled(
        (visible(str(finding.site or finding.target or "model")), "bold"),
        ": ",
        (f"{finding.code} {finding.severity}", f"bold {color}"),
        f" [{finding.name}] ",
        one_line(finding.message),
    )
    if finding.site is not None:
        yield from excerpt(texts, finding.site, "^", f"bold {color}", width)
    for related in finding.related:
        if not related.is_failure:
            yield styled(("  --> ", "blue"), visible(str(related.site)), ": ", one_line(related.message))
            yield from excerpt(texts, related.site, "-", "blue", width)
    for related in finding.related:
        if related.is_failure:
            place = f"{visible(related.site.path)}:{related.site.line}"
            yield remark(f"first fails at {place}", span_text(texts, related.site))
    if several and (models := _models(finding)):
        yield remark("model" if len(models) == 1 else "models", listed(models))
    if modules := affected_modules(finding):
        yield remark("modules", modules)
    if finding.confidence != "high":
        yield remark("confidence", finding.confidence)
    if (witness := finding.witness) is not None:
        inputs = f" on {', '.join(witness.inputs)}" if witness.inputs else ""
        yield remark(
            "witness" if witness.verified == "run" else "static witness",
            f"{witness.call}{inputs} fails: {witness.error}",
        )
        if witness.control:
            yield remark("control", f"{witness.control} works")
    for name, fix, edits in fixes(finding):
        yield remark(name, fix, "green")
        yield from fix_preview(texts, edits, width)


def _models(finding: Finding) -> tuple[str, ...]:
    """The models that were run and have the finding."""
    targets = (finding.target, *(each.target for each in finding.occurrences))
    return tuple(dict.fromkeys(target for target in targets if target))


def remark(name: str, text: str, style: str = "") -> Styled:
    """A named fact below a finding or suggestion."""
    return styled(("  = ", "blue"), (f"{name}: ", f"bold {style}"), one_line(text))


def problem_line(problem: Problem) -> Styled:
    """A problem in one line: place, kind and message."""
    place, kind = (visible(problem.place), "bold"), ("problem", "bold magenta")
    return styled(place, ": ", kind, f" [{problem.kind}] ", one_line(problem.message))


def verdict(report: Report) -> str:
    """The line that counts findings and problems."""
    return plain(_verdict(report, None, 0))


def _since(report: Report) -> Iterator[Styled]:
    if report.earlier is not None:
        from convlint.outputs.parts import comparison

        for line in comparison.lines(report, report.earlier):
            yield styled(one_line(line))
        yield styled()


def _coverage(report: Report, *, statistics: bool) -> Iterator[Styled]:
    """One line that says how far the analysis came; with ``statistics``, a line for each class that is incomplete."""
    if not report.coverage:
        return
    from convlint.outputs.parts import coverage

    if statistics:
        for line in coverage.listed(report.coverage):
            yield styled(one_line(line))
    shown = [each for each in report.coverage if each.name or not each.is_complete]  # a run has a table
    if text := coverage.sentence(shown):
        yield styled(one_line(text))


def _verdict(report: Report, files: int | None, fixed: int) -> Styled:
    """The numbers of findings and problems, and the models and modules that were not fully traced."""
    severities = Counter(finding.severity for finding in report.findings)
    counts = [number_of(severities[s], s) for s in SEVERITIES if severities[s]]
    places = [number_of(len(report.models), "model")] if report.models else []
    places += [number_of(files or 0, "file")] if files or (files is not None and not counts) else []
    where = f" in {_enumerated(places)}" if places else ""
    parts: list[str | tuple[str, str]] = []
    if counts:
        worst = next(s for s in SEVERITIES if severities[s])
        parts.append((f"Found {_enumerated(counts)}{where}.", f"bold {COLORS[worst]}"))
    elif report.models or files or not report.problems:
        complete = not report.problems and all(m.status == "complete" for m in report.models)
        parts.append((f"No findings{where}.", "bold green" if complete else "bold"))
    if fixed:
        parts.append((f" Fixed {number_of(fixed, 'finding')}.", "bold green"))
    parts.append(_fixable(report))
    if report.problems:
        problems = number_of(len(report.problems), "problem")
        parts.append(" " * any(text for text, _ in styled(*parts)))
        parts.append((f"Could not check everything: {problems}.", "bold magenta"))
    if partial := [model for model in report.models if model.status != "complete"]:
        parts.append(f" {number_of(len(partial), 'model')} did not run to completion.")
    unseen = {name for model in report.models for name, _ in model.graph.untraced if name}
    if unseen:
        parts.append(f" Not traced into: {listed(sorted(unseen))}.")
    return styled(*parts)


def _fixable(report: Report) -> str:
    """The numbers of fixable findings, with the options that fix them."""
    kinds = Counter(finding.fix.applicability for finding in report.findings if finding.fix)
    safe, unsafe = kinds["safe"], kinds["unsafe"]
    if safe:
        more = f", {unsafe:,} more with --unsafe-fixes" if unsafe else ""
        return f" {safe:,} can be fixed with --fix{more}."
    return f" {unsafe:,} can be fixed with --fix --unsafe-fixes." if unsafe else ""


def _enumerated(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
