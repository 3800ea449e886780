"""``convlint.check`` and ``convlint.summary`` from Python: live models, targets, and every form of input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import convlint
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
    assert report.exit_code() == 1


def test_a_live_model_names_its_findings() -> None:
    report = convlint.check(nn.Sequential(nn.Conv2d(3, 4, 1, padding=1)), (3, 8, 8))
    assert [(finding.code, finding.module) for finding in report.findings] == [("CVL302", "0")]


@pytest.mark.parametrize(
    ("options", "codes"),
    [({"ignore": ["CVL302"]}, []), ({"select": ["CVL1"]}, []), ({"max_params": 15}, ["CVL113", "CVL302"])],
)
def test_options(options: dict[str, Any], codes: list[str]) -> None:
    report = convlint.check(nn.Conv2d(3, 4, 1, padding=1), (3, 8, 8), **options)
    assert sorted(finding.code for finding in report.findings) == codes


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3,), {}, "expected a model or a target such as 'net.py:Net', not int"),
        ((nn.Conv2d,), {}, "expected a model or a target such as 'net.py:Net', not type"),
        ((Two(), 3.5), {}, "an input is a shape such as \\(3, 224, 224\\), its text, or a tensor, not float"),
        ((Two(), (3, 0, 8)), {}, "size 0 would make an input without values"),
        ((Two(),), {"device": "cuda"}, "device only applies to targets"),
        ((Two(),), {"select": ["CVL999"]}, "no rule has the code 'CVL999'"),
        ((Two(),), {"batchsize": 2}, "unknown option batchsize; choose from .*batch_size"),
        ((Two(),), {"inputs": (3, 8, 8)}, "unknown option inputs; choose from input, "),
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
