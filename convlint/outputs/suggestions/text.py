"""Suggestions for a reader: what each saves, what verifying it showed, totals, and the diff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from convlint.ir import Costs, Model, Refusal, Report, RewrittenSet, Suggestion, Timing
from convlint.outputs.parts.columns import MB
from convlint.outputs.parts.excerpt import excerpt
from convlint.outputs.parts.terminal import Styled, number_of, one_line, painted, styled, visible
from convlint.outputs.text import problem_line

SMALL = MB // 10  # bytes, below which a figure in MB would say little
_SHOWN = 6  # names of layers in a line


def render(
    report: Report, *, width: int | None = None, color: bool = False, explain: bool = False
) -> str:
    """The suggestions as text; ``explain`` says of every layer that could be cheaper why it stays as it is.

    The diff comes last, as ``git apply`` takes it: that passes over what stands before.
    """
    lines = [
        *map(problem_line, report.problems),
        *(line for model in report.models for line in _model(model)),
        *(line for one in report.suggestions for line in _suggestion(one, width)),
        *_effects(report.suggestions),
        *_refusals(report, explain=explain),
        *_together(report),
    ]
    text = painted(lines, width=width, color=color)
    return text + (f"\n{report.rewritten.diff}" if report.rewritten else "")


def _model(model: Model) -> Iterator[Styled]:
    source = f" ({model.graph.input_from})" if model.graph.input_from else ""
    yield styled(("model: ", "bold"), one_line(model.target))
    yield styled(("input: ", "bold"), one_line("; ".join(model.inputs) + source))
    yield styled()


# --- one suggestion


def _suggestion(one: Suggestion, width: int | None) -> Iterator[Styled]:
    yield styled(
        (visible(str(one.site)) if one.site else listed(one.instances), "bold"),
        ": ",
        (one.code, "bold green"),
        f" {one.title}",
        "" if one.chosen else ("  (an alternative, not in the diff)", "dim"),
    )
    if one.site is not None:
        yield from excerpt(one.site, "^", "bold green", width)
    yield _remark("layers", listed(one.instances))
    yield _remark("params", changed(one.before.params, one.after.params))
    yield _remark("MACs", changed(one.before.macs, one.after.macs))
    yield _remark("memory", memory(one))
    if one.weight_error is not None:
        yield _remark("weights", weights(one))
    for timing in one.latency:
        yield _remark("time", timed(timing), "red" if timing.slower else "")
    yield _remark("verified", verified(one))
    yield styled()


def _remark(name: str, text: str, style: str = "") -> Styled:
    return styled(("  = ", "blue"), (f"{name}: ", f"bold {style}"), one_line(text))


def listed(names: Sequence[str]) -> str:
    """Names of layers, the first few."""
    shown = ", ".join(name or "the model itself" for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def changed(before: int, after: int) -> str:
    """Two counts, and by how much of the first they differ."""
    return f"{before:,} -> {after:,} ({percent(before, after)})"


def percent(before: int, after: int) -> str:
    """The change in per cent of the first: ``-88.3 %``."""
    return f"{100 * (after - before) / before:+.1f} %" if before else f"+{after:,}"


def memory(one: Suggestion) -> str:
    """Bytes of maps and of what is saved for backward: rewrites often need more of both."""
    maps = f"maps {_size(one.before.output_bytes)} -> {_size(one.after.output_bytes)}"
    if one.before.saved_bytes is None or one.after.saved_bytes is None:
        return f"{maps}; memory saved for backward could not be measured"
    more = one.after.saved_bytes - one.before.saved_bytes
    if not more:
        return f"{maps}; saved for backward: unchanged"
    rises = "training takes more memory" if more > 0 else "training takes less memory"
    return f"{maps}; saved for backward {'+' if more > 0 else '-'}{_size(abs(more))}: {rises}"


def weights(one: Suggestion) -> str:
    """How well trained weights survive."""
    worst = max(one.changes, key=lambda change: change.weight_error or 0)
    error = one.weight_error or 0.0
    safe = "close to the original" if error < SAFE else "retrain"
    return f"relative error up to {error:.3f} (in {worst.layer}): {safe}"


SAFE = 0.1
"""Largest relative error of converted weights that is called close."""


def timed(timing: Timing) -> str:
    """Milliseconds before and after, the least and the median."""
    fastest, median = (
        f"{before * 1e3:,.2f} -> {after * 1e3:,.2f} ms"
        for before, after in zip(timing.before, timing.after, strict=True)
    )
    slower = "SLOWER despite fewer MACs; " if timing.slower else ""
    threads = number_of(timing.threads, "thread")
    return (
        f"{timing.what}, {timing.layout}: {slower}min {fastest}, median {median} "
        f"({timing.runs} runs, {timing.device}, {threads})"
    )


def verified(one: Suggestion) -> str:
    """What was run to verify it."""
    found = one.verified
    trained = "and trained" if found.trained else "(training fails on this input, as before)"
    ways = ""
    if found.ways:
        many = (
            "call in this file still works" if found.ways == 1 else "calls in this file still work"
        )
        ways = f"; {found.ways} other constructor {many}"
    return f"built, run {trained}; output shapes, parameters and MACs as estimated{ways}"


def _effects(suggestions: Iterable[Suggestion]) -> Iterator[Styled]:
    for code, effect in dict.fromkeys((one.code, one.evidence) for one in suggestions):
        yield styled((f"{code}: ", "bold"), one_line(effect))


# --- what stays


def _refusals(report: Report, *, explain: bool) -> Iterator[Styled]:
    refusals = report.refusals
    if explain:
        for refusal in refusals:
            yield _refusal(refusal)
    elif report.suggestions or report.problems:
        left = {name for refusal in refusals for name in refusal.instances}
        left -= {name for one in report.suggestions for name in one.instances}
        if left:
            yield styled(f"{number_of(len(left), 'layer')} not rewritten; --explain lists why.")
    if report.models and not report.suggestions and not report.problems:
        yield styled(("Nothing to rewrite.", "bold"))
        reasons = Counter(refusal.reason for refusal in refusals for _ in refusal.instances)
        for reason, count in reasons.most_common() if not explain else ():
            yield styled(f"  {number_of(count, 'layer')}: {one_line(reason)}")
        if not reasons:
            yield styled(
                "  No dense convolution with a kernel larger than 1x1 has more than 4 input channels."
            )


def _refusal(refusal: Refusal) -> Styled:
    place = visible(str(refusal.site)) if refusal.site else "?"
    code = f" not {refusal.code}" if refusal.code else ""
    return styled(
        (place, "bold"), f":{code}: {listed(refusal.instances)}: ", one_line(refusal.reason)
    )


# --- all together


def _together(report: Report) -> Iterator[Styled]:
    rewritten = report.rewritten
    if rewritten is None:
        return
    chosen = [one for one in report.suggestions if one.chosen]
    layers = sum(len(one.instances) for one in chosen)
    calls = f"{number_of(len(chosen), 'call')}, {number_of(layers, 'layer')}"
    yield styled()
    yield styled((f"Together ({calls}):", "bold"))
    for name, text in totals(rewritten):
        yield _remark(name, text)
    for timing in rewritten.latency:
        yield _remark("time", timed(timing), "red" if timing.slower else "")


def totals(rewritten: RewrittenSet) -> Iterator[tuple[str, str]]:
    """The model before and after, as it was measured."""
    before, after = rewritten.before, rewritten.after
    yield "params", changed(before.params, after.params)
    yield "MACs", changed(before.macs, after.macs)
    yield "maps", _bytes(before.output_bytes, after.output_bytes)
    yield "saved for backward", _saved(before, after)
    if rewritten.goal:
        yield "goal", rewritten.goal


def _bytes(before: int, after: int) -> str:
    return f"{_size(before)} -> {_size(after)} ({percent(before, after)})"


def _saved(before: Costs, after: Costs) -> str:
    if before.saved_bytes is None or after.saved_bytes is None:
        return "not measured"
    return _bytes(before.saved_bytes, after.saved_bytes)


def _size(value: int) -> str:
    """Bytes for a reader, in the units of the tables."""
    return f"{value / MB:,.2f} MB" if value >= SMALL else f"{value / 2**10:,.2f} kB"
