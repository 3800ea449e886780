"""Scripted and traced models are checked like the Python modules that they were made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from convlint.ir import Finding
from convlint.pipelines import run_models
from convlint.runtime.worker.client import Worker
from convlint.settings.input_shapes import parse_input
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target

SOURCE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.one = nn.Conv2d(3, 16, 3, bias=False)
        self.two = nn.Conv2d(width, 8, 3)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)))


class Old(torch.jit.ScriptModule):
    def __init__(self, width=24):
        super().__init__()
        self.one = nn.Conv2d(3, 16, 3)
        self.two = nn.Conv2d(width, 8, 3)

    @torch.jit.script_method
    def forward(self, x):
        return self.two(torch.relu(self.one(x)))  # in TorchScript


class Parent(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.part = torch.jit.script(Net(16))
        self.head = nn.Conv2d(width, 2, 1)  # the head

    def forward(self, x):
        return self.head(self.part(x))


def scripted(width=24):
    return torch.jit.script(Net(width))


def traced(width=24):
    return torch.jit.trace(Net(width), torch.rand(1, 3, 12, 12))


def frozen(width=24):
    return torch.jit.freeze(torch.jit.script(Net(width)).eval())


def loaded(width=24):
    torch.jit.script(Net(width)).save("FOLDER/saved.pt")
    return torch.jit.load("FOLDER/saved.pt")
"""
Errors = Callable[[str], list[Finding]]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Errors]:
    folder = tmp_path_factory.mktemp("scripted")
    file = folder / "net.py"
    file.write_text(SOURCE.replace("FOLDER", str(folder)))
    with Worker() as worker:

        def check(call: str) -> list[Finding]:
            answer = worker.run(Job(parse_target(f"{file}:{call}"), (parse_input("3,12,12"),)))
            assert not answer.problems
            assert answer.graph is not None
            return [finding for finding in run_models.findings(answer.graph) if finding.severity == "error"]

        yield check


def line(text: str) -> int:
    return next(number for number, line in enumerate(SOURCE.splitlines(), 1) if text in line)


@pytest.mark.parametrize("call", ["scripted()", "traced()"])
def test_the_original_is_checked_in_place_of_a_scripted_model(call: str, errors: Errors) -> None:
    (finding,) = errors(call)
    assert finding.code == "CVL102"
    assert finding.site is not None
    assert finding.site.line in (line("self.one ="), line("self.two ="))


def test_a_scripted_part_has_the_lines_and_channels_of_its_original(errors: Errors) -> None:
    (finding,) = errors("Parent()")
    assert (finding.code, finding.site and finding.site.line) == ("CVL102", line("# the head"))
    assert "24" in finding.message
    assert "8 from Conv2d `part.two`" in finding.message


@pytest.mark.parametrize("call", ["frozen()", "loaded()"])
def test_a_model_without_an_original_fails_at_the_line_that_torchscript_names(call: str, errors: Errors) -> None:
    (finding,) = errors(call)
    assert (finding.code, finding.site and finding.site.line) == ("CVL190", line("return self.two"))
    assert "to have 24 channels, but got 16 channels" in finding.message


def test_a_class_that_scripts_itself_runs_as_torchscript(errors: Errors) -> None:
    (finding,) = errors("Old()")
    assert (finding.code, finding.site and finding.site.line) == ("CVL190", line("# in TorchScript"))


@pytest.mark.parametrize("call", ["scripted(16)", "traced(16)", "frozen(16)", "loaded(16)", "Old(16)", "Parent(8)"])
def test_scripted_models_that_work_have_no_errors(call: str, errors: Errors) -> None:
    assert not [finding for finding in errors(call) if finding.code.startswith("CVL1")]
