"""Rewrites of layers: what replaces them, what that saves, and what running the rewritten model showed."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb, erfc, sqrt
from typing import Literal

from convlint.ir.nodes import Shape
from convlint.source_text.site import Edit, Site
from convlint.support.dataclass import dataclass, field

IntermediateLayers = Literal[
    "none", "norm", "norm-relu", "norm-prelu", "norm-relu6", "norm-leaky-relu", "norm-silu", "norm-hardswish",
    "norm-gelu", "norm-elu", "norm-mish",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Replacement:
    """The replacement of a dense layer: the code of the rewrite, and its numbers.

    ``groups`` of a grouped convolution, each at least ``width`` channels wide on both sides; ``pairs`` of depthwise and
    pointwise kernels that are summed; the layers ``between`` the two halves of a separable convolution; ``map_size``
    (H, W), the input size of a global depthwise convolution; the ``ranks`` of a decomposition, in channels or, with
    ``per``, in so many parts of the channels. ``base`` is the class of torch.nn of a layer that is decomposed; it keeps
    its ``groups``. ``shuffled``: the channels of the input are shuffled before a grouped convolution.
    """

    code: str
    groups: int = 1
    width: int = 1
    pairs: int = 1
    between: IntermediateLayers = "none"
    map_size: Shape = ()
    ranks: Shape = ()
    per: int = 0
    base: str = ""
    shuffled: bool = False


@dataclass(frozen=True, slots=True)
class Costs:
    """Parameters, multiply-accumulates, bytes of the outputs, and bytes that autograd saves for backward.

    ``saved_bytes`` is None where it could not be measured.
    """

    params: int = 0
    macs: int = 0
    output_bytes: int = 0
    saved_bytes: int | None = 0

    def __add__(self, other: Costs) -> Costs:
        return self._plus(other, 1)

    def __sub__(self, other: Costs) -> Costs:
        return self._plus(other, -1)

    def _plus(self, other: Costs, sign: int) -> Costs:
        measured = self.saved_bytes is not None and other.saved_bytes is not None
        return Costs(
            self.params + sign * other.params,
            self.macs + sign * other.macs,
            self.output_bytes + sign * other.output_bytes,
            (self.saved_bytes or 0) + sign * (other.saved_bytes or 0) if measured else None,
        )


@dataclass(frozen=True, slots=True)
class LayerChange:
    """The measured costs of one layer, and its estimated costs after the rewrite.

    ``weight_error`` is ``|W - W'| / |W|`` (Frobenius norm) of the best conversion of the trained weights; None without
    weights. ``block`` is the module around the layer, if one of the project's replaces it as a whole.
    """

    layer: str
    replacement: Replacement
    before: Costs
    after: Costs
    weight_error: float | None = None
    block: str = ""

    @property
    def place(self) -> str:
        """The module that is another one afterwards."""
        return self.block or self.layer


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of running the rewritten model.

    ``ran``: a forward and, where the original allows one, a training step. ``trained`` is None where the original
    cannot be trained on this input. ``saved_bytes_error`` is ``|estimated - measured| / measured`` of the whole model.
    ``other_calls`` counts the other constructor calls of the file that build the rewritten layers and still work.
    """

    ran: bool
    output_shapes_equal: bool
    params_equal: bool
    macs_equal: bool
    saved_bytes_error: float | None = None
    trained: bool | None = None
    other_calls: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Minimum and median seconds of ``runs`` calls, original and rewritten in turns.

    ``subject`` is "model", the name of a layer, or "layers" for the sum over those of a suggestion; ``layout`` is
    "contiguous" or "channels-last". ``wins`` counts the turns in which the rewritten one was faster.
    """

    subject: str
    device: str
    layout: str
    threads: int
    runs: int
    before: tuple[float, float]
    after: tuple[float, float]
    wins: int | None = None

    @property
    def slower(self) -> bool:
        """Check whether the rewritten model is slower."""
        return self.verdict == "slower"

    @property
    def verdict(self) -> Literal["faster", "slower", "no difference"]:
        """Judge the turns by a sign test at a confidence of 99 %; without turns, both figures must agree."""
        if self.wins is None:
            differences = [after - before for before, after in zip(self.before, self.after, strict=True)]
            return "slower" if min(differences) > 0 else "faster" if max(differences) < 0 else "no difference"
        if not is_certain(self.wins, self.runs):
            return "no difference"
        return "faster" if 2 * self.wins > self.runs else "slower"


def is_certain(wins: int, turns: int, confidence: float = 0.99) -> bool:
    """Return whether a fair coin would not give ``wins`` of ``turns``: the two-sided sign test.

    Above 1,000 turns, the normal distribution is as good as the binomial one.
    """
    if turns > 1000:
        return erfc(abs(2 * wins - turns) / sqrt(2 * turns)) <= 1 - confidence
    tail = min(wins, turns - wins)
    probability: float = 2 * sum(comb(turns, k) for k in range(tail + 1)) / 2**turns
    return probability <= 1 - confidence


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rewrite of one constructor call. ``verified`` is None where its costs are estimated and it was not run.

    ``edits`` apply to the files as they were when the model ran; a live model, which was built before, has no edits and
    no ``site``. ``chosen``: part of the set that the report sums up and ``--write`` applies.
    """

    code: str
    name: str
    title: str
    site: Site | None
    changes: tuple[LayerChange, ...]
    edits: tuple[Edit, ...]
    diff: str
    verified: Verification | None
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
        """The largest error of its layers."""
        errors = [c.weight_error for c in self.changes if c.weight_error is not None]
        return max(errors, default=None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Layers that were not rewritten, and why. ``code`` is "" where no kind of rewrite was possible."""

    code: str
    site: Site | None
    instances: tuple[str, ...]
    reason: str


# What is tried with every rewritten model besides running and training it.
PROBES = (
    "torch.export",
    "torch.fx.symbolic_trace",
    "torch.jit.script",
    "torch.jit.trace",
    "eager quantization preparation",
    "FX quantization preparation",
)
TOO_LONG = "it takes longer than"  # the error of what was given up


@dataclass(frozen=True, slots=True)
class Consequence:
    """Something in the project that a rewrite breaks or changes.

    ``kind`` is "breaks" for what was run, worked before and fails afterwards, and "not-tried" for what took too
    long, with it or with the original; "checkpoint", "parameter-name" and "read" were found in the text.
    """

    kind: Literal["breaks", "not-tried", "checkpoint", "parameter-name", "read"]
    message: str
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class SetEstimate:
    """The estimated totals of the model with the best rewrites of some kinds; ``chosen`` is the set that was proposed.

    ``weight_error`` is the mean of its layers, None without weights.
    """

    name: str
    codes: tuple[str, ...]
    layers: int
    totals: Costs
    weight_error: float | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class DataEvidence:
    """The result of running the original and the converted model on data of the user.

    ``output_errors`` are those of the converted model, and of it with norm statistics estimated again: the relative
    error ``|y - y'| / |y|`` of all outputs. ``metrics`` has one more value before them, of the original.
    ``complete``: the loader ended by itself. ``layer_errors`` are those of the outputs of rewritten layers,
    ``sensitivity`` the output error of the model if only this layer is converted.
    """

    loader: str
    samples: int
    complete: bool
    output_errors: tuple[float, ...] = ()
    metric: str = ""
    metrics: tuple[float, ...] = ()
    layer_errors: Mapping[str, float] = field(default_factory=dict)
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    norms: int = 0
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class RewrittenSet:
    """The chosen suggestions applied together, and the measured totals of the model before and after.

    ``files`` holds the bytes of each file before and after. ``goal`` says which total was to be reached, and whether
    it was, ``data`` is the result of running on the user's data. ``works`` names what was tried besides running and
    training, and works as before. ``front`` compares the set with those of single kinds.
    """

    before: Costs
    after: Costs
    diff: str
    files: Mapping[str, tuple[bytes, bytes]] = field(default_factory=dict)
    verified: Verification | None = None
    latency: tuple[Timing, ...] = ()
    goal: str | None = None
    data: DataEvidence | None = None
    works: tuple[str, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    front: tuple[SetEstimate, ...] = ()
