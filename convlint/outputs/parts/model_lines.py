"""Several models as one line each: parameters, multiply-accumulates, peak memory and status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Model
from convlint.outputs.parts import footer
from convlint.outputs.parts.columns import megabytes
from convlint.outputs.parts.terminal import Styled, cell_len, cut, one_line, styled

_TITLES = ("model", "params", "MACs", "peak MB", "status")
_GAP = "  "
_NAME_AT_LEAST = 12  # cells


def model_lines(models: Sequence[Model], width: int | None, *, exact: bool = False) -> Iterator[Styled]:
    """A heading, a line for each model, and below one that stopped the reason."""
    rows = [_TITLES, *(_cells(model, exact=exact) for model in models)]
    widths = [max(cell_len(row[n]) for row in rows) for n in range(len(_TITLES))]
    if width is not None:
        widths[0] = max(min(widths[0], width - sum(widths[1:]) - len(_GAP) * (len(_TITLES) - 1)), _NAME_AT_LEAST)
    heading, *lines = [_aligned(row, widths) for row in rows]
    yield styled((_GAP.join(heading), "bold"))
    for model, line in zip(models, lines, strict=True):
        color = "green" if line[-1] == "complete" else "red"
        yield styled(_GAP.join([*line[:-1], ""]), (line[-1], color))
        if reason := footer.stopped(model):
            yield styled((f"  {reason}", "red"))


def _cells(model: Model, *, exact: bool) -> tuple[str, ...]:
    text = footer.number_text(exact=exact)
    macs = f"{'>=' if footer.is_partial(model) else ''}{text(model.totals.macs)}"
    params = text(model.totals.params)
    if model.status == "failed":  # it was not built
        params = macs = "-"
    peak = model.totals.peak_inference_bytes
    return (
        one_line(model.target or "in memory"),
        params,
        macs,
        "-" if peak is None else megabytes(peak),
        _status(model),
    )


def _status(model: Model) -> str:
    """``fails`` for a run that went on to the end after a call that fails as the model is written."""
    is_repaired = model.status == "complete" and any(row.failed for row in model.layers)
    return "fails" if is_repaired else model.status


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The cells in their widths: numbers to the right, and the start of a name that is too long."""
    name, *numbers, status = row
    name = cut(name, widths[0])
    padded = name + " " * (widths[0] - cell_len(name))
    return [padded, *(text.rjust(width) for text, width in zip(numbers, widths[1:-1], strict=True)), status]
