"""Describe in words how much was followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Coverage
from convlint.outputs.parts.terminal import number_of

_MOST_CLASSES = 20  # that --statistics lists


def sentence(coverage: Sequence[Coverage], *, with_list: bool = False) -> str | None:
    """Say in one line how many layers were followed, and where that ended; None if there is nothing to say.

    Next to the ``listed`` ones (``with_list``) it repeats none of them.
    """
    unfinished = sorted((each for each in coverage if not each.is_complete), key=lambda each: each.followed > 0)
    if not coverage or (with_list and unfinished and len(coverage) == 1):
        return None
    if len(coverage) == 1:
        return _of_one(coverage[0])
    layers, followed = sum(each.layers for each in coverage), sum(each.followed for each in coverage)
    models = number_of(len(coverage), "class") if all(each.name for each in coverage) else f"{len(coverage):,} models"
    if not unfinished:
        return f"{models}: all {number_of(layers, 'layer')} followed"
    share = f"{models}: {followed:,} of {number_of(layers, 'layer')} followed"
    if with_list:
        return f"{share}; {len(unfinished):,} incomplete"
    first, more = unfinished[0], len(unfinished) - 1
    others = f", {more:,} more with --statistics" if more else ""
    return f"{share}; incomplete: {_of_one(first)}{others}"


def _of_one(coverage: Coverage) -> str:
    head = f"{place(coverage)}: {followed(coverage)}"
    if not coverage.stopped:
        return head
    stop = coverage.stopped[0]
    where = f"{stop.path}:{stop.line}" if stop.path else stop.value or "the model"
    if stop.path and stop.path == coverage.path:
        where = f"line {stop.line}"
    more = f" (and {number_of(len(coverage.stopped) - 1, 'more place')})" if len(coverage.stopped) > 1 else ""
    return f"{head}; stopped at {where}: {stop.reason}{more}"


def place(coverage: Coverage) -> str:
    """The class or model: ``net.py:Net``."""
    return coverage.target or f"{coverage.path}:{coverage.name}"


def followed(coverage: Coverage) -> str:
    """``41 of 44 layers followed``."""
    if not coverage.layers:
        return "no layer followed"
    if coverage.followed == coverage.layers:
        return f"all {number_of(coverage.layers, 'layer')} followed" if coverage.layers > 1 else "its layer followed"
    return f"{coverage.followed:,} of {number_of(coverage.layers, 'layer')} followed"


def listed(coverage: Sequence[Coverage]) -> Iterator[str]:
    """The classes and models that were not followed completely, a line each, the least followed first."""
    unfinished = [each for each in coverage if not each.is_complete]
    unfinished.sort(key=lambda each: (each.followed / max(each.layers, 1), place(each)))
    for each in unfinished[:_MOST_CLASSES]:
        yield _of_one(each)
    if len(unfinished) > _MOST_CLASSES:
        yield f"and {len(unfinished) - _MOST_CLASSES:,} more"
