"""Installed packages, and the folders of packages, by their paths."""

from __future__ import annotations

import os

_INSTALLED = frozenset({"site-packages", "dist-packages"})


def is_installed(path: str) -> bool:
    """Return whether a file is in a folder of installed packages."""
    return not _INSTALLED.isdisjoint(path.split(os.sep))


def package_folder(path: str) -> str:
    """The folder that contains the package, or the single file, of a path."""
    folder = os.path.dirname(os.path.abspath(path))
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder
