"""What a user may wish of suggestions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from convlint.rewriting.base import Wishes
from convlint.rewriting.kinds import kinds as all_kinds
from convlint.rewriting.selection import Goal
from convlint.support.errors import UsageError, check_choice
from convlint.support.quantities import parse_count

_RUNS = 20  # calls that are timed


@dataclass(frozen=True, slots=True)
class Options:
    """Which rewrites are wanted. ``kinds``: names, none for all; ``least`` is the share of the model's parameters or
    MACs that a suggestion has to save; ``runs`` of ``--measure``, 0 for none.
    """

    kinds: tuple[str, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)
    layers: tuple[str, ...] = ()
    least: float = 0.0
    top: int | None = None
    goal: Goal = field(default_factory=Goal)
    runs: int = 0
    weights: str | None = None
    save_weights: str | None = None


def parse(
    *,
    kinds: Sequence[str] = (),
    target_params: int | str | None = None,
    target_macs: int | str | None = None,
    measure: bool = False,
    **rest: Any,
) -> Options:
    """Options from what a user wrote; ``rest`` are fields of ``Options``. Raises UsageError."""
    for name in kinds:
        check_choice(name, tuple(all_kinds()), "--kind")
    made = Options(
        kinds=tuple(kinds),
        goal=Goal(
            None if target_params is None else parse_count(target_params, "--target-params"),
            None if target_macs is None else parse_count(target_macs, "--target-macs"),
        ),
        runs=_RUNS if measure else 0,
        **rest,
    )
    _check(made)
    return made


def _check(made: Options) -> None:
    """Raise UsageError where options contradict each other."""
    wishes = made.wishes
    if wishes.groups is not None and wishes.groups < 2:
        raise UsageError(f"--groups {wishes.groups}: write auto, or a number of groups from 2 on")
    if wishes.pairs < 1:
        raise UsageError(f"--pairs {wishes.pairs}: there is at least one pair")
    if not 0 <= made.least <= 1:
        raise UsageError("--min-saving is a share of the model, as in 5% or 0.05")
    if made.save_weights and not made.weights:
        raise UsageError("--save-weights needs --weights FILE, the checkpoint to convert")
    if made.weights and wishes.between not in ("none", "norm"):
        raise UsageError(
            f"--between {wishes.between} puts an activation where trained weights had none: "
            "weights can be converted with none or norm"
        )
    if made.save_weights and not os.path.isdir(os.path.dirname(made.save_weights) or "."):
        raise UsageError(f"--save-weights {made.save_weights}: there is no such folder")
