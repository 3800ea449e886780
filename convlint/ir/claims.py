"""Claims that a class fails for arguments that it accepts, and what running them showed."""

from __future__ import annotations

from typing import Literal

from convlint.ir.nodes import Argument, Shape
from convlint.source_text.site import Edit, Site
from convlint.support.dataclass import dataclass

# Integers for constructor parameters, by name; ``widths[0]`` is an item of the argument ``widths``.
IntArguments = tuple[tuple[str, int], ...]

Verdict = Literal["fails", "works", "unknown"]

MODULE = "..."
"""The text of an argument that is a module: any that fits."""


@dataclass(frozen=True, slots=True)
class Instantiation:
    """Arguments to build a class with, and the channels of each input of its forward (empty: unknown).

    ``arguments`` are in addition to those of the claim. ``shapes`` are the inputs where more is known than channels: 0
    is any size, and an empty shape an input that need not be a tensor.
    """

    numbers: IntArguments
    channels: tuple[int, ...] = ()
    arguments: tuple[Argument, ...] = ()
    shapes: tuple[Shape, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """An instantiation that should fail, and a similar one that should work; None if there is none."""

    failing: Instantiation
    control: Instantiation | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim that a class fails for arguments that it accepts, at a layer built at one of ``sites``.

    ``path`` and ``cls`` name the class (``Outer.Inner``) and ``arguments`` its constructor call; the numbers of a trial
    replace those in ``arguments``. ``inputs`` are the shapes that its forward was called with (empty: unknown).
    ``fails_in`` says whether the layer's constructor or its call should fail. Where ``needed`` is set, nothing is
    reported without a proof. Where ``rounding`` is set, the numbers differ only where a division leaves a remainder:
    a proof leaves the severity as it is. ``target`` is the model whose run made the claim; None for static analysis,
    where ``arguments`` are only examples and missing ones get usual values. ``edits`` are a repair of the class.
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
    edits: tuple[Edit, ...] = ()


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
    was shown, for ``reason``. ``repaired``: with the edits of the claim, the class worked with the same arguments.
    """

    verdict: Verdict
    witness: Witness | None = None
    reason: str = ""
    repaired: bool = False
