"""``convlint.check`` and ``convlint.summary`` from Python: live models, targets, and every form of input."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import convlint
from convlint.api.python_words import in_python
from convlint.support.errors import UsageError


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        y: Tensor = self.conv(x)
        return y if scale is None else y * scale


NET = "from torch import nn\ndef net(width=4): return nn.Conv2d(3, width, 1, padding=1)\n"


def shapes(report: convlint.Report) -> list[tuple[int, ...] | None]:
    assert report.problems == ()
    return [row.input_shape for row in report.models[0].layers if row.kind == "Conv2d"]


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ((3, 8, 9), (1, 3, 8, 9)),
        ([3, 8, 9], (1, 3, 8, 9)),
        ("3,8,9", (1, 3, 8, 9)),
        ("x=3,8,9:float32", (1, 3, 8, 9)),
        ([(3, 8, 9), (4, 8, 9)], (1, 3, 8, 9)),
        (["3,8,9", "scale=4,8,9"], (1, 3, 8, 9)),
        ({"x": (3, 8, 9), "scale": "4,1,1"}, (1, 3, 8, 9)),
        (torch.zeros(2, 3, 8, 9), (2, 3, 8, 9)),
        ((torch.zeros(2, 3, 8, 9), torch.zeros(4, 1, 1)), (2, 3, 8, 9)),
        ({"x": torch.zeros(2, 3, 8, 9)}, (2, 3, 8, 9)),
        (None, (1, 3, 32, 32)),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", [convlint.check, convlint.summary])
def test_every_form_of_input(how: Callable[..., convlint.Report], given: Any, shape: tuple[int, ...]) -> None:
    assert shapes(how(Two(), given)) == [shape]


def test_batch_size_counts_for_shapes() -> None:
    assert shapes(convlint.check(Two(), (3, 8, 9), batch_size=5)) == [(5, 3, 8, 9)]


def test_a_target_is_run_as_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    report = convlint.check(f"{tmp_path / 'net.py'}:net(5)", input=(3, 8, 8), dtype="float64")
    assert [finding.code for finding in report.findings] == ["CVL302"]
    assert report.models[0].totals.params == 3 * 5 + 5
    assert report.exit_code == 1


@pytest.mark.parametrize("image", [(3, 8, 8), "3,8,8", torch.zeros(1, 3, 8, 8)], ids=["shape", "text", "tensor"])
def test_inputs_are_nested_as_forward_takes_them(image: Any) -> None:
    class Nested(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, batch: dict[str, Any]) -> torch.Tensor:
            return self.conv(batch["image"]) + self.conv(batch["others"][0])

    report = convlint.check(Nested(), input={"batch": {"image": image, "others": [image]}})
    assert (report.problems, report.models[0].status) == ((), "complete")


def test_the_table_of_a_summary_is_printed_as_requested() -> None:
    net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), nn.Conv2d(4, 8, 1))
    shown = convlint.summary(net, (3, 8, 8), columns="name,params", depth=1)
    table = str(shown).split("\n\n")[1].splitlines()
    assert [line.split() for line in table[:1] + table[2:]] == [
        ["layer", "params"],
        ["(model)", str(16 + 40)],
        ["├─0", "16"],
        ["└─1", "40"],
    ]
    assert "ReLU" not in shown._repr_html_()
    assert [layer.name for layer in shown.layers] == ["0.0", "0.1", "1"]
    assert "1" in str(convlint.summary(net, (3, 8, 8), columns=["params"], sort="params")).split("\n\n")[1]


def test_columns_of_other_tools_are_named_as_here() -> None:
    with pytest.raises(TypeError, match="use columns="):
        convlint.summary(Two(), (3, 8, 8), col_names=["mult_adds"])  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"unknown column 'mult_adds': did you mean macs\?"):
        convlint.summary(Two(), (3, 8, 8), columns=["mult_adds"])


def test_a_live_model_names_its_findings() -> None:
    report = convlint.check(nn.Sequential(nn.Conv2d(3, 4, 1, padding=1)), (3, 8, 8))
    assert [(finding.code, finding.module) for finding in report.findings] == [("CVL302", "0")]


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({"ignore": ["CVL302"]}, []),
        ({"ignore": "CVL302"}, []),
        ({"select": ["CVL1"]}, []),
        ({"select": "CVL1,padded-pointwise"}, ["CVL302"]),
        ({"extend_select": "CVL902"}, ["CVL302"]),
        ({"max_params": 15}, ["CVL113", "CVL302"]),
    ],
)
def test_options(options: dict[str, Any], codes: list[str]) -> None:
    report = convlint.check(nn.Conv2d(3, 4, 1, padding=1), (3, 8, 8), **options)
    assert sorted(finding.code for finding in report.findings) == codes


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3,), {}, "expected a model or a target such as 'net.py:Net', not int"),
        (
            (nn.Conv2d,),
            {},
            "expected a model or a target such as 'net.py:Net', not a class; pass an instance, Conv2d\\(...\\)",
        ),
        ((Two(), 3.5), {}, "an input is a shape such as \\(3, 224, 224\\), its text, or a tensor, not float"),
        ((Two(), (3, 0, 8)), {}, "size 0 would make an input without values"),
        ((Two(),), {"device": "cuda"}, "device only applies to targets"),
        ((Two(),), {"select": ["CVL999"]}, "no rule has the code 'CVL999'"),
        ((Two(),), {"select": "nothing"}, "^select: no rule has the code"),
        ((Two(),), {"max_params": "many"}, "max_params 'many' is not a number"),
        (("net.py:net",), {"dtype": "int64"}, "dtype 'int64' is unknown"),
        (("net.py:net(1 + x)",), {}, "argument 1 of net is `1 \\+ x`, which is not a literal"),
        (("net.py:net", torch.zeros(1, 3, 8, 8)), {}, "not Tensor"),
    ],
    ids=lambda value: None,
)
def test_what_cannot_be_understood_is_a_usage_error(
    arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        convlint.check(*arguments, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": (1, 3, 224, 224)}, "'input_size': use input=(3, 224, 224), without the batch"),
        ({"input_shape": (3, 8, 8)}, "'input_shape': use input=(3, 8, 8), without the batch"),
        ({"input_data": "x"}, "'input_data': use input=(3, 224, 224), without the batch"),
        ({"input_data": torch.zeros(1, 3, 8, 8)}, "'input_data': use input, which takes the tensor as it is"),
        ({"input_size": [(1, 3, 8, 8), (5,)]}, "'input_size': use input=[(3, 8, 8), (5,)], without the batch"),
        ({"batchsize": 2}, "'batchsize': use batch_size=2"),
        ({"mode": "train"}, "'mode': use train=True"),
        ({"mode": "eval"}, "'mode': use train=False"),
        ({"fix": True}, "'fix': only the command line has it, --fix"),
        ({"max_parms": 5}, "'max_parms'; did you mean 'max_params'?"),
    ],
)
def test_an_argument_with_another_name_is_a_type_error_that_says_what_to_write(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(f"check() got an unexpected keyword argument {message}")):
        convlint.check(Two(), **arguments)


def test_an_argument_of_another_function_is_named_there() -> None:
    with pytest.raises(
        TypeError, match=re.escape("summary() got an unexpected keyword argument 'select': convlint.check")
    ):
        convlint.summary(Two(), (3, 8, 8), select="CVL1")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (convlint.check, {"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        (convlint.check, {"batch_size": 2.5}, "batch_size must be a whole number of at least 1, not 2.5"),
        (convlint.check, {"timeout": "1 min"}, "timeout must be a number of at least 0.1, not '1 min'"),
        (convlint.check, {"train": "no"}, "train must be True or False, not 'no'"),
        (convlint.check, {"fail_on": "warnings"}, "fail_on 'warnings' is unknown; did you mean 'warning'?"),
        (convlint.summary, {"depth": "all"}, "depth must be a whole number of at least 0, not 'all'"),
        (convlint.suggest, {"top": 0}, "top must be a whole number of at least 1, not 0"),
        (convlint.suggest, {"between": "batchnorm"}, "between 'batchnorm' is unknown"),
    ],
)
def test_values_are_those_that_the_command_line_takes(
    function: Callable[..., object], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        function(Two(), (3, 8, 8), **arguments)


def test_rewrite_takes_suggestions() -> None:
    with pytest.raises(UsageError, match=re.escape("rewrite takes suggestions, as in report.suggestions, not str")):
        convlint.rewrite(Two(), "grouped")  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [convlint.check, convlint.summary, convlint.suggest])
def test_signatures_name_every_argument(function: Callable[..., object]) -> None:
    parameters = inspect.signature(function).parameters.values()
    assert not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    assert {"input", "batch_size", "timeout"} <= {parameter.name for parameter in parameters}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pass the input with --input 3,H,W", "pass the input with input=(3, H, W)"),
        ("pass --input y=3,8,8 or --input 128", "pass input={'y': (3, 8, 8)} or input=(128,)"),
        ("--timeout sets the limit", "timeout sets the limit"),
        ("use --device meta", "use device='meta'"),
        ("--max-memory sets it; use --train", "max_memory sets it; use train=True"),
    ],
)
def test_messages_name_arguments_as_python_does(text: str, words: str) -> None:
    assert in_python(text) == words


def test_a_report_is_data() -> None:
    report = convlint.summary(Two(), (3, 8, 8))
    assert report.exit_code == 0
    assert [row.name for row in report.layers] == [row.name for row in report.models[0].layers]
    assert report.to_dict()["models"][0]["totals"]["params"] == report.models[0].totals.params
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_a_report_as_a_data_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, Any]] = []
    fake = types.SimpleNamespace(DataFrame=lambda rows, columns: calls.append((rows, columns)))
    report = convlint.summary(Two(), (3, 8, 8))
    monkeypatch.setitem(sys.modules, "pandas", fake)
    report.to_pandas()
    ((rows, columns),) = calls
    assert [row["name"] for row in rows] == [row.name for row in report.layers]
    assert list(rows[0]) == columns
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        report.to_pandas()


def test_infos_are_counted_in_the_words_of_python() -> None:
    report = convlint.check(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), (3, 8, 8))
    assert [finding.severity for finding in report] == ["info"]
    assert report.exit_code == 0
    assert repr(report).splitlines()[-1].endswith("1 info not listed: report.findings has all.")
    strict = convlint.check(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), (3, 8, 8), fail_on="info")
    assert strict.exit_code == 1
    assert "CVL301 info" in repr(strict)


def test_inputs_that_the_model_does_not_take_are_a_problem() -> None:
    (problem,) = convlint.check(Two(), [(3, 8, 8)] * 3).problems
    assert "forward takes (x, scale=None), but input has 3 inputs" in problem.message


def test_inputs_that_cannot_be_guessed_are_asked_for_as_python_takes_them() -> None:
    class Pair(Two):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    (problem,) = convlint.check(Pair()).problems
    assert 'input={"x": ..., "y": ...}' in problem.message


def test_a_forward_that_raises_is_a_finding_and_no_exception() -> None:
    class Raises(Two):
        def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
            raise KeyError("the key")

    (finding,) = convlint.check(Raises(), (3, 8, 8), select=["CVL190"]).findings
    assert "the key" in finding.message
    assert finding.site is not None
    assert finding.site.path.endswith("test_api.py")


def test_a_report_shows_itself() -> None:
    model = nn.Conv2d(3, 4, 1, padding=1)
    report, table = convlint.check(model, (3, 8, 8)), convlint.summary(model, (3, 8, 8))
    for shown in (report, table):
        assert isinstance(shown, convlint.Report)
        assert "16" in str(shown) == repr(shown)
        assert "<table" in shown._repr_html_()
    assert "CVL302 warning" in str(report)
    assert "Found 1 warning" in str(report)
    assert "Found" not in str(table)


def test_importing_convlint_loads_nothing_heavy() -> None:
    code = "import convlint, sys; print(*{'torch', 'rich', 'typer', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
