"""Which configured models a set of files is about: the ones to run again when these files changed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from convlint.settings.config import Config
from convlint.settings.targets import Target
from convlint.static.program.parse import parse
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.support.errors import UsageError


def models_of(files: Iterable[str], config: Config) -> list[Target]:
    """The configured models that are made of any of ``files``: that stand in one, or in a file whose
    imports lead to one. A change of the settings themselves is about all of them.

    A model whose file cannot be read is among them always, for only its run says so. Imports that
    are no statement, and those from outside the project, are not followed. Raises UsageError where no
    model is configured.
    """
    if not config.models:
        raise UsageError(
            "no model is configured, so that none can be made of these files: "
            "add [[tool.convlint.models]] to pyproject.toml"
        )
    changed = {os.path.realpath(file) for file in files}
    targets = [entry.target for entry in config.models]
    if config.path is not None and os.path.realpath(config.path) in changed:
        return targets
    project = Project(config.root)
    return [target for target in targets if _is_of(target, changed, project)]


def _is_of(target: Target, changed: set[str], project: Project) -> bool:
    module = _entry(target, project)
    if module is None:
        return True
    return any(os.path.realpath(one.path) in changed for one in project.reached(module))


def _entry(target: Target, project: Project) -> SourceModule | None:
    """The module that a model is taken from; None where its file cannot be read."""
    if target.path is not None:
        return project.load(target.path)
    where = os.path.join(project.root, f"{target.module} is imported here")
    return SourceModule(parse(where, f"import {target.module}".encode()), "", is_package=False)
