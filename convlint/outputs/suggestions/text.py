"""Suggestions as text: savings, verification, totals, and the diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Consequence, Model, Refusal, Report, RewrittenSet, Suggestion, Timing
from convlint.outputs.parts.columns import MB
from convlint.outputs.parts.excerpt import excerpt
from convlint.outputs.parts.terminal import Styled, number_of, one_line, painted, styled, visible
from convlint.outputs.suggestions import data, front
from convlint.outputs.text import problem_line, remark
from convlint.source_text.texts import SourceTexts

SMALL = MB // 10  # bytes; smaller sizes are printed in kB
CLOSE_ERROR = 0.1  # largest relative error of converted weights that is called close
_MAX_NAMES = 6  # layers in a line


def render(report: Report, *, width: int | None = None, color: bool = False, explain: bool = False) -> str:
    """The suggestions as text, last the diff for ``git apply``; ``explain`` adds why other layers are not rewritten."""
    effects = dict.fromkeys((suggestion.code, suggestion.evidence) for suggestion in report.suggestions)
    summary = front.headline(report)
    lines = [
        *map(problem_line, report.problems),
        *([styled((summary, "bold"))] if summary else ()),
        *(line for model in report.models for line in _model(model)),
        *_front(report),
        *(line for suggestion in report.suggestions for line in _suggestion(suggestion, report.texts, width)),
        *(styled((f"{code}: ", "bold"), one_line(effect)) for code, effect in effects),
        *_refusals(report, explain=explain),
        *_together(report),
    ]
    text = painted(lines, width=width, color=color)
    return text + (f"\n{report.rewritten.diff}" if report.rewritten else "")


def _model(model: Model) -> Iterator[Styled]:
    source = f" ({model.graph.input_source})" if model.graph.input_source else ""
    yield styled(("model: ", "bold"), one_line(model.target))
    yield styled(("input: ", "bold"), one_line("; ".join(model.inputs) + source))
    yield styled()


def _front(report: Report) -> Iterator[Styled]:
    """The proposed set compared with those of single kinds."""
    if report.rewritten is not None and len(report.rewritten.front) > 1:
        for line in front.table(report.rewritten):
            yield styled(line)
        yield styled()


def _suggestion(suggestion: Suggestion, texts: SourceTexts, width: int | None) -> Iterator[Styled]:
    yield styled(
        (visible(str(suggestion.site)) if suggestion.site else layer_names(suggestion.instances), "bold"),
        ": ",
        (suggestion.code, "bold green"),
        f" {suggestion.title}",
        "" if suggestion.chosen else ("  (an alternative, not in the diff)", "dim"),
    )
    if suggestion.site is not None:
        yield from excerpt(texts, suggestion.site, "^", "bold green", width)
    yield remark("layers", layer_names(suggestion.instances))
    yield remark("params", count_change(suggestion.before.params, suggestion.after.params))
    yield remark("MACs", count_change(suggestion.before.macs, suggestion.after.macs))
    yield remark("memory", memory(suggestion))
    if suggestion.weight_error is not None:
        yield remark("weights", weight_error(suggestion))
    for timing in suggestion.latency:
        yield remark("time", latency(timing), "red" if timing.slower else "")
    yield remark("verified", verification(suggestion))
    yield styled()


def layer_names(names: Sequence[str]) -> str:
    """The first names of layers."""
    text = ", ".join(name or "the model itself" for name in names[:_MAX_NAMES])
    more = len(names) - _MAX_NAMES
    return f"{text} and {more} more" if more > 0 else text


def count_change(before: int, after: int) -> str:
    """Two counts and their relative change."""
    return f"{before:,} -> {after:,} ({relative_change(before, after)})"


def relative_change(before: int, after: int) -> str:
    """The change in percent of the first: ``-88.3 %``."""
    return f"{100 * (after - before) / before:+.1f} %" if before else f"+{after:,}"


def memory(suggestion: Suggestion) -> str:
    """Bytes of feature maps and of tensors saved for backward; rewrites often need more of both."""
    maps = f"maps {_size(suggestion.before.output_bytes)} -> {_size(suggestion.after.output_bytes)}"
    if suggestion.before.saved_bytes is None or suggestion.after.saved_bytes is None:
        return f"{maps}; memory saved for backward could not be measured"
    more = suggestion.after.saved_bytes - suggestion.before.saved_bytes
    if not more:
        return f"{maps}; saved for backward: unchanged"
    rises = "training takes more memory" if more > 0 else "training takes less memory"
    return f"{maps}; saved for backward {'+' if more > 0 else '-'}{_size(abs(more))}: {rises}"


def weight_error(suggestion: Suggestion) -> str:
    """The error of converted trained weights."""
    worst = max(suggestion.changes, key=lambda change: change.weight_error or 0)
    error = suggestion.weight_error or 0.0
    safe = "close to the original" if error < CLOSE_ERROR else "retrain"
    return f"relative error up to {error:.3f} (in {worst.layer}): {safe}"


def latency(timing: Timing) -> str:
    """Minimum and median milliseconds, before and after."""
    fastest, median = (
        f"{before * 1e3:,.2f} -> {after * 1e3:,.2f} ms"
        for before, after in zip(timing.before, timing.after, strict=True)
    )
    slower = "SLOWER despite fewer MACs; " if timing.slower else f"{timing.verdict}; "
    threads = number_of(timing.threads, "thread")
    return (
        f"{timing.subject}, {timing.layout}: {slower}min {fastest}, median {median} "
        f"({timing.runs} runs, {timing.device}, {threads})"
    )


def verification(suggestion: Suggestion) -> str:
    """The runs that verified a suggestion."""
    found = suggestion.verified
    if found is None:
        return "no; estimated"
    trained = "and trained" if found.trained else "(training fails on this input, as before)"
    ways = ""
    if found.other_calls:
        many = "call in this file still works" if found.other_calls == 1 else "calls in this file still work"
        ways = f"; {found.other_calls} other constructor {many}"
    return f"built, run {trained}; output shapes, parameters and MACs as estimated{ways}"


def _refusals(report: Report, *, explain: bool) -> Iterator[Styled]:
    refusals = report.refusals
    if explain:
        for refusal in refusals:
            yield _refusal(refusal)
    elif report.suggestions or report.problems:
        left = {name for refusal in refusals for name in refusal.instances}
        left -= {name for suggestion in report.suggestions for name in suggestion.instances}
        if left:
            yield styled(f"{number_of(len(left), 'layer')} not rewritten; --explain lists why.")
    if report.models and not report.suggestions and not report.problems:
        yield styled((front.without_any(report), "bold"))
        for reason in front.reasons_without_any(report) if not (explain and refusals) else ():
            yield styled(f"  {one_line(reason)}")


def _refusal(refusal: Refusal) -> Styled:
    place = visible(str(refusal.site)) if refusal.site else "?"
    code = f" not {refusal.code}" if refusal.code else ""
    return styled((place, "bold"), f":{code}: {layer_names(refusal.instances)}: ", one_line(refusal.reason))


def _together(report: Report) -> Iterator[Styled]:
    rewritten = report.rewritten
    if rewritten is None:
        return
    chosen = [suggestion for suggestion in report.suggestions if suggestion.chosen]
    layers = sum(len(suggestion.instances) for suggestion in chosen)
    calls = f"{number_of(len(chosen), 'call')}, {number_of(layers, 'layer')}"
    yield styled()
    yield styled((f"Together ({calls}):", "bold"))
    for name, text in totals(rewritten):
        yield remark(name, text)
    for timing in rewritten.latency:
        yield remark("time", latency(timing), "red" if timing.slower else "")
    if rewritten.works:
        yield remark("works as before", ", ".join(rewritten.works))
    for consequence in rewritten.consequences:
        yield remark(consequence.kind, placed(consequence), "red" if consequence.kind == "breaks" else "")


def placed(consequence: Consequence) -> str:
    """The message of a consequence, after its place."""
    return f"{consequence.site}: {consequence.message}" if consequence.site else consequence.message


def totals(rewritten: RewrittenSet) -> Iterator[tuple[str, str]]:
    """The measured totals of the model, before and after."""
    before, after = rewritten.before, rewritten.after
    yield "params", count_change(before.params, after.params)
    yield "MACs", count_change(before.macs, after.macs)
    yield "maps", _size_change(before.output_bytes, after.output_bytes)
    yield "saved for backward", _size_change(before.saved_bytes, after.saved_bytes)
    if rewritten.goal:
        yield "goal", rewritten.goal
    if rewritten.data is not None:
        yield from data.lines(rewritten.data)


def _size_change(before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return "not measured"
    return f"{_size(before)} -> {_size(after)} ({relative_change(before, after)})"


def _size(value: int) -> str:
    """Bytes with their unit, as in the tables."""
    return f"{value / MB:,.2f} MB" if value >= SMALL else f"{value / 2**10:,.2f} kB"
