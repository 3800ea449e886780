"""What layers are rewritten to, what that saves, and what verifying it showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from convlint.ir.graph import Graph
from convlint.ir.nodes import Shape
from convlint.ir.problem import Problem
from convlint.source_text.site import Edit, Site

IntermediateLayers = Literal["none", "norm", "norm-relu", "norm-prelu"]


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a dense layer becomes: the code of the rewrite, and the numbers that it needs.

    ``groups`` of a grouped convolution, each of at least ``width`` channels on both sides; ``pairs`` of depthwise and
    pointwise kernels that are summed, and what stands ``between`` the two halves of a separable one; ``map_size``
    (H, W) that a global depthwise convolution covers.
    """

    code: str
    groups: int = 1
    width: int = 1
    pairs: int = 1
    between: IntermediateLayers = "none"
    map_size: Shape = ()


@dataclass(frozen=True, slots=True)
class Costs:
    """What a layer, or several, take: parameters, multiply-accumulates, bytes of the maps that come out and bytes that
    autograd keeps for backward; the last is None where it could not be measured.
    """

    params: int = 0
    macs: int = 0
    output_bytes: int = 0
    saved_bytes: int | None = 0

    def __add__(self, other: Costs) -> Costs:
        return self._with(other, 1)

    def __sub__(self, other: Costs) -> Costs:
        return self._with(other, -1)

    def _with(self, other: Costs, sign: int) -> Costs:
        known = self.saved_bytes is not None and other.saved_bytes is not None
        return Costs(
            self.params + sign * other.params,
            self.macs + sign * other.macs,
            self.output_bytes + sign * other.output_bytes,
            (self.saved_bytes or 0) + sign * (other.saved_bytes or 0) if known else None,
        )


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer before, as it was measured, and after, as it is estimated."""

    layer: str
    form: Replacement
    before: Costs
    after: Costs
    weight_error: float | None = None
    """``|W - W'| / |W|`` (Frobenius) of the best conversion of trained weights; None without weights."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What running the rewritten model showed.

    ``ran``: a forward and, where the original allows one, a training step; ``ways``: how many other ways in which the
    file builds what was rewritten work as before.
    """

    ran: bool
    output_shapes_equal: bool
    params_equal: bool
    macs_equal: bool
    saved_bytes_error: float | None = None  # |estimated - measured| / measured, of the whole model
    trained: bool | None = None  # None: the original model cannot be trained on this input either
    ways: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one call, original and rewritten in turns: the least and the median of ``runs``."""

    what: str  # "model", the name of a layer, or "layers": the sum over those of a suggestion
    device: str
    layout: str  # "contiguous" or "channels-last"
    threads: int
    runs: int
    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def slower(self) -> bool:
        """Whether the rewritten one took longer, by both figures."""
        return self.after[0] > self.before[0] and self.after[1] > self.before[1]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rewrite of one call in the source, verified. ``edits`` are to the files as they were when the model ran; of a
    live model, which was built before, there are none, and no ``site``.

    ``chosen``: it is part of the set whose totals the report gives and that ``--write`` applies.
    """

    code: str
    name: str
    title: str
    site: Site | None
    changes: tuple[LayerChange, ...]
    edits: tuple[Edit, ...]
    diff: str
    verified: Verification
    evidence: str
    chosen: bool = False
    latency: tuple[Timing, ...] = ()

    @property
    def instances(self) -> tuple[str, ...]:
        return tuple(change.layer for change in self.changes)

    @property
    def before(self) -> Costs:
        return sum((change.before for change in self.changes), Costs())

    @property
    def after(self) -> Costs:
        return sum((change.after for change in self.changes), Costs())

    @property
    def saved(self) -> Costs:
        return self.before - self.after

    @property
    def weight_error(self) -> float | None:
        """The largest of its layers."""
        errors = [c.weight_error for c in self.changes if c.weight_error is not None]
        return max(errors, default=None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Layers that could be rewritten, and are not. ``code`` is "" where no kind of rewrite was possible."""

    code: str
    site: Site | None
    instances: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class RewrittenSet:
    """The chosen suggestions applied together, and the totals of the model before and after, measured."""

    before: Costs
    after: Costs
    diff: str
    files: Mapping[str, tuple[bytes, bytes]] = field(default_factory=dict)  # before and after
    verified: Verification | None = None
    latency: tuple[Timing, ...] = ()
    goal: str | None = None  # what was asked of the totals, and whether it was reached


# --- between the command line and the worker


@dataclass(frozen=True, slots=True)
class ReorderedState:
    """State of a layer that changes its order with the channels of another: ``state.index_select(dim, permutation)``
    for each of ``names`` that the layer has. The permutation says which old channel comes to each new position.
    """

    layer: str
    names: tuple[str, ...]
    dim: int = 0


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """What absorbs another order of the channels that a convolution reads, and of those that it makes; None where
    they have to keep their order.
    """

    layer: str
    inputs: tuple[ReorderedState, ...] | None = None
    outputs: tuple[ReorderedState, ...] | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A text of a project, to be built and run: files in place of those on disk, their bytes as latin-1.

    ``ways`` are targets that are built beside the model. ``forms`` says what layers became: with ``weights``, a
    checkpoint of the original, it is converted and loaded, and written to ``save``; ``orders`` are those in which
    channels may come then. ``runs``: time that many calls of the original and of it.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    ways: tuple[str, ...] = ()
    forms: Mapping[str, Replacement] = field(default_factory=dict)
    orders: tuple[ChannelOrder, ...] = ()
    weights: str | None = None
    save: str | None = None
    runs: int = 0


@dataclass(frozen=True, slots=True)
class BuiltLayer:
    """A convolution or linear layer that a way made: where, and its numbers."""

    site: Site
    kind: str
    attrs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OtherCall:
    """What came of building a target beside the model: how far it came, and the shapes that came out.

    ``built`` has each call that made a layer once for the same numbers.
    """

    target: str
    stage: Literal["failed", "built", "ran"]
    outputs: tuple[str, ...] = ()
    error: str = ""
    built: tuple[BuiltLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionRun:
    """What a version did. ``untrained`` are parameters that a training step gave no gradient, ``training_error`` why
    there was no step; ``libraries`` are modules from outside of the project that it imported.
    """

    graph: Graph | None = None
    problems: tuple[Problem, ...] = ()
    training_error: str | None = None
    untrained: tuple[str, ...] = ()
    ways: tuple[OtherCall, ...] = ()
    libraries: tuple[str, ...] = ()
    weight_errors: Mapping[str, float] = field(default_factory=dict)
    timings: tuple[Timing, ...] = ()
