"""Which configured models a set of files is about: the ones to run again when these files changed."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator

from convlint.config import Config
from convlint.source.project import Project, SourceModule
from convlint.source.reading import parse
from convlint.targets import Target
from convlint.usage import UsageError


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
    return module is None or not changed.isdisjoint(_files(module, project))


def _entry(target: Target, project: Project) -> SourceModule | None:
    """The module that a model is taken from; None where its file cannot be read."""
    if target.path is not None:
        return project.load(target.path)
    where = os.path.join(project.root, f"{target.module} is imported here")
    return SourceModule(parse(where, f"import {target.module}".encode()), "", is_package=False)


def _files(module: SourceModule, project: Project) -> set[str]:
    """The real paths of a module and of all that its import loads from the project."""
    seen = {os.path.realpath(module.path)}
    pending = [module]
    while pending:
        importer = pending.pop()
        for name, level in _imported(importer):
            found = project.find(name, importer, level)
            if found is not None and os.path.realpath(found.path) not in seen:
                seen.add(os.path.realpath(found.path))
                pending.append(found)
    return seen


def _imported(module: SourceModule) -> Iterator[tuple[str, int]]:
    """The dotted names that a module imports, and how many dots stand before each. The packages
    around an imported module count: they are loaded before it.
    """
    for node in ast.walk(module.text.tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    yield from ((name, 0) for name in _with_packages(alias.name))
            case ast.ImportFrom(module=name, names=aliases, level=level):
                inner = f"{name}." if name else ""
                for package in _with_packages(name or ""):
                    yield package, level
                for alias in aliases:  # may be a module, too
                    yield f"{inner}{alias.name}", level


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))
