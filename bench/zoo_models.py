"""The models that convlint is tried on: those of torchvision and of timm.

``python -m bench.zoo_models`` counts the parameters of all of timm on the meta device and writes them to
``bench/timm_models.json``, with two of every model file marked as chosen: the smallest and the middle one. Benches that
take long try those.
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

# torchvision's stand-in for a missing roi_align is compiled on first use: minutes, for nothing.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import torch
from torch import nn

TIMM = Path(__file__).with_name("timm_models.json")
_KEPT: list[Any] = []  # operators that are declared here go when their library object does
LARGEST_REAL = 400_000_000  # parameters; above that a model is built on the meta device


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
    """All of torchvision, and the chosen models of timm."""
    return [*torchvision_entries(FAMILIES[:3]), *timm_entries()]


def all_entries() -> list[Entry]:
    """Every model of torchvision and timm."""
    return [*torchvision_entries(), *timm_entries(chosen=False)]


FAMILIES = ("models", "segmentation", "detection", "video", "optical_flow", "quantization")
"""Modules of torchvision's models: ``models`` itself has those that classify images."""
_SIZES = {"detection": 320, "optical_flow": 128, "inception_v3": 299, "quantized_inception_v3": 299}
_SIZES |= dict.fromkeys(("mc3_18", "r2plus1d_18", "r3d_18"), 112)
"""Height and width of inputs, by family or model, where they are not 224."""


def torchvision_entries(families: Sequence[str] = FAMILIES) -> list[Entry]:
    """All models of torchvision that are of one of the families."""
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
    """The chosen models of timm, see ``counted``, or all of them."""
    rows = json.loads(TIMM.read_text(encoding="utf-8"))
    return [
        Entry(f"timm/{row['name']}", row["params"], tuple(row["input"])) for row in rows if row["chosen"] or not chosen
    ]


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
        if library in ("torchvision-segmentation", "torchvision-detection"):
            options["weights_backbone"] = None
        if name.endswith(("googlenet", "inception_v3")):
            options["init_weights"] = False  # half a minute of random numbers that nobody reads
        model = torchvision.models.get_model(name, **options)
        return model.eval()


def example(entry: Entry, batch_size: int = 1) -> tuple[Any, ...]:
    """Arguments for one forward, the same at every call."""
    random = torch.Generator().manual_seed(0)
    batch = torch.rand(batch_size, *entry.input, generator=random).to(entry.device)
    if entry.library == "torchvision-detection":
        return (list(batch),)
    return (batch, batch.clone()) if entry.library == "torchvision-optical_flow" else (batch,)


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


# --- the models of timm --------------------------------------------------------------------------


def counted() -> list[dict[str, Any]]:
    """Every model that timm lists with its parameters, and whether it is a chosen one.

    Old names of models, which timm does not list, are here only where they were chosen. A model that cannot be built
    on the meta device has no parameters here, and is never chosen.
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
