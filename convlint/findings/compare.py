"""Read an earlier report of ``--output-format json``, to compare with."""

from __future__ import annotations

import json
from typing import Any

from convlint.ir import EarlierReport, Totals
from convlint.support.dataclass import fields
from convlint.support.errors import UsageError
from convlint.support.regular_file import read_regular_file

_MOST_BYTES = 1 << 29  # reports of thousands of models have their layers in them
_OPTIONAL_TOTALS = {"peak_inference_bytes", "saved_bytes", "training_bytes"}  # None if not measured


def read(path: str) -> EarlierReport:
    """Read the models and findings of a JSON report. Raises UsageError if the file is missing or not a report."""
    try:
        return _report(path, json.loads(read_regular_file(path, _MOST_BYTES).decode()))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} is not a convlint JSON report: {reason}; --output-format json writes one") from None


def _report(path: str, content: object) -> EarlierReport:
    if not isinstance(content, dict) or content.get("schema_version") != 1:
        raise ValueError("an object with schema_version 1 is expected")
    models = {_string(model, "target"): model for model in _objects(content, "models")}
    return EarlierReport(
        path,
        inputs={target: _strings(model, "inputs") for target, model in models.items()},
        totals={target: _totals(model.get("totals")) for target, model in models.items()},
        findings=tuple(_finding(row) for row in _objects(content, "findings")),
    )


def _objects(content: dict[str, object], key: str) -> list[dict[str, object]]:
    rows = content.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{key} is not a list of objects")
    return rows


def _strings(row: dict[str, object], key: str) -> tuple[str, ...]:
    values = row.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} is not a list of strings")
    return tuple(values)


def _string(row: dict[str, object], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{json.dumps(row)[:60]} has no {key}")  # noqa: TRY004 - of the file's text
    return value


def _totals(row: object) -> Totals:
    totals = row if isinstance(row, dict) else {}
    values: dict[str, Any] = {field.name: totals.get(field.name) for field in fields(Totals)}
    for name, value in values.items():
        if type(value) is not int and not (value is None and name in _OPTIONAL_TOTALS):
            raise ValueError(f"a model's totals have no {name}")
    return Totals(**values)


def _finding(row: dict[str, object]) -> tuple[str, str, str]:
    path = row.get("path") or row.get("target") or ""
    return _string(row, "code"), str(path), str(row.get("module") or _string(row, "message"))
