"""Copy the sources of torchvision and timm into a folder, as real code for static analysis."""

from __future__ import annotations

import importlib.util
import shutil
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torchvision", "timm")
PARTS = ("torchvision/models", "timm/models", "timm/layers")
"""Folders of their models. The rest of the packages is copied for imports."""


def copied(folder: Path) -> list[str]:
    """Copy the Python files of the installed packages into ``folder``, and return the model files relative to it.
    The copy is needed because linters skip environments.
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
    """Return the names and releases of the packages."""
    return " and ".join(f"{name} {version(name).split('+')[0]}" for name in PACKAGES)
