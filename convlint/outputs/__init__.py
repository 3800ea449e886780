"""Output formats of reports, one file each: ``render(report) -> str``.

Adding a file here adds a format. ``parts/`` holds shared code, ``suggestions/`` the formats of ``convlint suggest``.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convlint.ir import Report


def formats() -> tuple[str, ...]:
    """The names of all formats, text and json first; no format is imported for that."""
    others = sorted(_files().keys() - {"text", "json"})
    return ("text", "json", *others)


def _files() -> dict[str, str]:
    """The module of each format. Where Python's library has a module of that name, ours ends in an underscore."""
    try:
        files = [name for folder in __path__ for name in os.listdir(folder)]
        modules = [name.removesuffix(".py") for name in files if name.endswith(".py")]
    except NotADirectoryError:  # a zip archive
        import pkgutil  # it takes longer to load than a folder to list

        modules = [file.name for file in pkgutil.iter_modules(__path__) if not file.ispkg]
    return {name.rstrip("_"): name for name in modules if name != "__init__"}


def renderer(name: str) -> Callable[[Report], str]:
    """The ``render`` function of a format. Raises KeyError for an unknown one."""
    module = importlib.import_module(f"{__name__}.{_files()[name]}")
    render: Callable[[Report], str] = module.render
    return render
