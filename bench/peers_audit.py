"""Run the linters that take a model: ``python -m bench.peers_audit fixtures|zoo`` prints their findings as JSON.

torch-audit is designed for training loops and finds most there: it gets a training step with an optimizer, with all
its rules, over a batch that is large enough for norms. It runs in the environment of ``bench.peers_env``.
"""

from __future__ import annotations

import json
import runpy
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import convlint
from bench.peers_examples import broken_models
from bench.peers_tools import quiet

ROOT = Path(__file__).parent.parent
BATCH = 8
"""Batch size; torch-audit warns of norms over fewer samples."""
ZOO = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "mnasnet1_0", "mobilenet_v2"),
    *("mobilenet_v3_large", "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d"),
    *("shufflenet_v2_x1_0", "squeezenet1_0", "swin_t", "vgg11", "vgg11_bn"),
)
"""Working models of torchvision."""
SIZE = (3, 96, 96)


def audited(model: nn.Module, batch: Tensor, optimizer: torch.optim.Optimizer | None = None) -> list[dict[str, Any]]:
    """Return the findings of torch-audit for one training step. Raises the error of the model, as torch-audit
    does.
    """
    from torch_audit import audit_dynamic

    weights = list(model.parameters())
    if optimizer is None and weights:
        optimizer = torch.optim.SGD(weights, 0.01)
    with audit_dynamic(model, optimizer=optimizer, every_n_steps=1) as auditor:
        out = auditor.forward(batch)
        auditor.backward(sum(one.square().mean() for one in tensors(out)))
        if optimizer is not None:
            auditor.optimizer_step()
    return [
        {"code": one.rule_id, "severity": one.severity.value.lower(), "module": one.module_path, "message": one.message}
        for one in auditor.finish(report=False).findings
    ]


def tensors(out: Any) -> list[Tensor]:
    """Yield the tensors of an arbitrarily nested output."""
    if isinstance(out, Tensor):
        return [out]
    values = out.values() if isinstance(out, dict) else out
    return [tensor for value in values for tensor in tensors(value)]


def of_fixtures() -> dict[str, Any]:
    """Return for each broken model, and for GDConv with arguments that hide its bug, the findings of torch-audit
    and the line where PyTorch itself raises an error. For models with other bugs, return the findings of
    torch-audit and convlint.
    """
    found = {}
    for name, file in broken_models().items():
        net = runpy.run_path(str(file))["Net"]
        batch = net.example_input_array
        found[name] = {
            "findings": _findings(net, torch.randn(BATCH, *batch.shape[1:])),
            "raises": raising_line(net, batch, file),
        }
    file = ROOT / "fixtures" / "gdconv.py"
    gdconv = partial(runpy.run_path(str(file))["GDConv"], 8, 8, 3, 0)
    batch = torch.randn(BATCH, 8, 3, 3)
    found["gdconv"] = {"findings": _findings(gdconv, batch), "raises": raising_line(gdconv, batch, file)}
    return found | _others()


def raising_line(build: Callable[[], nn.Module], batch: Tensor, file: Path) -> int | None:
    """Return the last line of ``file`` in the traceback of building and running a model, or None if both work."""
    with quiet():
        try:
            build().eval()(batch)
        except Exception as error:  # noqa: BLE001  any failure has a traceback
            frames = traceback.extract_tb(error.__traceback__)
            return [frame.lineno for frame in frames if frame.filename == str(file)][-1]
    return None


def _findings(build: Callable[[], nn.Module], batch: Tensor) -> list[dict[str, Any]] | None:
    """Return None if the model raises an error, which torch-audit passes on."""
    torch.manual_seed(0)
    with quiet():
        try:
            return audited(build(), batch)
        except (ValueError, RuntimeError, AttributeError):
            return None


def _others() -> dict[str, Any]:
    """Return the findings for two training bugs that do not belong to a layer."""
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3))
    batch = torch.randn(BATCH, 3, 32, 32)
    adam = torch.optim.Adam(net.parameters(), 1e-3, weight_decay=0.01)
    with quiet():
        decayed = audited(net, batch, adam)
        nn.init.zeros_(net[2].weight[:4])  # type: ignore[index]
        dead = audited(net, batch)
        ours = [f.code for f in convlint.check(net, input=(3, 32, 32))]
    return {"adam": {"findings": decayed, "convlint": ours}, "dead": {"findings": dead, "convlint": ours}}


def of_zoo() -> dict[str, dict[str, dict[str, int]]]:
    """Count the findings of each linter for working models, by ``code severity``."""
    from bench.zoo_models import import_torchvision

    torchvision = import_torchvision()
    found: dict[str, dict[str, dict[str, int]]] = {}
    for name in ZOO:
        torch.manual_seed(0)
        model = torchvision.models.get_model(name, weights=None)
        with quiet():
            ours = convlint.check(model, input=SIZE)
            theirs = audited(model, torch.randn(BATCH, *SIZE))
        found[name] = {
            "convlint": Counter(f"{f.code} {f.severity}" for f in ours),
            "torch-audit": Counter(f"{f['code']} {f['severity']}" for f in theirs),
        }
    return found


if __name__ == "__main__":
    print(json.dumps(of_zoo() if sys.argv[1] == "zoo" else of_fixtures()))
