"""What would prove a suspicion: calls of a class that are to fail at one layer, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convlint.ir.nodes import Argument, Shape
from convlint.source_text.site import Site

IntArguments = tuple[tuple[str, int], ...]
"""Integers for parameters of a constructor; ``widths[0]`` is an item of the argument ``widths``."""

Verdict = Literal["fails", "works", "unknown"]


@dataclass(frozen=True, slots=True)
class Instantiation:
    """Numbers to build a class with, and the channels that each input of its forward then has; none
    where they are not known.
    """

    numbers: IntArguments
    channels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """An attempt that should fail, and one beside it that should work."""

    fails: Instantiation
    works: Instantiation


@dataclass(frozen=True, slots=True)
class Claim:
    """That a class fails for numbers that it accepts, at a layer built at one of ``sites``.

    ``path`` and ``cls`` say which class (``Outer.Inner``), ``arguments`` how it is called; the numbers
    of a trial take the place of what those say. ``inputs`` are the shapes of tensors that its forward
    was called with, none where that is not known. ``fails_in`` says whether the layer's constructor
    refuses its numbers, or its call refuses what arrives. ``needed``: without a proof nothing is
    to be reported. ``target`` is what was run when the claim was made; None where nothing was, and
    ``arguments`` are examples then: those that are missing get usual ones.
    """

    path: str
    cls: str
    arguments: tuple[Argument, ...]
    trials: tuple[Trial, ...]
    sites: tuple[Site, ...]
    inputs: tuple[Shape, ...] = ()
    fails_in: Literal["constructor", "forward"] = "forward"
    needed: bool = False
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """Proof of a latent bug: a constructor call and inputs that really fail, beside a control call that works."""

    call: str
    inputs: tuple[str, ...]
    error: str
    control: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a claim. ``fails``: the witness shows it. ``works``: the class did with every number
    that it accepts. ``unknown``: neither could be shown, and ``reason`` says why.
    """

    verdict: Verdict
    witness: Witness | None = None
    reason: str = ""
