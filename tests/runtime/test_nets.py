"""The nets in tests/runtime/nets are real: each builds, runs and can be trained with plain PyTorch."""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.runtime.net_list import FOLDER, NETS, Net


@pytest.fixture(autouse=True)
def beside_the_nets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Imports find the nets, and none of them stays loaded."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(FOLDER)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


def built(net: Net) -> nn.Module:
    parts = Path(net.file).with_suffix("").parts
    module = importlib.import_module(".".join(parts))
    assert module.__file__ == str(FOLDER / net.file)
    torch.manual_seed(0)
    model = getattr(module, net.name)()
    assert isinstance(model, nn.Module)
    return model


def tensors(result: Any) -> list[torch.Tensor]:
    return [result] if isinstance(result, torch.Tensor) else list(result)


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.target)
def test_it_runs_on_one_sample(net: Net) -> None:
    model = built(net).eval()
    with torch.no_grad():
        assert all(out.isfinite().all() for out in tensors(model(torch.rand(1, *net.input))))


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.target)
def test_a_training_step_reaches_every_parameter(net: Net) -> None:
    model = built(net).train()
    torch.stack([out.sum() for out in tensors(model(torch.rand(2, *net.input)))]).sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.target)
def test_it_has_a_layer_to_rewrite(net: Net) -> None:
    layers = [m for m in built(net).modules() if isinstance(m, nn.Conv2d) and m.in_channels > 4]
    dense = [m for m in layers if m.groups == 1 and max(m.kernel_size) > 1]
    assert bool(dense) != (net.name == "grouped")


def test_every_file_is_listed() -> None:
    files = {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*.py")}
    parts = {"two_modules/__init__.py", "two_modules/blocks.py"}
    assert files - parts == {net.file for net in NETS}


def test_they_differ_in_their_layout() -> None:
    texts = {net.file: (FOLDER / net.file).read_bytes() for net in NETS}
    assert {name for name, text in texts.items() if b"\r\n" in text} == {"windows.py"}
    assert {name for name, text in texts.items() if b"\n\t" in text} == {"tabs.py"}
    assert {name for name, text in texts.items() if not text.isascii()} == {"windows.py"}


def test_the_script_builds_the_net_with_other_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["script.py"])
    runpy.run_path(str(FOLDER / "script.py"), run_name="__main__")
    assert capsys.readouterr().out.count("torch.Size") == 3
