"""The libraries that static mode follows: what their functions compute, and what their classes hold.

``computed`` has functions of known values, one file a library; a file is loaded when a program calls its library.
``followed`` has classes and functions as short Python texts. The interpreter follows such a text in place of the
library's own files, as if the program contained it; nothing imports it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

COMPUTED = {
    **{name: name for name in ("einops", "math", "numpy", "os", "pathlib", "re")},
    **dict.fromkeys(("importlib", "importlib_resources"), "pathlib"),
    **dict.fromkeys(("json", "toml", "tomli", "tomllib", "yaml"), "data_files"),
}
"""The file in ``computed`` for a library."""

FOLLOWED = {
    **{
        name: name
        for name in ("argparse", "attribute_dict", "collections", "omegaconf", "pydantic", "transformers", "types")
    },
    **dict.fromkeys(("addict", "box", "easydict", "ml_collections", "ml_collections.config_dict"), "attribute_dict"),
    "munch": "attribute_dict",
    "yacs.config": "yacs",
    "pydantic_settings": "pydantic",
    **dict.fromkeys(("pytorch_lightning", "pytorch_lightning.core", "lightning", "lightning.pytorch"), "lightning"),
    **dict.fromkeys(("pytorch_lightning.core.lightning", "pytorch_lightning.core.mixins"), "lightning"),
    **dict.fromkeys(("transformers.configuration_utils", "transformers.modeling_utils"), "transformers"),
    **dict.fromkeys(("mmengine", "mmengine.config", "mmengine.model", "mmengine.registry"), "mmengine"),
    **dict.fromkeys(("mmcv", "mmcv.runner", "mmcv.utils", "mmcv.runner.base_module"), "mmengine"),
    **dict.fromkeys(
        ("mmcv_cnn", "mmcv.cnn", "mmcv.cnn.bricks", "mmcv.cnn.bricks.drop", "mmcv.cnn.bricks.registry"), "mmcv_cnn"
    ),
    "einops.layers.torch": "einops_layers",
    **dict.fromkeys((f"torchvision.models{part}" for part in ("", ".resnet", ".vgg")), "torchvision_models"),
    **dict.fromkeys((f"torchvision.ops{part}" for part in ("", ".misc", ".deform_conv")), "torchvision_ops"),
    **dict.fromkeys(("timm.layers", "timm.models.layers", "timm.layers.drop", "timm.layers.helpers"), "timm_layers"),
    **dict.fromkeys(("hydra", "hydra.utils"), "hydra"),
    **dict.fromkeys(("packaging.version", "distutils.version", "pkg_resources"), "versions"),
}
"""The text in ``followed`` that stands for a module of a library."""

MODELS = frozenset({"torchvision_models"})
"""The texts of whole models: what is said about their layers is not for those who use them."""

DECORATING = ("hydra",)
"""The libraries whose decorators change what a function takes."""

OF_TORCH = dict.fromkeys(
    (f"Transformer{part}" for part in ("", "Encoder", "EncoderLayer", "Decoder", "DecoderLayer")), "torch_transformers"
)
"""The text in ``followed`` for a class of ``torch.nn`` that is made of other layers."""

VERSIONS = {"torch.__version__": "2.9.0", "torch.version.__version__": "2.9.0", "sys.version_info": (3, 11, 0)}
"""The versions that conditions of programs ask for: those of today, so that branches for older ones are not taken."""

_FOLDER = os.path.join(os.path.dirname(__file__), "followed")


@cache
def followed(name: str) -> tuple[str, str] | None:
    """Return the path of the text that stands for a qualified name, and the name in it, "" for the module itself."""
    owner, _, inner = name.rpartition(".")
    if owner.startswith("torch.nn") and inner in OF_TORCH:
        return os.path.join(_FOLDER, f"{OF_TORCH[inner]}.py"), inner
    if name in FOLLOWED:
        owner, inner = name, ""
    return (os.path.join(_FOLDER, f"{FOLLOWED[owner]}.py"), inner) if owner in FOLLOWED else None


def function(name: str) -> Callable[..., Any] | None:
    """Return what stands for a function of a library by its qualified name; None if nothing does."""
    library = _computed(name.partition(".")[0])
    found: Callable[..., Any] | None = None if library is None else library.FUNCTIONS.get(name)
    return found


def constant(name: str) -> float | None:
    """Return a number that a library defines, such as ``math.pi``; None if it is not known."""
    library = _computed(name.partition(".")[0])
    number: float | None = None if library is None else library.CONSTANTS.get(name)
    return number


@cache
def _computed(library: str) -> ModuleType | None:
    file = COMPUTED.get(library)
    return None if file is None else importlib.import_module(f"{__name__}.computed.{file}")
