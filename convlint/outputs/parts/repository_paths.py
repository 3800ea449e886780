"""Paths relative to the repository, for readers outside of the working directory."""

from __future__ import annotations

import os

from convlint.ir import Finding, Problem
from convlint.settings.targets import parse_target
from convlint.support.errors import UsageError

# The repository's folder on GitHub and GitLab, whose viewers expect paths relative to it.
ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def root() -> str:
    """The folder that paths are relative to: the repository if CI names it, else the working directory."""
    here = os.getcwd()
    for name in ROOTS:
        folder = os.environ.get(name, "")
        if folder and _inside(here, folder):
            return os.path.realpath(folder)
    return here


def from_root(path: str) -> str:
    """A path relative to ``root``, with slashes; absolute if it is outside."""
    folder = root()
    whole = os.path.join(os.path.realpath(os.curdir), path)
    if not _inside(whole, folder):
        return os.path.abspath(path).replace(os.sep, "/")
    return os.path.relpath(whole, os.path.realpath(folder)).replace(os.sep, "/")


def _inside(path: str, folder: str) -> bool:
    try:
        relative = os.path.relpath(path, os.path.realpath(folder))
    except ValueError:  # another drive
        return False
    return relative != os.pardir and not relative.startswith(os.pardir + os.sep)


def file_of(item: Finding | Problem) -> str | None:
    """The file of a finding or problem, or else the file of its target."""
    path = item.path if isinstance(item, Problem) else item.site and item.site.path
    if path or not item.target:
        return path or None
    try:
        target = parse_target(item.target)
    except UsageError:  # a live model
        return None
    return target.path or (target.module or "").replace(".", "/") + ".py"
