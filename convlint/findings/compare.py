"""A report that was written before with ``--output-format json``, read again to be compared with."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from convlint.ir import EarlierReport, Totals
from convlint.support.errors import UsageError


def read(path: str) -> EarlierReport:
    """What a JSON report says of models and findings. Raises UsageError for a file that is missing, or is no report."""
    try:
        with open(path, encoding="utf-8") as file:
            return _earlier(path, json.load(file))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{path} is no report to compare with: {reason}; --output-format json writes one"
        ) from None


def _earlier(path: str, whole: Any) -> EarlierReport:
    if not isinstance(whole, dict) or whole.get("schema_version") != 1:
        raise ValueError("an object with schema_version 1 is expected")
    models = {_text(model, "target"): model for model in _objects(whole, "models")}
    return EarlierReport(
        path,
        inputs={target: _texts(model, "inputs") for target, model in models.items()},
        totals={target: _totals(model.get("totals")) for target, model in models.items()},
        findings=tuple(_finding(row) for row in _objects(whole, "findings")),
    )


def _objects(whole: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = whole.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"its {key} are no list of objects")
    return rows


def _texts(row: dict[str, Any], key: str) -> tuple[str, ...]:
    values = row.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"its {key} are no list of texts")
    return tuple(values)


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{json.dumps(row)[:60]} has no {key}")  # noqa: TRY004 - of the file's text
    return value


def _totals(row: Any) -> Totals:
    """The sums of a model; those that could not be measured are None."""
    row = row if isinstance(row, dict) else {}
    values = {field.name: row.get(field.name) for field in fields(Totals)}
    optional = {"peak_inference_bytes", "saved_bytes", "training_bytes"}
    for name, value in values.items():
        if type(value) is not int and not (value is None and name in optional):
            raise ValueError(f"a model's totals have no {name}")
    return Totals(**values)


def _finding(row: dict[str, Any]) -> tuple[str, str, str]:
    where = row.get("path") or row.get("target") or ""
    return _text(row, "code"), str(where), str(row.get("module") or _text(row, "message"))
