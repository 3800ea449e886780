"""Linter for PyTorch convolutional models.

``check`` reports the bugs of a model, ``summary`` returns its layer table, ``suggest`` proposes cheaper layers and
``rewrite`` replaces them. They take a live ``nn.Module``, or a target as on the command line. ``trace`` returns the
forward pass of a live module as a ``torch.fx.Graph``. Importing convlint loads nothing else; torch, rich and typer are
imported when they are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convlint.api import Report, check, rewrite, suggest, summary, trace
    from convlint.ir import Finding, Problem, Site, Suggestion

__all__ = [
    "Finding",
    "Problem",
    "Report",
    "Site",
    "Suggestion",
    "__version__",
    "check",
    "rewrite",
    "suggest",
    "summary",
    "trace",
]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name in ("Report", "check", "rewrite", "suggest", "summary", "trace"):
        from convlint import api

        return getattr(api, name)
    if name in ("Finding", "Problem", "Site", "Suggestion"):
        from convlint import ir

        return getattr(ir, name)
    raise AttributeError(f"module 'convlint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
