"""Where things stand for a reader outside of this folder: paths as the repository has them."""

from __future__ import annotations

import os

from convlint.ir import Finding, Problem
from convlint.settings.targets import parse_target
from convlint.support.errors import UsageError

ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Where GitHub and GitLab say that the repository is; what reads a report there counts paths from it."""


def root() -> str:
    """The folder from which paths are counted: the repository's, or the working directory where nobody says."""
    here = os.getcwd()
    for name in ROOTS:
        folder = os.environ.get(name, "")
        if folder and _inside(here, folder):
            return os.path.realpath(folder)
    return here


def from_root(path: str) -> str:
    """A path as it is below ``root``, with slashes; an absolute one where it lies elsewhere."""
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


def file_of(thing: Finding | Problem) -> str | None:
    """The file that something is about, as it was named: where it stands, or where the model comes from."""
    path = thing.path if isinstance(thing, Problem) else thing.site and thing.site.path
    if path or not thing.target:
        return path or None
    try:
        target = parse_target(thing.target)
    except UsageError:  # a live model, which comes from no file
        return None
    return target.path or (target.module or "").replace(".", "/") + ".py"
