"""Claims that a class fails for arguments that it accepts, and what running them showed."""

from __future__ import annotations

from typing import Literal

from convlint.ir.nodes import Argument, Shape
from convlint.source_text.site import Site
from convlint.support.dataclass import dataclass

# Integers for constructor parameters, by name; ``widths[0]`` is an item of the argument ``widths``.
IntArguments = tuple[tuple[str, int], ...]

Verdict = Literal["fails", "works", "unknown"]


@dataclass(frozen=True, slots=True)
class Instantiation:
    """Arguments to build a class with, and the channels of each input of its forward (empty: unknown)."""

    numbers: IntArguments
    channels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """An instantiation that should fail, and a similar one that should work."""

    failing: Instantiation
    control: Instantiation


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim that a class fails for arguments that it accepts, at a layer built at one of ``sites``.

    ``path`` and ``cls`` name the class (``Outer.Inner``) and ``arguments`` its constructor call; the numbers of a trial
    replace those in ``arguments``. ``inputs`` are the shapes that its forward was called with (empty: unknown).
    ``fails_in`` says whether the layer's constructor or its call should fail. Where ``needed`` is set, nothing is
    reported without a proof. Where ``rounding`` is set, the numbers differ only where a division leaves a remainder:
    a proof leaves the severity as it is. ``target`` is the model whose run made the claim; None for static analysis,
    where ``arguments`` are only examples and missing ones get usual values.
    """

    path: str
    cls: str
    arguments: tuple[Argument, ...]
    trials: tuple[Trial, ...]
    sites: tuple[Site, ...]
    inputs: tuple[Shape, ...] = ()
    fails_in: Literal["constructor", "forward"] = "forward"
    needed: bool = False
    rounding: bool = False
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """Evidence of a latent bug: a constructor call and inputs that fail, and a control call that works.

    ``verified`` says whether they were run, or followed by static analysis.
    """

    call: str
    inputs: tuple[str, ...]
    error: str
    control: str
    verified: Literal["run", "static"] = "run"


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of checking a claim.

    ``fails``: the witness shows it. ``works``: the class worked with all numbers that it accepts. ``unknown``: neither
    was shown, for ``reason``.
    """

    verdict: Verdict
    witness: Witness | None = None
    reason: str = ""
