"""``suggest --data``: weights fitted to the outputs on the user's data, and what is said about bad loaders."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convlint.ir import DataEvidence, Replacement
from convlint.outputs.suggestions.data import lines as data_lines
from convlint.runtime.data import loader
from convlint.runtime.data.calibrate import recalibrate
from convlint.runtime.data.convert import convert_on_data
from convlint.runtime.data.fit import fit
from convlint.runtime.data.loader import Batch, Data
from convlint.runtime.data.measure import metric_of, outputs_of, relative_error
from convlint.runtime.data.moments import Moments
from convlint.runtime.failures import ProblemError
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.weights.decompose import dense_of_factorised
from convlint.runtime.weights.replace_layers import replacement_for, rewritten
from tests.support.commands import command

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.conv = nn.Conv2d(16, 24, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(24)
        self.last = nn.Conv2d(24, 32, 3, padding=1)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        x = self.norm(self.stem(x)).relu_()
        x = self.norm2(self.conv(x)).relu_()
        return self.head(self.last(x).mean((2, 3)))
"""
LOADER = """import torch

def loader():
    draw = torch.Generator().manual_seed(0)
    for _ in range(4):
        yield torch.randn(16, 3, 8, 8, generator=draw), torch.randint(0, 4, (16,), generator=draw)
"""
FORMS = {
    "tucker": Replacement("CVL506", ranks=(6, 10), base="Conv2d"),
    "low-rank": Replacement("CVL507", ranks=(7,), base="Conv2d"),
    "separable": Replacement("CVL502"),
    "pairs": Replacement("CVL505", pairs=3),
    "grouped": Replacement("CVL501", groups=4),
    "factorised": Replacement("CVL503"),
}


def batches(count: int = 4, channels: int = 16) -> list[Batch]:
    draw = torch.Generator().manual_seed(0)
    mix = torch.randn(channels, channels, generator=draw)
    smooth = nn.AvgPool2d(3, 1, 1)
    made = [smooth(torch.randn(16, channels, 10, 10, generator=draw)).movedim(1, -1) @ mix for _ in range(count)]
    return [Batch(Inputs((x.movedim(-1, 1),), {}, ""), None) for x in made]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_fitted_weights_have_the_error_that_is_reported_and_less_than_the_nearest_weights(form: Replacement) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 24, 3, padding=1)
    moments = Moments(layer)
    for batch in batches():
        moments.add(batch.inputs.args[0], layer(batch.inputs.args[0]))
    fitted = fit(layer, form, moments)
    made = replacement_for(layer, form)
    made.load_state_dict(fitted.state, strict=True)
    nearest = rewritten(layer, {"": form}, weights=True)

    @torch.no_grad()
    def error(module: nn.Module) -> float:
        away = spread = 0.0
        for batch in batches():
            x = batch.inputs.args[0]
            y = layer(x)
            away += float((module(x) - y).square().sum())
            spread += float((y - y.mean((0, 2, 3), keepdim=True)).square().sum())
        return (away / spread) ** 0.5

    assert error(made) == pytest.approx(fitted.error, rel=0.05)
    assert fitted.error <= error(nearest) * 1.001


@pytest.mark.parametrize(("layer", "x"), [
    (nn.Conv1d(8, 12, 3, 2, 1, bias=False), torch.randn(9, 8, 20)),
    (nn.Conv3d(8, 12, 3, 1, 1), torch.randn(4, 8, 6, 6, 6)),
    (nn.Conv2d(8, 12, 3, 1, 2, 2, 2, padding_mode="circular"), torch.randn(9, 8, 9, 9)),
    (nn.Conv2d(8, 12, (5, 3), padding="same"), torch.randn(9, 8, 9, 9)),
])  # fmt: skip
def test_a_kernel_of_full_rank_is_fitted_exactly(layer: Any, x: Tensor) -> None:
    moments = Moments(layer)
    moments.add(x, layer(x))
    form = Replacement("CVL506", groups=layer.groups, ranks=(8, 12), base=type(layer).__name__)
    assert fit(layer, form, moments).error < 0.02  # a ridge keeps it from zero


def test_a_kernel_of_planes_and_depth_is_fitted_exactly() -> None:
    layer, x = nn.Conv3d(8, 6, 3, padding=1), torch.randn(6, 8, 6, 6, 6)
    form = Replacement("CVL503", base="Conv3d")
    made: Any = replacement_for(layer, form)
    layer.weight.data = dense_of_factorised(made.planes.weight, made.depth.weight)
    moments = Moments(layer)
    moments.add(x, layer(x))
    fitted = fit(layer, form, moments)
    made.load_state_dict(fitted.state, strict=True)
    assert fitted.error < 0.02
    torch.testing.assert_close(made(x), layer(x), atol=0.02, rtol=0.02)


def test_a_model_is_converted_layer_after_layer_and_recalibrated() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(True), nn.Conv2d(24, 16, 3), nn.BatchNorm2d(16)
    )
    data = batches()
    recalibrate(model, data)
    forms = {"0": FORMS["separable"], "3": FORMS["tucker"]}
    nearest = rewritten(model, forms, weights=True)
    converted, errors = convert_on_data(model, forms, data, calibrated=True)
    assert set(errors) == {"0", "3"}
    reference = outputs_of(model, data)
    for each in (nearest, converted):
        recalibrate(each, data)
    assert relative_error(outputs_of(converted, data), reference) < relative_error(outputs_of(nearest, data), reference)
    assert not any(module.training for module in converted.modules())


# --- the command line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "data.py").write_text(LOADER)
    namespace: dict[str, Any] = {}
    exec(NET, namespace)  # noqa: S102 - the text above
    torch.manual_seed(0)
    torch.save(namespace["Net"]().state_dict(), tmp_path / "old.pt")
    return tmp_path


def suggest(folder: Path, *words: str) -> dict[str, Any]:
    options = ("--input", "3,8,8", "--weights", "old.pt", "--output-format", "json")
    done = command(folder, "suggest", "net.py:Net", *options, *words)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_size_is_reached_and_the_recalibrated_checkpoint_is_saved(folder: Path) -> None:
    words = ["--data", "data.py:loader", "--recalibrate", "--target-params", "4k", "--save-weights", "new.pt"]
    report = suggest(folder, *words)
    assert report["problems"] == []
    data = report["rewritten"]["data"]
    assert data["samples"] == 64
    assert data["complete"]
    assert data["norms"] == 2
    assert data["metric"] == "accuracy"
    assert len(data["metrics"]) == 3
    assert len(data["output_errors"]) == 2
    assert report["rewritten"]["goal"] == "at most 4,000 parameters: reached"
    assert set(data["layer_errors"]) == set(data["sensitivity"]) == {
        name for each in report["suggestions"] if each["chosen"] for name in each["instances"]
    }  # fmt: skip
    subprocess.run(["git", "apply", "-"], cwd=folder, input=report["rewritten"]["diff"].encode(), check=True)  # noqa: S607
    namespace: dict[str, Any] = {}
    exec((folder / "net.py").read_text(), namespace)  # noqa: S102 - the text above, rewritten
    model = namespace["Net"]()
    model.load_state_dict(torch.load(folder / "new.pt", weights_only=True), strict=True)
    old = torch.load(folder / "old.pt", weights_only=True)
    assert not torch.equal(model.norm2.running_mean, old["norm2.running_mean"])


def test_a_layer_whose_error_would_be_too_large_says_so(folder: Path) -> None:
    report = suggest(folder, "--max-error", "1%")
    assert report["suggestions"] == []
    reasons = {name: each["reason"] for each in report["refusals"] for name in each["instances"]}
    assert "or more, and --max-error is lower" in reasons["conv"]
    assert "or more, and --max-error is lower" in reasons["last"]


BAD = {
    "raises": (
        "def loader():\n    yield torch.randn(2, 3, 8, 8)\n    raise ValueError('no file')",
        "ValueError: no file",
    ),
    "nothing": ("def loader():\n    return []", "yields no batch"),
    "exits": ("def loader():\n    raise SystemExit(3)", "called sys.exit(3)"),
    "named": ('def loader():\n    yield {"image": torch.randn(2, 3, 8, 8)}', "does not accept the batch 2x3x8x8"),
    "wrong": ("def loader():\n    yield torch.randn(2, 5, 8, 8)", "does not accept the batch 2x5x8x8"),
    "later": (
        "def loader():\n    yield torch.randn(2, 3, 8, 8)\n    yield torch.randn(2, 3, 2, 2)",
        "does not accept the batch 2x3x2x2",
    ),
    "nan": ("def loader():\n    yield torch.full((2, 3, 8, 8), torch.nan)", "values that are nan or infinite"),
    "text": ("def loader():\n    yield 'text'", "yields str"),
    "number": ("def loader():\n    return 3", "returns an object of type int"),
    "absent": ("", "has no"),
    "hangs": ("import time\n\ndef loader():\n    time.sleep(60)\n    yield", "yields no batch within"),
}


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Data]:
    """Load batches for a small model from the text of a file."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", [*sys.argv])

    def load(source: str) -> Data:
        file = tmp_path / f"batches_{abs(hash(source))}.py"
        file.write_text(f"import torch\n\n{source}\n")
        return loader.load(f"{file}:loader", str(tmp_path), nn.Conv2d(3, 4, 3), 4.0)

    return load


@pytest.mark.parametrize(("source", "message"), BAD.values(), ids=BAD)
def test_a_bad_loader_is_a_problem(loaded: Callable[[str], Data], source: str, message: str) -> None:
    with pytest.raises(ProblemError) as raised:
        loaded(source)
    assert raised.value.problem.kind == "data"
    assert message in raised.value.problem.message


def test_an_endless_loader_is_cut_off(loaded: Callable[[str], Data]) -> None:
    data = loaded("def loader():\n    while True:\n        yield torch.randn(64, 3, 8, 8)")
    assert not data.complete
    assert data.samples == 2048


@pytest.mark.slow
def test_small_batches_are_joined(loaded: Callable[[str], Data]) -> None:
    data = loaded("def loader():\n    for _ in range(5):\n        yield torch.randn(30, 3, 8, 8), torch.arange(30)")
    assert [batch.samples for batch in data.batches] == [60, 60, 30]
    assert [len(batch.target) for batch in data.batches if batch.target is not None] == [60, 60, 30]


def test_targets_of_another_number_of_samples_are_a_problem() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(ProblemError, match="targets of 3 for outputs of 2"):
        metric_of(model, [Batch(Inputs((torch.rand(2, 4),), {}, ""), torch.arange(3))])


def test_the_report_says_that_targets_give_no_metric() -> None:
    printed = dict(data_lines(DataEvidence("data.py:loader", 8, complete=True, output_errors=(0.1,))))
    assert printed["metric"].startswith("none: the loader yields no targets")
    known = DataEvidence("data.py:loader", 8, complete=True, metric="accuracy", metrics=(0.9, 0.8))
    assert "metric" not in dict(data_lines(known))


def test_suggestions_are_printed_without_evidence_if_the_loader_fails(folder: Path) -> None:
    (folder / "data.py").write_text("def loader():\n    return []\n")
    report = suggest(folder, "--data", "data.py:loader", "--kind", "tucker")
    assert [problem["kind"] for problem in report["problems"]] == ["data"]
    assert report["suggestions"]
    assert report["rewritten"]["data"] is None
