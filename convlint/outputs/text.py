"""A report as text: findings with excerpts of source, problems, tables, and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Literal

from convlint.ir import SEVERITIES, Finding, Problem, Report, Severity
from convlint.outputs.parts.excerpt import GUTTER, excerpt, fix_preview, span_text
from convlint.outputs.parts.listing import ALL, entries, is_listed, line_list
from convlint.outputs.parts.sentences import affected_modules, fixes, listed
from convlint.outputs.parts.terminal import Styled, number_of, one_line, painted, styled, visible

if TYPE_CHECKING:
    from rich.text import Text

    from convlint.outputs.parts.columns import TableOptions
    from convlint.source_text.texts import SourceTexts

Layout = Literal["auto", "tables", "lines"]
COLORS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "cyan"}


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
    infos: tuple[str, ...] = (),
    layout: Layout = "auto",
    in_python: bool = False,
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
        infos: prefixes of the codes whose infos are listed, and not only counted.
        layout: of models: a table each, or a line each; "auto" has a table for a single model.
        in_python: whether a reader is in Python, where the options of the command line mean nothing.
    """
    findings = _statistics(report) if statistics else _findings(report, width, infos)
    problems = (line for problem in report.problems for line in (problem_line(problem), styled()))
    parts: list[Iterable[Text | Styled]] = [findings, problems]
    if table is not None and not quiet:
        parts.append(_models(report, table, width, layout))
    if not quiet and (verdict or report.findings or report.problems):
        parts.append(_since(report))
        parts.append(_coverage(report, statistics=statistics))
        parts.append([closing_line(report, files, fixed, ALL if statistics else infos, in_python=in_python)])
    return painted(chain.from_iterable(parts), width=width, color=color)


def _models(
    report: Report, table: TableOptions | Literal["usual"], width: int | None, layout: Layout
) -> Iterator[Text | Styled]:
    if not report.models:
        return
    from convlint.outputs.parts.columns import TableOptions

    options = TableOptions() if table == "usual" else table
    if layout == "lines" or (layout == "auto" and len(report.models) > 1):
        from convlint.outputs.parts.model_lines import model_lines

        yield from model_lines(report.models, width, exact=options.exact)
        yield styled()
        return
    for model in report.models:
        from convlint.outputs.parts import table as layer_table

        yield from layer_table.texts(model, options, width)
        yield styled()


def _findings(report: Report, width: int | None, infos: tuple[str, ...]) -> Iterator[Styled]:
    several = len({model.target for model in report.models}) > 1
    for finding, lines in entries(report.findings, infos):
        yield from _finding(finding, report.texts, width, several=several)
        if lines:
            yield remark("also at", line_list(lines))
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
            yield styled(("  --> ", GUTTER), visible(str(related.site)), ": ", one_line(related.message))
            yield from excerpt(texts, related.site, "-", GUTTER, width)
    for related in finding.related:
        if related.is_failure:
            place = f"{visible(related.site.path)}:{related.site.line}"
            yield remark(f"first fails at {place}", span_text(texts, related.site))
    if several and (models := _models_of(finding)):
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


def _models_of(finding: Finding) -> tuple[str, ...]:
    """The models that were run and have the finding."""
    targets = (finding.target, *(each.target for each in finding.occurrences))
    return tuple(dict.fromkeys(target for target in targets if target))


def remark(name: str, text: str, style: str = "") -> Styled:
    """A named fact below a finding or suggestion."""
    return styled(("  = ", GUTTER), (f"{name}: ", f"bold {style}"), one_line(text))


def problem_line(problem: Problem) -> Styled:
    """A problem in one line: place, kind and message."""
    place, kind = (visible(problem.place), "bold"), ("problem", "bold magenta")
    return styled(place, ": ", kind, f" [{problem.kind}] ", one_line(problem.message))


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
    if text := coverage.sentence(shown, with_list=statistics):
        yield styled(one_line(text))


def closing_line(
    report: Report, files: int | None = None, fixed: int = 0, infos: tuple[str, ...] = ALL, *, in_python: bool = False
) -> Styled:
    """The numbers of findings and problems, and the models and modules that were not fully traced."""
    listed_findings = [finding for finding in report.findings if is_listed(finding, infos)]
    unlisted = [finding for finding in report.findings if not is_listed(finding, infos)]
    severities = Counter(finding.severity for finding in listed_findings)
    counts = [number_of(severities[s], s) for s in SEVERITIES if severities[s]]
    places = [number_of(len(report.models), "model")] if report.models else []
    places += [number_of(files or 0, "file")] if files or (files is not None and not counts) else []
    where = f" in {_enumerated(places)}" if places else ""
    sentences: list[str | tuple[str, str]] = []
    if counts:
        worst = next(s for s in SEVERITIES if severities[s])
        sentences.append((f"Found {_enumerated(counts)}{where}.", f"bold {COLORS[worst]}"))
    elif report.models or files or not report.problems:
        complete = not report.problems and all(m.status == "complete" for m in report.models)
        none = "No errors or warnings" if unlisted else "No findings"
        sentences.append((f"{none}{where}.", "bold green" if complete else "bold"))
    if fixed:
        sentences.append((f"Fixed {number_of(fixed, 'finding')}.", "bold green"))
    fixable = "" if in_python else _fixable(listed_findings)
    if fixable:
        sentences.append(fixable)
    if unlisted and in_python:
        sentences.append(f"{number_of(len(unlisted), 'info')} not listed: report.findings has all.")
    elif unlisted:
        sentences.append(_unlisted(unlisted))
    if report.problems:
        problems = number_of(len(report.problems), "problem")
        sentences.append((f"Could not check everything: {problems}.", "bold magenta"))
    if partial := [model for model in report.models if model.status != "complete"]:
        sentences.append(f"{number_of(len(partial), 'model')} did not run to completion.")
    unseen = {name for model in report.models for name, _ in model.graph.untraced if name}
    if unseen:
        sentences.append(f"Not traced into: {listed(sorted(unseen))}.")
    spaced = [part for sentence in sentences for part in (" ", sentence)]
    return styled(*spaced[1:])


def _fixable(findings: Iterable[Finding]) -> str:
    """The numbers of fixable findings, with the options that fix them."""
    safe, unsafe = _fix_counts(findings)
    if safe:
        more = f", {unsafe:,} more with --unsafe-fixes" if unsafe else ""
        return f"{safe:,} can be fixed with --fix{more}."
    return f"{unsafe:,} can be fixed with --fix --unsafe-fixes." if unsafe else ""


def _unlisted(infos: Sequence[Finding]) -> str:
    """The number of infos that are not listed, with the options that list and fix them."""
    safe, unsafe = _fix_counts(infos)
    fixes = [f"--fix fixes {safe:,}"] if safe else []
    fixes += [f"--fix --unsafe-fixes fixes {safe + unsafe:,}"] if unsafe else []
    return f"{number_of(len(infos), 'info')} not listed: {', '.join(['--verbose lists them', *fixes])}."


def _fix_counts(findings: Iterable[Finding]) -> tuple[int, int]:
    """The numbers of safe and of unsafe fixes."""
    kinds = Counter(finding.fix.applicability for finding in findings if finding.fix)
    return kinds["safe"], kinds["unsafe"]


def _enumerated(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
