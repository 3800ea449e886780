"""A problem: something that could not be checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A file or model that could not be checked. ``kind`` is a name in kebab case: ``timeout``, ``import-error`` ..."""

    kind: str
    message: str
    path: str | None = None
    line: int | None = None
    target: str | None = None
    traceback: str | None = None
