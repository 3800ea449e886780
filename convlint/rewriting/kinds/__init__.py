"""The rewrites, one file each; adding a file here adds a rewrite."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from convlint.rewriting.base import Kind


@cache
def kinds() -> dict[str, Kind]:
    """Every rewrite by its name (``grouped``), in the order of their codes."""
    found: dict[str, Kind] = {}
    for file in sorted(pkgutil.iter_modules(__path__), key=lambda file: file.name):
        for value in vars(importlib.import_module(f"{__name__}.{file.name}")).values():
            if isinstance(value, type) and issubclass(value, Kind) and not inspect.isabstract(value):
                found[value.name] = value()
    return found


def of_code(code: str) -> Kind:
    """The rewrite with a code. Raises KeyError."""
    return {c: kind for kind in kinds().values() for c in (kind.code, *kind.variant_codes)}[code]
