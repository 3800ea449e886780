"""The JSON report: key by key as docs/schema.json describes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import convlint
from convlint.ir import (
    Edit,
    Finding,
    Fix,
    Graph,
    Model,
    Occurrence,
    Problem,
    Related,
    Repair,
    Report,
    Row,
    Site,
    Totals,
    Witness,
)
from convlint.outputs import json_

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "schema.json").read_text("utf-8"))

CONV = Row(
    "conv",
    "Conv2d",
    1,
    (1, 3, 8, 8),
    (1, 4, 8, 8),
    kernel_size=(3, 3),
    stride=(1, 1),
    padding="same",
    dilation=(1, 1),
    groups=1,
    bias=True,
    params=112,
    trainable_params=112,
    params_bytes=448,
    macs=6912,
    output_bytes=1024,
    saved_bytes=768,
    site=Site("net.py", 7, 21, 7, 39),
)
OPAQUE = Row("head", "Scripted", 1, None, (), macs=None, failed="it broke")
REPORT = Report(
    findings=(
        Finding(
            "CVL201",
            "latent-norm-channels",
            "error",
            'equal at c == d only:\n"norm"',
            Site("net.py", 8, 21, 8, 38),
            module="norm",
            target="net.py:Net",
            related=(Related("the convolution", Site("net.py", 7, 21)),),
            witness=Witness("Net(2, 4)", ("1x2x8x8",), "RuntimeError: no", "Net(2, 2)"),
            fix=Fix("use d", "safe", (Edit(Site("net.py", 8, 36, 8, 37), "d"),)),
            repairs=(Repair("replace", (Edit(Site("net.py", 8, 36, 8, 37), "d"),), "static", "it runs"),),
            instances=("norm",),
            occurrences=(Occurrence("net.py", 8, "norm", "net.py:Net"),),
        ),
        Finding("CVL113", "over-budget", "warning", "too many", None, confidence="medium"),
    ),
    models=(
        Model(
            "net.py:Net",
            "partial",
            ("x: 1x3x8x8 float32",),
            (),
            "recorder",
            (CONV, OPAQUE),
            Totals(112, 112, 448, 6912, 768, 2048, 3000, None, None),
            Graph(input_source="--input", untraced=(("head", "a scripted module"),)),
        ),
    ),
    problems=(Problem("import-error", "no module named x", "other.py", 1, "other.py:Net"),),
)


def strict(schema: Any) -> Any:
    """The schema with no other keys than those that it describes."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "required" in schema else {}
    return {key: strict(value) for key, value in schema.items()} | closed


def ordered(value: Any, schema: dict[str, Any]) -> None:
    """Assert that the keys of all objects stand in the order in which the schema requires them."""
    schema = SCHEMA["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
        ordered(value, schema)
    elif isinstance(value, dict):
        assert list(value) == schema["required"]
        for key, part in value.items():
            ordered(part, schema["properties"][key])
    elif isinstance(value, list):
        for item in value:
            ordered(item, schema["items"])


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", [REPORT, Report()], ids=["full", "empty"])
def test_report_is_what_the_schema_describes(report: Report) -> None:
    document = json.loads(json_.render(report))
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(document)
    ordered(document, SCHEMA)


def test_real_report_is_what_the_schema_describes() -> None:
    from torch import nn

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(5), nn.Conv2d(4, 2, 1))
    document = json_.document(convlint.check(model, input=(3, 8, 8)))
    assert {finding["code"] for finding in document["findings"]} == {"CVL103", "CVL301"}
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(document)
    ordered(document, SCHEMA)


@pytest.mark.slow
def test_what_was_read_and_proved_is_what_the_schema_describes() -> None:
    command = (sys.executable, "-m", "convlint", "check", "fixtures/gdconv.py", "--confirm", "--no-cache")
    done = subprocess.run([*command, "--output-format", "json"], cwd=ROOT, check=False, capture_output=True, text=True)
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(document)
    ordered(document, SCHEMA)
    assert (done.returncode, document["models"], document["problems"]) == (1, [], [])
    groups, norm = document["findings"]
    assert (groups["code"], groups["witness"]["inputs"]) == ("CVL202", [])
    assert (norm["code"], norm["severity"], norm["line"]) == ("CVL201", "error", 17)
    assert (norm["module"], norm["target"]) == ("bn", None)
    assert norm["witness"]["error"].startswith("RuntimeError: ")
    assert [edit["text"] for edit in norm["fix"]["edits"]] == ["out_planes"]


def test_finding() -> None:
    first, second = json.loads(json_.render(REPORT))["findings"]
    assert first == {
        "code": "CVL201",
        "name": "latent-norm-channels",
        "severity": "error",
        "confidence": "high",
        "message": 'equal at c == d only:\n"norm"',
        "path": "net.py",
        "line": 8,
        "column": 21,
        "end_line": 8,
        "end_column": 38,
        "module": "norm",
        "target": "net.py:Net",
        "related": [
            {
                "message": "the convolution",
                "path": "net.py",
                "line": 7,
                "column": 21,
                "end_line": 7,  # a site without an end is a point
                "end_column": 21,
            }
        ],
        "witness": {
            "call": "Net(2, 4)",
            "inputs": ["1x2x8x8"],
            "error": "RuntimeError: no",
            "control": "Net(2, 2)",
            "verified": "run",
        },
        "fix": {
            "title": "use d",
            "applicability": "safe",
            "edits": [{"path": "net.py", "line": 8, "column": 36, "end_line": 8, "end_column": 37, "text": "d"}],
        },
        "repairs": [
            {
                "title": "replace",
                "edits": [{"path": "net.py", "line": 8, "column": 36, "end_line": 8, "end_column": 37, "text": "d"}],
                "verified": "static",
                "effect": "it runs",
            }
        ],
        "instances": ["norm"],
        "occurrences": [{"path": "net.py", "line": 8, "module": "norm", "target": "net.py:Net"}],
    }
    assert (second["path"], second["line"], second["end_column"]) == (None, None, None)
    assert (second["witness"], second["fix"], second["related"]) == (None, None, [])


def test_model() -> None:
    (model,) = json.loads(json_.render(REPORT))["models"]
    conv, opaque = model["layers"]
    assert (conv["input_shape"], conv["padding"], conv["bias"]) == ([1, 3, 8, 8], "same", True)
    assert conv["site"] == {"path": "net.py", "line": 7, "column": 21, "end_line": 7, "end_column": 39}
    assert (opaque["input_shape"], opaque["output_shape"]) == (None, [])
    assert (opaque["macs"], opaque["site"], opaque["failed"]) == (None, None, "it broke")
    assert model["totals"]["forward_backward_bytes"] == 2048
    assert model["totals"]["training_bytes"] is None
    assert model["unseen"] == [{"module": "head", "reason": "a scripted module"}]


def test_shapes_stand_on_one_line() -> None:
    lines = json_.render(REPORT).splitlines()
    assert '          "input_shape": [1, 3, 8, 8],' in lines


def test_a_message_that_looks_like_a_list_is_left_alone() -> None:
    message = "[\n 1,\n 2\n]"
    problem = Problem("timeout", message)
    assert json.loads(json_.render(Report(problems=(problem,))))["problems"][0]["message"] == message


def test_any_text_can_be_printed_anywhere() -> None:
    problem = Problem("missing-file", "no \udcff.py in 目录")  # a file name that is not UTF-8
    out = json_.render(Report(problems=(problem,)))
    assert out.isascii()
    assert json.loads(out)["problems"][0]["message"] == problem.message


def test_versions() -> None:
    document = json_.document(Report())
    assert (document["convlint"], document["schema_version"]) == (convlint.__version__, 1)
