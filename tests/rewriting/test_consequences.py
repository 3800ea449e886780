"""What a rewrite breaks or changes elsewhere in a project."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convlint.ir import Graph, Layer, LayerChange, ModelVersion, Replacement, VersionRun
from convlint.ir.suggestions import PROBES, TOO_LONG, Costs
from convlint.pipelines.consequences import Consequences, command_for
from convlint.pipelines.model_versions import VersionRunner
from convlint.rewriting import consequences
from convlint.runtime import consequences as probes
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.worker.client import JobResult
from convlint.runtime.worker.time_limit import TooLongError
from convlint.settings.input_shapes import parse_input
from convlint.settings.jobs import Job, VersionsJob
from convlint.settings.targets import parse_target
from convlint.source_text import call_sites
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import replace
from tests.rewriting.suggest_project import Project, project


def files(text: str) -> consequences.Files:
    parsed = call_sites.parsed_file("net.py", SourceTexts({"net.py": text.encode()}))
    assert parsed is not None
    return {"net.py": parsed}


BLOCK = """\
class Block:
    def fuse(self):
        self.conv = self.conv.weight

    def convert(self, path):
        pass

    def convert_to_file(self):
        torch.save(self, "net.pt")

    @torch.no_grad()
    def merge(self, factor=2):
        return self

    @property
    def fused(self):
        return self
"""


def test_methods_that_fuse_layers_are_called_if_they_need_no_argument_and_write_nothing() -> None:
    assert consequences.methods(files(BLOCK)) == ["Block.fuse", "Block.merge"]


def graph(*parameters: str) -> Graph:
    layers = [
        Layer(name, "Conv2d", "Conv2d", parameters=((key, (8, 8)),))
        for name, _, key in (each.rpartition(".") for each in parameters)
    ]
    return Graph(layers=tuple(layers))


BEFORE = graph("stem.conv.weight", "body.conv.weight")
AFTER = graph("stem.conv.weight", "body.conv.depthwise.weight", "body.conv.pointwise.weight")


def test_strings_that_no_longer_select_the_parameters_are_named() -> None:
    text = 'def groups(model):\n    return ["conv.weight", ".weight", "conv2d.txt"]\n'
    (found,) = consequences.names(BEFORE, AFTER, files(text))
    assert (found.kind, found.site and found.site.line) == ("parameter-name", 2)
    assert '"conv.weight" is part of the names of 1 parameters' in found.message


def test_checkpoints_say_which_tensors_differ_where_they_are_loaded_and_how_to_convert_them() -> None:
    text = "def load(model, path):\n    model.load_state_dict(torch.load(path))\n"
    command = "convlint suggest net.py:Net"
    (found,) = consequences.checkpoints(BEFORE, AFTER, files(text), command)
    assert found.site is not None
    assert found.site.line == 2
    assert (
        "1 of 2 tensors differ (body.conv.weight -> body.conv.depthwise.weight, body.conv.pointwise.weight)"
        in found.message
    )
    assert "`convlint suggest net.py:Net --weights OLD.pt --save-weights NEW.pt`" in found.message
    (other,) = consequences.checkpoints(BEFORE, AFTER, {}, command, "the channel shuffle")
    assert "cannot be converted, because of the channel shuffle" in other.message
    assert not list(consequences.checkpoints(BEFORE, BEFORE, {}, command))


def test_the_command_that_converts_suggests_the_same_kinds_and_is_quoted_for_a_shell() -> None:
    job = Job(parse_target("net.py:Net(32, 64)"), inputs=(parse_input("3,8,8"), parse_input("mask=8:int64[0,9)")))
    codes, costs = ("CVL501", "CVL502", "CVL501"), Costs(8, 8)
    changes = [LayerChange(f"body.{n}", Replacement(code), costs, costs) for n, code in enumerate(codes)]
    words = shlex.split(command_for(job, changes))
    assert words[:3] == ["convlint", "suggest", "net.py:Net(32, 64)"]
    assert words[3:] == [
        *("--input", "3,8,8", "--input", "mask=8:int64[0,9)"),
        *("--kind", "grouped", "--kind", "depthwise-separable"),
    ]
    assert "--input" not in command_for(replace(job, inputs_from="pyproject.toml"), changes)


def test_reads_that_no_run_executed_are_named() -> None:
    change = LayerChange("body.conv", Replacement("CVL502"), Costs(), Costs())
    text = "class Net:\n    def __init__(self):\n        self.conv.weight\n"
    text += "\n    def prune(self):\n        self.body.conv.weight\n"
    (found,) = consequences.reads([change], files(text), (), ())
    assert found.site is not None
    assert found.site.line == 6
    assert not list(consequences.reads([change], files(text), ("weight",), ()))
    grouped = LayerChange("body.conv", Replacement("CVL501", groups=2), Costs(), Costs())
    assert not list(consequences.reads([grouped], files(text), (), ()))


IMPORTS = {
    "from models.net import Net": True,
    "from models import net": True,
    "from models import Net": True,
    "import models\n\nmodel = models.Net()": True,
    "from models import metrics": False,
    "from models import metrics as net": False,
    "from models import net as metrics": True,
    "import torch": False,
}


@pytest.mark.parametrize("text", IMPORTS)
def test_files_that_import_the_model_are_read_and_not_all_that_import_its_package(tmp_path: Path, text: str) -> None:
    for name, written in {
        "models/__init__.py": "from .net import Net\n",
        "models/net.py": "class Net: ...\n",
        "models/use.py": f"{text}\nmodel.load_state_dict(state)\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(written)
    job = Job(parse_target(f"{tmp_path}/models/net.py:Net"), root=str(tmp_path))
    found = Consequences(VersionRunner(job, lambda _: JobResult(), None)).files
    assert (str(tmp_path / "models/use.py") in found) == IMPORTS[text]


# --- probes


@pytest.mark.parametrize(
    ("of_original", "expected"),
    [
        (JobResult(tried=(VersionRun(probes={"torch.export": ""}),)), ["breaks"]),
        (JobResult(tried=(VersionRun(probes={"torch.export": "RuntimeError: no"}),)), []),
        (JobResult(tried=(VersionRun(probes={"torch.export": f"{TOO_LONG} 30 seconds"}),)), ["not-tried"]),
        (JobResult(), ["not-tried"]),
    ],
)
def test_what_fails_is_never_left_out_because_the_original_could_not_be_tried(
    of_original: JobResult, expected: list[str]
) -> None:
    versions = VersionRunner(Job(parse_target("net.py:Net")), lambda _: of_original, None)
    rewritten = VersionRun(probes={"torch.export": "RuntimeError: no"})
    works, found = Consequences(versions).of(rewritten, (), ())
    assert (works, [each.kind for each in found]) == ((), expected)


def test_the_model_itself_is_not_another_constructor_call(tmp_path: Path) -> None:
    text = "class Net:\n    def __init__(self, width=8): ...\n\nNet(16)\n"
    (tmp_path / "net.py").write_text(text)
    asked: list[VersionsJob] = []

    def run(job: VersionsJob) -> JobResult:
        asked.append(job)
        return JobResult()

    others = {"Net": ["Net(16)"], "Net()": ["Net(16)"], "Net(16)": ["Net()"], "Net(8)": ["Net(16)", "Net()"]}
    for target, expected in others.items():
        VersionRunner(Job(parse_target(f"{tmp_path}/net.py:{target}")), run, None).run_original(())
        (version,) = asked.pop().versions
        assert list(version.other_calls) == [f"{tmp_path}/net.py:{call}" for call in expected]


def test_a_terminal_is_told_about_how_long_it_takes() -> None:
    asked: list[VersionsJob] = []

    def run(job: VersionsJob) -> JobResult:
        asked.append(job)
        return JobResult(tried=(VersionRun(),) * len(job.versions), seconds=4.0)

    versions = VersionRunner(Job(parse_target("net.py:Net")), run, None)
    versions.run_versions([ModelVersion()], soon=("torch.export",))
    versions.run_versions([ModelVersion()] * 3, "verifying 3 rewrites")
    versions.run_versions([ModelVersion(probes=("torch.export",))] * 2, "exporting it")
    assert [job.purpose for job in asked] == [
        "",
        "verifying 3 rewrites of net.py:Net, about 12 s",
        "exporting it of net.py:Net, about 20 s",
    ]
    assert [job.soon for job in asked] == [("torch.export",), (), ()]


def test_what_took_too_long_was_not_tried() -> None:
    model = Fusable(nn.Conv2d(8, 8, 3, padding=1))

    def slow(*_: object) -> None:
        raise TooLongError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "_after_method", slow)
        found = probes.run(model, Inputs((torch.rand(1, 8, 6, 6),)), ["Fusable.fuse"], {})
    assert found["Fusable.fuse"].startswith(TOO_LONG)


class Fusable(nn.Module):
    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.conv(x))
        return y

    def fuse(self) -> None:
        scale = self.bn.weight / (self.bn.running_var + self.bn.eps).sqrt()
        conv: Any = self.conv
        fused = nn.Conv2d(8, 8, conv.kernel_size, padding=conv.padding)
        fused.weight.data = conv.weight * scale.view(-1, 1, 1, 1)
        assert fused.bias is not None
        fused.bias.data = self.bn.bias - self.bn.running_mean * scale
        self.conv, self.bn = fused, nn.Identity()


def test_fusing_is_compared_before_and_after() -> None:
    x = Inputs((torch.rand(1, 8, 6, 6),))
    dense = nn.Conv2d(8, 8, 3, padding=1, bias=False)
    assert probes.run(Fusable(dense), x, ["Fusable.fuse"], {}) == {"Fusable.fuse": ""}
    wrong = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), dense)
    wrong.weight, wrong.kernel_size, wrong.padding = dense.weight, (3, 3), (1, 1)  # type: ignore[assignment]
    assert "its output differs" in probes.run(Fusable(wrong), x, ["Fusable.fuse"], {})["Fusable.fuse"]
    plain = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1))
    assert "AttributeError" in probes.run(Fusable(plain), x, ["Fusable.fuse"], {})["Fusable.fuse"]


@pytest.mark.slow
def test_probes_leave_the_model_as_it_was() -> None:
    model = Fusable(nn.Conv2d(8, 8, 3, padding=1, bias=False))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = probes.run(model, Inputs((torch.rand(1, 8, 6, 6),)), [*PROBES, "Fusable.fuse"], {})
    assert set(found.values()) == {""}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path) as made:
        yield made


@pytest.mark.slow
def test_what_breaks_and_what_works_is_said(here: Project) -> None:
    here.write(
        "net.py",
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__()\n        self.conv = nn.Conv2d(32, 64, 3)\n\n"
        "    def fuse(self):\n        self.conv.weight.data.mul_(1)\n        return self\n",
    )
    arguments = ("net.py:Net", "--input", "32,9,9", "--kind", "depthwise-separable", "--output-format", "json")
    rewritten = here.suggest(*arguments).document["rewritten"]
    assert rewritten["works"] == list(PROBES)
    kinds = [(one["kind"], one["line"]) for one in rewritten["consequences"]]
    assert kinds == [("breaks", 9), ("checkpoint", None)]
