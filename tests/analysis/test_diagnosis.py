"""Diagnosis of wrong numbers: the layer that the others contradict is blamed, and both are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

import convlint
from convlint.ir import Finding
from convlint.pipelines import run_models
from convlint.pipelines.requests import CheckRequest
from convlint.runtime.worker.client import Worker
from convlint.settings.config import Config
from convlint.settings.input_shapes import parse_input
from convlint.settings.targets import parse_target

Errors = Callable[[str], Sequence[Finding]]

HELPER = """\
from torch import nn, cat


def block(into, out):
    return nn.Sequential(
        nn.Conv2d(into, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )
"""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


@pytest.fixture
def errors(worker: Worker, tmp_path: Path) -> Errors:
    """Errors in a model from its source, run on an input of 3 channels of 16 x 16."""

    def judge(source: str) -> Sequence[Finding]:
        file = tmp_path / "net.py"
        file.write_text(source, encoding="utf-8")
        asked = CheckRequest(input=(parse_input("3,16,16"),))
        jobs = run_models.jobs([parse_target(f"{file}:Net")], asked, Config())
        report = run_models.check_models(jobs, worker.run, Config())
        assert not report.problems
        return [finding for finding in report.findings if finding.severity == "error"]

    return judge


def chain(*layers: str) -> str:
    lines = "".join(f"        {layer},\n" for layer in layers)
    return f"{HELPER}\n\ndef Net():\n    return nn.Sequential(\n{lines}    )\n"


def text_at(finding: Finding) -> str:
    """The blamed line."""
    assert finding.site is not None
    lines = Path(finding.site.path).read_text(encoding="utf-8").splitlines()
    return lines[finding.site.line - 1].strip().rstrip(",")


def others(finding: Finding) -> set[str]:
    """The lines of the other layers."""
    lines = Path(finding.related[0].site.path).read_text(encoding="utf-8").splitlines()
    return {lines[end.site.line - 1].strip().rstrip(",") for end in finding.related}


def test_two_neighbors_agree_against_a_norm(errors: Errors) -> None:
    layers = ("nn.Conv2d(3, 16, 3)", "nn.BatchNorm2d(32)", "nn.Conv2d(16, 8, 1)")
    (found,) = errors(chain(*layers))
    assert (found.code, text_at(found)) == ("CVL103", layers[1])
    assert others(found) == {layers[0], layers[2]}
    assert "expects 32 channels but receives 16 from Conv2d `0`" in found.message
    assert "use num_features=16" in found.message


def test_two_neighbors_agree_against_the_convolution_before_them(errors: Errors) -> None:
    layers = ("nn.Conv2d(3, 32, 3)", "nn.BatchNorm2d(16)", "nn.Conv2d(16, 8, 1)")
    (found,) = errors(chain(*layers))
    assert text_at(found) == layers[0]
    assert others(found) == {layers[1], layers[2]}
    assert "use out_channels=16" in found.message


def test_a_wrong_call_of_a_function_is_blamed_not_the_function(errors: Errors) -> None:
    layers = ("block(3, 16)", "block(16, 24)", "block(32, 32)", "block(32, 16)")
    (found,) = errors(chain(*layers))
    assert text_at(found) in layers[1:3]  # the two ends of one interface: nobody else knows
    assert {text_at(found)} | others(found) >= set(layers[1:3])


def test_a_function_that_always_builds_wrong_layers_is_blamed_once(errors: Errors) -> None:
    source = chain("block(3, 16)", "block(16, 32)", "block(32, 64)")
    (found,) = errors(source.replace("BatchNorm2d(out)", "BatchNorm2d(2 * out)"))
    assert text_at(found) == "nn.BatchNorm2d(2 * out)"
    assert found.instances == ("0.1", "1.1", "2.1")


def test_one_run_finds_independent_mistakes(errors: Errors) -> None:
    layers = (
        "nn.Conv2d(3, 16, 3, groups=2)",
        "nn.BatchNorm2d(16)",
        "nn.Conv2d(16, 32, 3)",
        "nn.BatchNorm2d(64)",
        "nn.Conv2d(32, 32, 3)",
        "nn.Flatten()",
        "nn.Linear(32 * 9 * 9, 10)",
    )
    found = errors(chain(*layers))
    assert [(f.code, text_at(f)) for f in found] == [
        ("CVL101", layers[0]),
        ("CVL103", layers[3]),
        ("CVL108", layers[6]),
    ]


def test_a_depthwise_convolution_with_wrong_input_channels(errors: Errors) -> None:
    (found,) = errors(chain("nn.Conv2d(8, 8, 3, groups=8)"))
    assert (found.code, text_at(found)) == ("CVL102", "nn.Conv2d(8, 8, 3, groups=8)")
    assert "expects 8 input channels but receives 3" in found.message


def test_the_message_has_the_factors_of_flattened_features(errors: Errors) -> None:
    (found,) = errors(chain("nn.Conv2d(3, 8, 3)", "nn.Flatten()", "nn.Linear(8 * 7 * 7, 10)"))
    assert "receives 1568 (8x14x14 from `0`)" in found.message


def test_the_message_has_the_terms_of_a_concatenation(errors: Errors) -> None:
    (found,) = errors(
        f"""{HELPER}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = block(3, 16)
        self.right = block(3, 32)
        self.joined = nn.Conv2d(32, 8, 1)

    def forward(self, x):
        return self.joined(cat([self.left(x), self.right(x)], 1))
"""
    )
    assert text_at(found) == "self.joined = nn.Conv2d(32, 8, 1)"
    assert "receives 48 (16 from `left.1` + 32 from `right.1`)" in found.message
    assert {"self.left = block(3, 16)", "self.right = block(3, 32)"} <= others(found)


def test_a_number_shared_by_all_branches_is_blamed_before_one_branch(errors: Errors) -> None:
    (found,) = errors(
        f"""{HELPER}

class Branches(nn.Module):
    def __init__(self, into):
        super().__init__()
        self.left = block(into, 16)
        self.right = block(into, 32)
        self.last = nn.Conv2d(into, 8, 1)

    def forward(self, x):
        return cat([self.left(x), self.right(x), self.last(x)], 1)


def Net():
    return nn.Sequential(
        Branches(3),
        Branches(65),
    )
"""
    )
    assert text_at(found) == "Branches(65)"
    assert "use in_channels=56" in found.message


def test_layers_of_a_live_model_are_distinguished_without_construction_sites() -> None:
    layers = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(32), nn.Conv2d(16, 8, 1)
    report = convlint.check(nn.Sequential(*layers), input=(3, 8, 8), ignore=["CVL301"])
    (found,) = report
    assert (found.code, found.module, found.instances) == ("CVL103", "1", ("1",))
    assert "expects 32 channels but receives 16 from Conv2d `0`; use num_features=16" in found.message
    assert found.site is None  # no line of user code runs it


def test_a_live_model_is_blamed_at_the_line_that_calls_it() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(32), nn.Conv2d(16, 8, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x)  # here

    (found,) = convlint.check(Net(), input=(3, 8, 8), ignore=["CVL301"])
    assert found.module == "body.1"
    assert text_at(found) == "return self.body(x)  # here"
