"""The models that convlint is tried on: torchvision's, and two from every model file of timm.

``python -m bench.zoo_models`` counts the parameters of all of timm on the meta device and writes
which ones were chosen to ``bench/timm_models.json``, so that every run tries the same.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# torchvision's stand-in for a missing roi_align is compiled on first use: minutes, for nothing.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import torch
from torch import nn

CHOSEN = Path(__file__).with_name("timm_models.json")
_KEPT: list[Any] = []  # operators that are declared here go when their library object does
LARGEST_REAL = 400_000_000  # parameters; above that a model is built on the meta device


@dataclass(frozen=True)
class Entry:
    """A model of the zoo. ``name`` is ``library/model``; ``input`` is one sample (C, H, W)."""

    name: str
    params: int
    input: tuple[int, int, int]

    @property
    def library(self) -> str:
        return self.name.split("/")[0]

    @property
    def device(self) -> str:
        return "cpu" if self.params <= LARGEST_REAL else "meta"


def entries() -> list[Entry]:
    """Every model of the zoo, torchvision's first."""
    return [*torchvision_entries(), *timm_entries()]


def torchvision_entries() -> list[Entry]:
    """All classification, segmentation and detection models of torchvision."""
    torchvision = import_torchvision()
    found = []
    for family, size in (("models", 224), ("segmentation", 224), ("detection", 320)):
        module = torchvision.models if family == "models" else getattr(torchvision.models, family)
        for name in torchvision.models.list_models(module):
            weights = torchvision.models.get_model_weights(name).DEFAULT
            shape = (3, 299, 299) if name == "inception_v3" else (3, size, size)
            prefix = "torchvision" if family == "models" else f"torchvision-{family}"
            found.append(Entry(f"{prefix}/{name}", weights.meta["num_params"], shape))
    return found


def timm_entries() -> list[Entry]:
    """The chosen models of timm, see ``choose``."""
    rows = json.loads(CHOSEN.read_text(encoding="utf-8"))
    return [Entry(f"timm/{row['name']}", row["params"], tuple(row["input"])) for row in rows]


def build(entry: Entry) -> nn.Module:
    """A model with fresh weights, in eval mode."""
    try:
        return _build(entry, entry.device)
    except RuntimeError:
        if entry.device != "meta":
            raise
        return _build(entry, "cpu").to("meta")  # a constructor that looks at values


def _build(entry: Entry, device: str) -> nn.Module:
    model: nn.Module
    library, name = entry.name.split("/")
    with warnings.catch_warnings(), torch.device(device):
        warnings.simplefilter("ignore")  # a zoo warns of its own deprecations
        if library == "timm":
            model = import_timm().create_model(name)
            return model.eval()
        torchvision = import_torchvision()
        options: dict[str, Any] = {"weights": None}
        if library != "torchvision":
            options["weights_backbone"] = None
        if name in ("googlenet", "inception_v3"):
            options["init_weights"] = False  # half a minute of random numbers that nobody reads
        model = torchvision.models.get_model(name, **options)
        return model.eval()


def example(entry: Entry, batch_size: int = 1) -> tuple[Any, ...]:
    """Arguments for one forward, the same at every call."""
    random = torch.Generator().manual_seed(0)
    batch = torch.rand(batch_size, *entry.input, generator=random).to(entry.device)
    return (list(batch),) if entry.library == "torchvision-detection" else (batch,)


# --- torchvision without its compiled operators -------------------------------------------------


@functools.cache
def import_torchvision() -> Any:
    """The ``torchvision`` package, also beside a build of torch that its operators do not fit.

    Its wheels are compiled for one build of torch each. Without them the import itself fails, for
    want of a declared ``nms``: it is declared here, and written out for the detection models.
    """
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    try:
        torch.ops.load_library(Path(spec.origin).with_name("_C.so"))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", _nms, "CPU")
        torchvision = importlib.import_module("torchvision")
        _KEPT.append(library)
        torchvision.ops.boxes._assert_has_ops = lambda: None  # noqa: SLF001
        return torchvision
    return importlib.import_module("torchvision")


@functools.cache
def import_timm() -> Any:
    """The ``timm`` package, which needs ``torchvision``."""
    import_torchvision()
    return importlib.import_module("timm")


def _nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Indices of the boxes (N, 4) that overlap no better one by more than the threshold."""
    order = scores.argsort(descending=True)
    corners = boxes[order]
    area = (corners[:, 2:] - corners[:, :2]).clamp(min=0).prod(1)
    low = torch.maximum(corners[:, None, :2], corners[None, :, :2])
    high = torch.minimum(corners[:, None, 2:], corners[None, :, 2:])
    common = (high - low).clamp(min=0).prod(2)
    overlaps = (common / (area[:, None] + area[None] - common) > iou_threshold).triu(1)
    kept = torch.ones(len(order), dtype=torch.bool)
    for row in range(len(order)):
        if kept[row]:
            kept &= ~overlaps[row]
    return order[kept]


# --- which models of timm -----------------------------------------------------------------------


def choose() -> list[dict[str, Any]]:
    """For every model file of timm its smallest model, and the one in the middle of its sizes.

    A model that cannot be built without a network or a further package is left out.
    """
    timm = import_timm()
    chosen = []
    for file, names in sorted(timm.models._registry._module_to_models.items()):  # noqa: SLF001
        sizes = []
        for name in sorted(names):
            try:
                with warnings.catch_warnings(), torch.device("meta"):
                    warnings.simplefilter("ignore")
                    model = timm.create_model(name)
            except (RuntimeError, ValueError, TypeError, ImportError) as error:
                print(f"{file} {name}: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            params = sum(p.numel() for p in model.parameters())
            shape = model.default_cfg["input_size"]
            sizes.append((params, name, shape))
        sizes.sort()
        for params, name, shape in dict.fromkeys((sizes[0], sizes[len(sizes) // 2])):
            chosen.append({"file": file, "name": name, "params": params, "input": shape})
    return chosen


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(row) for row in choose())
    CHOSEN.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
