"""The configured models that depend on a set of files: those to run again when these files changed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from convlint.settings.config import Config
from convlint.settings.targets import Target
from convlint.static.program.import_graph import ImportGraph
from convlint.static.program.project import Project
from convlint.support.errors import UsageError


def models_of(files: Iterable[str], config: Config) -> list[Target]:
    """Return the configured models that depend on any of ``files``: they are defined in one, or in a file whose imports
    lead to one. A change of the configuration file affects all of them.

    A model whose file cannot be read is always included, because its run reports that. Imports by function call, and
    those of modules outside of the project, do not count. Raises UsageError if no model is configured.
    """
    if not config.models:
        raise UsageError(
            "no model is configured, so none depends on these files; add [[tool.convlint.models]] to pyproject.toml"
        )
    changed = {os.path.realpath(file) for file in files}
    targets = [entry.target for entry in config.models]
    if config.path is not None and os.path.realpath(config.path) in changed:
        return targets
    imports = Project(config.root).imports
    return [target for target in targets if _depends_on(target, changed, imports)]


def _depends_on(target: Target, changed: set[str], imports: ImportGraph) -> bool:
    if target.path is not None:
        path = os.path.abspath(target.path)
    else:
        path = os.path.join(imports.root, f"{target.module} is imported here")
        imports.add(path, f"import {target.module}".encode())
    return imports.text(path) is None or any(os.path.realpath(used) in changed for used in imports.reached(path))
