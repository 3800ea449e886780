"""The sum of a set of suggestions in one line, and its comparison with the sets of single kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from convlint.ir import Costs, Report, RewrittenSet, Timing
from convlint.outputs.parts.terminal import number_of

HEAD = ("set", "layers", "parameters", "MACs", "training memory", "weight error")


def headline(report: Report) -> str | None:
    """The totals of the rewritten model in one line; None without one."""
    rewritten = report.rewritten
    if rewritten is None:
        return None
    before, after = rewritten.before, rewritten.after
    parts = [
        f"{short(before.params)} -> {short(after.params)} parameters ({percent(before.params, after.params)})",
        f"{short(before.macs)} -> {short(after.macs)} MACs ({percent(before.macs, after.macs)})",
        training_memory(before, after),
        time_verdict(rewritten.latency),
    ]
    return ", ".join(parts)


def without_any(report: Report) -> str:
    """The sentence of a report without suggestions: there is no layer to rewrite, or none can be."""
    return "No layer can be rewritten:" if report.refusals else "Nothing to rewrite."


def reasons_without_any(report: Report) -> list[str]:
    """The reasons why a report has no suggestions, each with the number of its layers."""
    layers = {(refusal.reason, name) for refusal in report.refusals for name in refusal.instances}
    counts = Counter(reason for reason, _ in sorted(layers))
    if not counts:
        return ["No dense convolution with a kernel larger than 1x1 has more than 4 input channels."]
    return [f"{number_of(count, 'layer')}: {reason}" for reason, count in counts.most_common()]


def rows(rewritten: RewrittenSet) -> Iterator[tuple[str, ...]]:
    """The cells of each set."""
    before = rewritten.before
    for each in rewritten.front:
        now = each.totals
        yield (
            f"{each.name} (proposed)" if each.chosen else each.name,
            str(each.layers),
            f"{short(now.params)} ({percent(before.params, now.params)})",
            f"{short(now.macs)} ({percent(before.macs, now.macs)})",
            training_memory(before, now).removeprefix("training memory "),
            "-" if each.weight_error is None else f"{each.weight_error:.3f}",
        )


def table(rewritten: RewrittenSet) -> Iterator[str]:
    """The sets in aligned columns; the column of errors only with trained weights."""
    lines = [HEAD, *rows(rewritten)]
    if all(each.weight_error is None for each in rewritten.front):
        lines = [line[:-1] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *rest = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join([first, *rest]).rstrip()


def training_memory(before: Costs, after: Costs) -> str:
    if not before.saved_bytes or after.saved_bytes is None:
        return "training memory not measured"
    return f"training memory {percent(before.saved_bytes, after.saved_bytes)}"


def time_verdict(timings: tuple[Timing, ...]) -> str:
    """The verdict for each memory layout."""
    if not timings:
        return "time not measured: fewer MACs may be slower"
    return "time " + ", ".join(f"{percent_of_time(timing)} ({timing.layout})" for timing in timings)


def percent_of_time(timing: Timing) -> str:
    if timing.verdict == "no difference":
        return timing.verdict
    return f"{timing.verdict}: {percent(timing.before[0], timing.after[0])}"


def percent(before: float, after: float) -> str:
    """The change in whole percent: ``-85 %``."""
    return f"{100 * (after - before) / before:+.0f} %" if before else f"+{after:,}"


def short(value: int) -> str:
    """A count with three digits and a unit: ``381 k``."""
    for size, unit in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if value >= size:
            digits = value / size
            return f"{digits:.{0 if digits >= 100 else 1 if digits >= 10 else 2}f}{unit}"
    return str(value)
