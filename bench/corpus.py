"""The sources of torchvision and timm as a folder of their own: real code to be read, not run."""

from __future__ import annotations

import importlib.util
import shutil
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torchvision", "timm")
PARTS = ("torchvision/models", "timm/models", "timm/layers")
"""Where their models are. The rest of the packages is there for what these import."""


def copied(folder: Path) -> list[str]:
    """Copy the Python files of the installed packages into ``folder``; the model files among them,
    relative to it. A copy, because an environment is a place that linters pass over.
    """
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None, f"{name} is not installed"
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, folder / name, ignore=_no_source)
    files = (file for part in PARTS for file in (folder / part).rglob("*.py"))
    return sorted(str(file.relative_to(folder)) for file in files)


def _no_source(folder: str, names: list[str]) -> list[str]:
    return [
        name for name in names if name == "__pycache__" or not (name.endswith(".py") or Path(folder, name).is_dir())
    ]


def versions() -> str:
    """Which releases they are, in words."""
    return " and ".join(f"{name} {version(name).split('+')[0]}" for name in PACKAGES)
