"""The layers of a model as CSV, LaTeX and Markdown, and its totals as numbers."""

from __future__ import annotations

import csv
import io
from dataclasses import fields

from convlint.ir import Graph, Model, Report, Row, Totals
from convlint.outputs.parts.columns import TableOptions
from convlint.outputs.tables import csv_, latex, markdown
from convlint.outputs.tables.records import NAMES, totals_record

ROWS = (
    Row("stem.0", "Conv2d", 1, (1, 3, 8, 8), (1, 40, 8, 8), kernel_size=(3, 3), groups=1, bias=True, params=1_120),
    Row("head_1", "=SUM(A1)", 2, None, (1, 4), params=300_000, macs=None, saved_bytes=12),
)
MODEL = Model(
    "net.py:Net(50%)",
    "complete",
    ("x: 1x3x8x8 float32",),
    ("1x4 float32",),
    "recorder",
    ROWS,
    Totals(301_120, 301_120, 1_204_480, 71_680, 768, 2_048, 3 * 2**20, None, None),
    Graph(),
)
REPORT = Report(models=(MODEL,))


def test_csv_has_the_names_of_json_and_exact_numbers() -> None:
    head, first, second = csv.reader(io.StringIO(csv_.render(REPORT, TableOptions())))
    assert tuple(head) == ("model", *(field.name for field in fields(Row))) == NAMES
    row = dict(zip(head, first, strict=True))
    assert (row["name"], row["input_shape"], row["kernel_size"], row["params"]) == ("stem.0", "1x3x8x8", "3x3", "1120")
    assert row["site"] == row["failed"] == row["saved_bytes"] == ""
    assert dict(zip(head, second, strict=True))["kind"] == "'=SUM(A1)"  # no spreadsheet computes it


def test_latex_is_a_tabular_with_its_totals() -> None:
    lines = latex.render(REPORT, TableOptions()).splitlines()
    assert lines[1:4] == ["\\begin{tabular}{llrrr}", "\\toprule", "layer & kind & output & params & MACs \\\\"]
    assert "head\\_1 & =SUM(A1) & 1x4 & 300,000 & ? \\\\" in lines[7]
    assert "total &  &  & 301,120 & " in lines[-3]  # as exact as the layers above
    chosen = latex.render(REPORT, TableOptions(columns=("params_share",)))
    assert "layer & params \\% \\\\" in chosen


def test_markdown_is_a_table_and_its_totals() -> None:
    text = markdown.render(REPORT, TableOptions(columns=("kind", "params"), classic=True))
    assert "| layer | kind | params |" in text
    assert "- Params: 301 k (301 k trainable, 0 frozen)" in text
    assert "- Params size (MB): 1.15" in text


def test_totals_are_the_known_numbers() -> None:
    totals = totals_record(MODEL.totals)
    assert totals["macs"] == 71_680
    assert "saved_bytes" not in totals
