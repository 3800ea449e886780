"""The coverage of model runs, and the coverage that a build requires."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from convlint.ir import Coverage, Problem, Stopped
from convlint.ir.coverage import share

if TYPE_CHECKING:
    from convlint.ir import Model


def of_models(models: Sequence[Model]) -> Iterator[Coverage]:
    """Yield how far each model was recorded: its layers with parameters, those that ran, and where the run ended."""
    for model in models:
        graph = model.graph
        rows = [row for row in model.layers if row.params]
        stopped = [Stopped(None, None, reason, name or None) for name, reason in graph.untraced]
        if (failure := graph.failure) is not None:
            site = failure.site
            path, line = (None, None) if site is None else (site.path, site.line)
            stopped.append(
                Stopped(path, line, f"the run ended: {failure.type}: {failure.message}", failure.module or None)
            )
        ran = len(rows) if model.status == "complete" else sum(row.calls > 0 and not row.failed for row in rows)
        path = model.target.partition(":")[0]
        is_file = path.endswith(".py") and os.path.exists(path)
        yield Coverage(path if is_file else None, 1, None, model.target, len(rows), ran, tuple(stopped))


def shortfall(coverage: tuple[Coverage, ...], required: float) -> Iterator[Problem]:
    """Yield a problem if fewer layers were followed than a build requires."""
    if share(coverage) < required:
        followed, layers = sum(each.followed for each in coverage), sum(max(each.layers, 1) for each in coverage)
        text = f"{followed:,} of {layers:,} layers were followed ({share(coverage):.0%}); --min-coverage {required:.0%}"
        yield Problem("low-coverage", f"{text} requires more; --statistics lists where the analysis stopped")
