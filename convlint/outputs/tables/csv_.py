"""The layers of models as CSV (RFC 4180), one record a line, with exact numbers."""

from __future__ import annotations

import csv
import io

from convlint.ir import Report
from convlint.outputs.parts.columns import TableOptions
from convlint.outputs.tables.records import NAMES, layer_records

_STARTS_FORMULA = ("=", "+", "-", "@")


def render(report: Report, options: TableOptions) -> str:
    """A heading with the names of JSON, and a line for each layer; unknown values are empty."""
    del options  # columns are for readers
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(NAMES)
    for record in layer_records(report.models):
        writer.writerow([_cell(value) for value in record.values()])
    return text.getvalue()


def _cell(value: object) -> object:
    """A value that no spreadsheet runs as a formula."""
    if isinstance(value, str) and value.startswith(_STARTS_FORMULA):
        return f"'{value}"
    return value
