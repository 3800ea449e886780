"""Options of ``convlint suggest`` and ``convlint.suggest``."""

from __future__ import annotations

import os
from collections.abc import Sequence

from convlint.rewriting.base import KindOptions
from convlint.rewriting.between import FORMS
from convlint.rewriting.kinds import kinds as all_kinds
from convlint.rewriting.selection import Goal
from convlint.support.dataclass import dataclass, field
from convlint.support.errors import UsageError, check_choice
from convlint.support.quantities import parse_count

_RUNS = 20  # timed calls


@dataclass(frozen=True, slots=True)
class SuggestOptions:
    """Options of a search for rewrites.

    ``kinds``: names, all if empty; ``min_saving``: share of the model's parameters or MACs that a suggestion must
    save; ``runs``: timed calls of ``--measure``, 0 for none; ``prove_all``: run alternatives too. ``max_error``: the
    largest relative error of a layer's outputs on ``data``, a loader of the user, or else of its weights.
    """

    kinds: tuple[str, ...] = ()
    kind_options: KindOptions = field(default_factory=KindOptions)
    layers: tuple[str, ...] = ()
    min_saving: float = 0.0
    top: int | None = None
    goal: Goal = field(default_factory=Goal)
    runs: int = 0
    weights: str | None = None
    save_weights: str | None = None
    prove_all: bool = False
    max_error: float | None = None
    data: str | None = None
    recalibrate: bool = False


def parse(
    *,
    kinds: Sequence[str],
    kind_options: KindOptions,
    layers: Sequence[str],
    min_saving: float,
    top: int | None,
    target_params: int | str | None,
    target_macs: int | str | None,
    measure: bool,
    weights: str | None,
    save_weights: str | None,
    max_error: float | None = None,
    data: str | None = None,
    recalibrate: bool = False,
) -> SuggestOptions:
    """Check and convert the values of a user. Raises UsageError for invalid or contradicting ones."""
    for name in kinds:
        check_choice(name, tuple(all_kinds()), "--kind")
    options = SuggestOptions(
        kinds=tuple(kinds),
        kind_options=kind_options,
        layers=tuple(layers),
        min_saving=min_saving,
        top=top,
        goal=Goal(
            None if target_params is None else parse_count(target_params, "--target-params"),
            None if target_macs is None else parse_count(target_macs, "--target-macs"),
        ),
        runs=_RUNS if measure else 0,
        weights=weights,
        save_weights=save_weights,
        max_error=max_error,
        data=data,
        recalibrate=recalibrate,
    )
    if kind_options.groups is not None and kind_options.groups < 2:
        raise UsageError(f"--groups {kind_options.groups}: expected auto or a number of at least 2")
    if kind_options.pairs < 1:
        raise UsageError(f"--pairs {kind_options.pairs}: expected at least 1")
    if kind_options.between is not None:
        check_choice(kind_options.between, tuple(FORMS), "--between")
    if kind_options.rank is not None and not 0 < kind_options.rank <= 1:
        raise UsageError("--rank must be a share of the channels above 0%, for example 50%")
    if not 0 <= options.min_saving <= 1:
        raise UsageError("--min-saving must be a share of the model, for example 5% or 0.05")
    if options.save_weights and not options.weights:
        raise UsageError("--save-weights requires --weights FILE, the checkpoint to convert")
    for name, given in (("--max-error", max_error is not None), ("--data", data is not None)):
        if given and not options.weights:
            raise UsageError(f"{name} requires --weights FILE, the trained weights to convert")
    if max_error is not None and not 0 < max_error < 1:
        raise UsageError("--max-error must be a share between 0% and 100%, for example 10%")
    if recalibrate and data is None:
        raise UsageError("--recalibrate requires --data, the batches to estimate the statistics of norms on")
    if options.weights and kind_options.written_between not in ("none", "norm"):
        raise UsageError(
            f"--between {kind_options.between} adds an activation that the trained weights do not have: "
            "weights can only be converted with none or norm"
        )
    if options.save_weights and not os.path.isdir(os.path.dirname(options.save_weights) or "."):
        raise UsageError(f"--save-weights {options.save_weights}: the folder does not exist")
    return options
