"""Repairs of models that are run: the line, the edit, and what the files say that the run did not reach."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convlint.ir import Finding, Report, Site
from convlint.pipelines import run_models
from convlint.pipelines.check import model_linter
from convlint.pipelines.file_linter import FileLinter, LintedFile
from convlint.pipelines.requests import CheckRequest
from convlint.runtime.worker.client import Worker
from convlint.settings.config import Config
from convlint.settings.input_shapes import parse_input
from convlint.settings.targets import parse_target
from convlint.source_text.edits import apply

HEAD = """
import torch
from torch import nn
"""

BLOCK_OF_ANOTHER_WIDTH = f"""{HEAD}
class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.squeeze = nn.Conv2d(width, width // 4, 1)
        self.expand = nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        return x * self.expand(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3)
        self.gate = Gate(48)  # <- 24
        self.head = nn.Conv2d(24, 4, 1)

    def forward(self, x):
        return self.head(self.gate(self.stem(x)))
"""

LAYERS_OF_A_COMPREHENSION = f"""{HEAD}
class Mask(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.parts = nn.ModuleList([nn.Conv2d(channels, channels, 1) for _ in range(3)])

    def forward(self, x):
        return sum(part(x) for part in self.parts)


class Net(nn.Module):
    def __init__(self, width=20, pixels=64):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.mask = Mask(pixels)  # <- width
        self.head = nn.Conv2d(width, 4, 1)

    def forward(self, x):
        return self.head(self.mask(self.norm(self.stem(x))))
"""

NORM_OF_ANOTHER_PARAMETER = f"""{HEAD}
class Two(nn.Module):
    def __init__(self, inputs, outputs, middle=None):
        super().__init__()
        middle = middle or outputs
        self.first = nn.Conv2d(inputs, middle, 1)
        self.second = nn.Conv2d(middle, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(middle)  # <- outputs

    def forward(self, x):
        return self.norm(self.second(self.first(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = Two(3, 8)
        self.b = Two(8, 6, middle=12)
        self.c = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        return self.c(self.b(self.a(x)))
"""

WIDTH_THAT_IS_A_FLOAT = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        half = width / 2  # <- width // 2
        self.a = nn.Conv2d(3, half, 3, bias=False)
        self.norm = nn.BatchNorm2d(half)
        self.b = nn.Conv2d(half, width, 3)

    def forward(self, x):
        return self.b(self.norm(self.a(x)))
"""

GROUPS_WITH_A_TERM_TOO_MANY = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.a = nn.Conv2d(3, width, 3)
        self.b = nn.Conv2d(width, width, 3, groups=width + 1)  # <- width

    def forward(self, x):
        return self.b(self.a(x))
"""

OUTPUT_PADDING_WITHOUT_A_STRIDE = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 6, 3, output_padding=1)  # <- 0

    def forward(self, x):
        return self.up(x)
"""

INSTANCE_NORM_OF_THE_INPUT = f"""{HEAD}
class Step(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, bias=False)
        self.norm = nn.InstanceNorm2d(into, affine=True)  # <- out

    def forward(self, x):
        return self.norm(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.Sequential(Step(3, 12), Step(12, 12), Step(12, 20))

    def forward(self, x):
        return self.steps(x)
"""

DECODER_OF_ANOTHER_WIDTH = f"""{HEAD}
class Decoder(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.open = nn.Linear(code, 48)

    def forward(self, z):
        return self.open(z).view(-1, 3, 4, 4)


class Net(nn.Module):
    def __init__(self, code=12):
        super().__init__()
        self.encode = nn.Linear(3072, code)
        self.decode = Decoder(code * 3)  # <- code

    def forward(self, x):
        return self.decode(self.encode(x.flatten(1)))
"""

ADDEND_THAT_IS_MISSING = f"""{HEAD}
class Dense(nn.Module):
    def __init__(self, width, out, count=2):
        super().__init__()
        self.width = width // 2
        self.into = nn.Conv2d(width, 2 * self.width, 1)
        self.steps = nn.ModuleList(nn.Conv2d(self.width, self.width, 1) for _ in range(count))
        self.out = nn.Conv2d((count + 1) * self.width, out, 1)  # <- (count + 1) * self.width + self.width

    def forward(self, x):
        parts = list(self.into(x).chunk(2, 1))
        parts.extend(step(parts[-1]) for step in self.steps)
        return self.out(torch.cat(parts, 1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3)
        self.a = Dense(16, 16)
        self.b = Dense(16, 8, 3)

    def forward(self, x):
        return self.b(self.a(self.stem(x)))
"""

PROGRAMS = {
    "a block that is built for another width": BLOCK_OF_ANOTHER_WIDTH,
    "layers of a comprehension": LAYERS_OF_A_COMPREHENSION,
    "a norm that is sized by another parameter of its block": NORM_OF_ANOTHER_PARAMETER,
    "a width that is a float": WIDTH_THAT_IS_A_FLOAT,
    "groups with a term too many": GROUPS_WITH_A_TERM_TOO_MANY,
    "output padding without a stride": OUTPUT_PADDING_WITHOUT_A_STRIDE,
    "an instance norm of the width of the input": INSTANCE_NORM_OF_THE_INPUT,
    "a decoder that is built for another width, and not one that is right only for this call": DECODER_OF_ANOTHER_WIDTH,
    "an addend that is missing, which only the class shows": ADDEND_THAT_IS_MISSING,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the model and of the worker."""
    path = tmp_path_factory.mktemp("models")
    with contextlib.chdir(path):
        yield path


@pytest.fixture(scope="module")
def worker(folder: Path) -> Iterator[Worker]:
    with Worker() as started:
        yield started


def run(worker: Worker, target: str, **settings: Any) -> Report:
    config = Config(**settings)
    request = CheckRequest(input=(parse_input("3,32,32"),), no_cache=True)
    jobs = run_models.jobs([parse_target(target)], request, config)
    return run_models.check_models(
        jobs, worker.run, config, worker.prove, run_versions=worker.run, linter=model_linter(config, request)
    )


def errors(report: Report) -> list[Finding]:
    assert report.problems == ()
    return [finding for finding in report if finding.severity == "error"]


def guilty(source: str) -> tuple[int, str]:
    """The line of the mistake, and the text that belongs there."""
    line = next(i for i, text in enumerate(source.splitlines(), 1) if "# <- " in text)
    return line, source.splitlines()[line - 1].partition("# <- ")[2]


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_one_cause_is_one_error_at_the_guilty_line_and_the_repaired_model_runs(source: str, worker: Worker) -> None:
    Path("net.py").write_text(source)
    (finding,) = errors(run(worker, "net.py:Net"))
    (repair,) = finding.repairs
    assert (finding.site and finding.site.line, repair.edits[0].text) == guilty(source)
    assert (repair.verified, repair.effect) == ("run", "the model then runs")
    Path("net.py").write_bytes(apply(source.encode(), repair.edits))
    (model,) = run(worker, "net.py:Net").models
    assert model.status == "complete"


def test_several_causes_are_repaired_together(worker: Worker) -> None:
    source = BLOCK_OF_ANOTHER_WIDTH.replace("(24, 4, 1)", "(20, 4, 1)")
    Path("net.py").write_text(source)
    found = errors(run(worker, "net.py:Net"))
    assert [finding.repairs[0].effect for finding in found] == ["with the other repairs, the model then runs"] * 2
    edits = [edit for finding in found for edit in finding.repairs[0].edits]
    Path("net.py").write_bytes(apply(source.encode(), edits))
    assert errors(run(worker, "net.py:Net")) == []


def test_a_number_of_a_library_has_no_repair(worker: Worker, folder: Path) -> None:
    installed = folder / "site-packages"
    installed.mkdir()
    (installed / "wide.py").write_text(f"{HEAD}\ndef body():\n    return nn.Conv2d(16, 8, 1)\n")
    Path("net.py").write_text(f"""
import sys
sys.path.insert(0, {str(installed)!r})
from torch import nn
from wide import body

def make(checkpoint=None):
    return nn.Sequential(nn.Conv2d(3, *[8], 3), body())
""")
    for finding in errors(run(worker, "net.py:make")):
        assert all(edit.site.path == "net.py" for repair in finding.repairs for edit in repair.edits)


def test_a_candidate_that_never_ends_is_a_failed_trial(worker: Worker) -> None:
    Path("net.py").write_text(f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        while width == 8:
            pass
        self.a = nn.Conv2d(3, 8, 3)
        self.b = nn.Conv2d(width, 4, 3)

    def forward(self, x):
        return self.b(self.a(x))
""")
    (finding,) = errors(run(worker, "net.py:Net"))
    assert [edit.site.line for repair in finding.repairs for edit in repair.edits] != [5]
    assert finding.repairs[0].effect == "the model then runs"


# --- what the text says


LATENT = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, bias=False)
        self.norm = nn.BatchNorm2d(inputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv(x)
"""


def test_a_latent_defect_of_a_class_that_was_not_built_is_reported(worker: Worker) -> None:
    Path("net.py").write_text(LATENT)
    report = run(worker, "net.py:Net")
    assert [finding.code for finding in report] == ["CVL201"]


def test_an_error_of_a_class_that_was_not_built_is_reported(worker: Worker) -> None:
    Path("net.py").write_text(LATENT.replace("nn.BatchNorm2d(inputs)", "nn.BatchNorm2d(outputs + 1)"))
    assert [finding.code for finding in errors(run(worker, "net.py:Net"))] == ["CVL103"]


def test_static_findings_obey_selection_and_comments(worker: Worker) -> None:
    Path("net.py").write_text(LATENT)
    assert list(run(worker, "net.py:Net", ignore=("CVL2",))) == []
    Path("net.py").write_text(LATENT.replace("(inputs)\n", "(inputs)  # noqa: CVL201\n"))
    assert list(run(worker, "net.py:Net")) == []


def test_an_error_that_the_run_disproves_is_not_reported(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("net.py").write_text(LATENT)

    def wrong(line: int) -> Finding:
        site = Site("net.py", line, 21)
        return Finding("CVL102", "conv-input-channels", "error", "", site, operations=((site,),))

    layer_of_the_model, call_of_the_model, layer_of_the_block = 18, 21, 8
    lines = (layer_of_the_model, call_of_the_model, layer_of_the_block)
    monkeypatch.setattr(FileLinter, "lint", lambda *_: LintedFile([wrong(line) for line in lines]))
    found = errors(run(worker, "net.py:Net"))
    assert [finding.site and finding.site.line for finding in found] == [layer_of_the_block]


def test_the_error_of_the_run_comes_before_those_of_other_classes(worker: Worker) -> None:
    other = LATENT.partition("class Net")[0].replace("nn.BatchNorm2d(inputs)", "nn.BatchNorm2d(outputs + 1)")
    Path("net.py").write_text(other + BLOCK_OF_ANOTHER_WIDTH.removeprefix(HEAD))
    found = errors(run(worker, "net.py:Net"))
    assert [(finding.code, finding.target) for finding in found] == [("CVL102", "net.py:Net"), ("CVL103", None)]


def test_a_target_that_cannot_be_imported_is_still_read(worker: Worker) -> None:
    Path("net.py").write_text(f"import no_such_module\n{BLOCK_OF_ANOTHER_WIDTH}")
    report = run(worker, "net.py:Net")
    assert [problem.kind for problem in report.problems] == ["import-error"]
    assert [finding.code for finding in report] == ["CVL102"]
