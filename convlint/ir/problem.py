"""A problem: something that could not be checked."""

from __future__ import annotations

from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A file or model that could not be checked. ``kind`` is a name in kebab case: ``timeout``, ``import-error`` ..."""

    kind: str
    message: str
    path: str | None = None
    line: int | None = None
    target: str | None = None
    traceback: str | None = None

    @property
    def place(self) -> str:
        """The file and line, or else the model."""
        place = self.path or self.target or "convlint"
        return f"{place}:{self.line}" if self.path and self.line else place
