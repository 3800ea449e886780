"""The models of torchvision and timm on which convlint is tested.

``python -m bench.zoo_models`` counts the parameters of all timm models on the meta device and writes them to
``bench/timm_models.json``, with two of every model file marked as chosen: the smallest and the median. Long
benchmarks use those.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# compiling torchvision's replacement for a missing roi_align on first use takes minutes
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import torch
from torch import nn

TIMM = Path(__file__).with_name("timm_models.json")
_KEPT: list[Any] = []  # operators declared here disappear with their library object
LARGEST_REAL = 400_000_000  # parameters; larger models are built on the meta device


@dataclass(frozen=True)
class Entry:
    """A model of the zoo. ``name`` is ``library/model``; ``input`` is one sample, (C, H, W) or (C, T, H, W)."""

    name: str
    params: int
    input: tuple[int, ...]

    @property
    def library(self) -> str:
        return self.name.split("/")[0]

    @property
    def device(self) -> str:
        return "cpu" if self.params <= LARGEST_REAL else "meta"


def entries() -> list[Entry]:
    """Return all models of torchvision, and the chosen models of timm."""
    return [*torchvision_entries(FAMILIES[:3]), *timm_entries()]


def all_entries() -> list[Entry]:
    """Return every model of torchvision and timm."""
    return [*torchvision_entries(), *timm_entries(chosen=False)]


FAMILIES = ("models", "segmentation", "detection", "video", "optical_flow", "quantization")
"""Modules of torchvision's models; ``models`` itself contains the classification models."""
_SIZES = {"detection": 320, "optical_flow": 128, "inception_v3": 299, "quantized_inception_v3": 299}
_SIZES |= dict.fromkeys(("mc3_18", "r2plus1d_18", "r3d_18"), 112)
"""Height and width of inputs other than 224, by family or model."""


def torchvision_entries(families: Sequence[str] = FAMILIES) -> list[Entry]:
    """Return all torchvision models of one of the families."""
    models = import_torchvision().models
    found = []
    for family in families:
        for name in models.list_models(models if family == "models" else getattr(models, family)):
            params = models.get_model_weights(name).DEFAULT.meta["num_params"]
            size = _SIZES.get(name, _SIZES.get(family, 224))
            shape = (3, 16, size, size) if family == "video" else (3, size, size)
            prefix = "torchvision" if family == "models" else f"torchvision-{family}"
            found.append(Entry(f"{prefix}/{name}", params, shape))
    return found


def timm_entries(*, chosen: bool = True) -> list[Entry]:
    """Return the chosen models of timm (see ``counted``), or all of them."""
    rows = json.loads(TIMM.read_text(encoding="utf-8"))
    return [
        Entry(f"timm/{row['name']}", row["params"], tuple(row["input"])) for row in rows if row["chosen"] or not chosen
    ]


def build(entry: Entry) -> nn.Module:
    """Build a model with random weights, in eval mode."""
    try:
        return _build(entry, entry.device)
    except RuntimeError:
        if entry.device != "meta":
            raise
        return _build(entry, "cpu").to("meta")  # a constructor that reads tensor values


def _build(entry: Entry, device: str) -> nn.Module:
    model: nn.Module
    library, name = entry.name.split("/")
    with warnings.catch_warnings(), torch.device(device):
        warnings.simplefilter("ignore")  # the libraries warn of their own deprecations
        if library == "timm":
            model = import_timm().create_model(name)
            return model.eval()
        torchvision = import_torchvision()
        options: dict[str, Any] = {"weights": None}
        if library in ("torchvision-segmentation", "torchvision-detection"):
            options["weights_backbone"] = None
        if name.endswith(("googlenet", "inception_v3")):
            options["init_weights"] = False  # random initialization would take half a minute
        model = torchvision.models.get_model(name, **options)
        return model.eval()


def example(entry: Entry, batch_size: int = 1) -> tuple[Any, ...]:
    """Return the arguments for one forward, the same at every call."""
    random = torch.Generator().manual_seed(0)
    batch = torch.rand(batch_size, *entry.input, generator=random).to(entry.device)
    if entry.library == "torchvision-detection":
        return (list(batch),)
    return (batch, batch.clone()) if entry.library == "torchvision-optical_flow" else (batch,)


# --- torchvision without its compiled operators -------------------------------------------------


@functools.cache
def import_torchvision() -> Any:
    """Import ``torchvision``, even if its operators do not fit the installed torch.

    Its wheels are compiled for one build of torch each. Without them the import fails because ``nms`` is not
    declared: this declares it and implements it for the detection models.
    """
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    try:
        for compiled in Path(spec.origin).parent.glob("_C*.so"):  # _C_stable.so since 0.29
            torch.ops.load_library(compiled)
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
    """Import ``timm``, which needs ``torchvision``."""
    import_torchvision()
    return importlib.import_module("timm")


def _nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Return the indices of the boxes (N, 4) that do not overlap a better one by more than the threshold."""
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


# --- the models of timm --------------------------------------------------------------------------


def counted() -> list[dict[str, Any]]:
    """Yield every model that timm lists with its parameters, and whether it is chosen.

    Old names of models, which timm does not list, are included only if they were chosen. A model that cannot be built
    on the meta device has no parameter count here and is never chosen.
    """
    timm = import_timm()
    rows, listed = [], set(timm.list_models())
    for file, names in sorted(timm.models._registry._module_to_models.items()):  # noqa: SLF001
        own = [_counted(timm, file, name) for name in sorted(names)]
        sizes = sorted((row["params"], row["name"]) for row in own if row["params"])
        middle = {sizes[0][1], sizes[len(sizes) // 2][1]} if sizes else set()
        rows += [{**row, "chosen": row["name"] in middle} for row in own if row["name"] in listed | middle]
    return rows


def _counted(timm: Any, file: str, name: str) -> dict[str, Any]:
    params, shape = 0, (3, 224, 224)
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            model = timm.create_model(name)
        params = sum(p.numel() for p in model.parameters())
        shape = model.default_cfg["input_size"]
    except (RuntimeError, ValueError, TypeError, ImportError, NotImplementedError) as error:
        print(f"{file} {name}: {type(error).__name__}: {error}", file=sys.stderr)
    return {"file": file, "name": name, "params": params, "input": shape}


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(row) for row in counted())
    TIMM.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
