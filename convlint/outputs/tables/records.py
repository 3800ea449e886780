"""Layers and totals as records of plain values, with the names that JSON has."""

from __future__ import annotations

from collections.abc import Iterable

from convlint.ir import Model, Row, Totals
from convlint.outputs.parts.columns import sizes
from convlint.support.dataclass import fields

Value = str | int | bool | None
_SHAPES = ("input_shape", "output_shape", "kernel_size", "stride", "padding", "dilation")
NAMES = ("model", *(field.name for field in fields(Row)))


def layer_records(models: Iterable[Model]) -> list[dict[str, Value]]:
    """One record for each layer of each model; shapes are text, as in 1x3x224x224, and memory is in bytes."""
    return [_record(model, row) for model in models for row in model.layers]


def _record(model: Model, row: Row) -> dict[str, Value]:
    values: dict[str, Value] = {"model": model.target}
    for name in NAMES[1:]:
        value = getattr(row, name)
        if name in _SHAPES:
            value = None if value is None else sizes(value)
        elif name == "site":
            value = None if value is None else str(value)
        values[name] = value
    return values


def totals_record(totals: Totals) -> dict[str, int]:
    """The totals that are known."""
    values = {field.name: getattr(totals, field.name) for field in fields(totals)}
    return {name: value for name, value in values.items() if value is not None}
