"""Messages between the command line and the worker: versions of a model to run, and the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from convlint.ir.graph import Graph
from convlint.ir.problem import Problem
from convlint.ir.suggestions import DataEvidence, Replacement, Timing
from convlint.source_text.site import Site
from convlint.support.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class ReorderedState:
    """Parameters and buffers of a layer that follow the channel order of another layer.

    For each of ``names`` that the layer has: ``state.index_select(dim, permutation)``, where ``permutation[new]`` is
    the old channel.
    """

    layer: str
    names: tuple[str, ...]
    dim: int = 0


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """The state to reorder when a convolution reads, or outputs, its channels in another order.

    None where the order has to stay.
    """

    layer: str
    inputs: tuple[ReorderedState, ...] | None = None
    outputs: tuple[ReorderedState, ...] | None = None


@dataclass(frozen=True, slots=True)
class StudiedCall:
    """Layers that one call builds, and forms of different sizes to judge for all of them."""

    layers: tuple[str, ...]
    forms: tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class StudiedForm:
    """The error of one form of the layers of a call; its ranks may have been improved at the same size.

    ``error`` sums the squared relative errors of the layers: of their outputs on data, weighted by how much the model's
    output depends on them, or of their weights. ``largest`` is the largest relative error of a layer.
    """

    layers: tuple[str, ...]
    form: Replacement
    error: float
    largest: float


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a project's source text, to build and run.

    ``texts`` replace files on disk (bytes as latin-1). ``other_calls`` are targets to build besides the model.
    ``replacements`` by layer: with ``weights``, a checkpoint of the original is converted accordingly, loaded, and
    written to ``save``; ``channel_orders`` may be used for it. With ``runs``, that many calls of the original and of
    this version are timed. With ``probes``, see ``PROBES``, these are tried with the model too. A
    ``trial`` is only built and recorded, with stand-ins for what fails. ``study`` lists forms to judge without a run.
    With ``data``, a loader of the user, the weights of ``replacements`` are fitted on it, and errors are measured; with
    ``recalibrate`` the statistics of norms are estimated again, and with ``sensitivity`` the model is also run with one
    converted layer at a time.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    other_calls: tuple[str, ...] = ()
    replacements: Mapping[str, Replacement] = field(default_factory=dict)
    channel_orders: tuple[ChannelOrder, ...] = ()
    weights: str | None = None
    save: str | None = None
    runs: int = 0
    trial: bool = False
    probes: tuple[str, ...] = ()
    study: tuple[StudiedCall, ...] = ()
    data: str | None = None
    recalibrate: bool = False
    sensitivity: bool = False


@dataclass(frozen=True, slots=True)
class BuiltLayer:
    """A convolution or linear layer that another constructor call built: its site and numbers."""

    site: Site
    kind: str
    attrs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OtherCall:
    """The result of another constructor call: how far it came, and its output shapes.

    ``built`` has one entry for all layers of the same site and numbers.
    """

    target: str
    stage: Literal["failed", "built", "ran"]
    outputs: tuple[str, ...] = ()
    error: str = ""
    built: tuple[BuiltLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionRun:
    """The result of running a version.

    ``training_error`` says why there was no training step, ``untrained`` are the parameters that it gave no gradient.
    ``libraries`` are the modules that were imported from outside of the project. ``probes`` has the error of each probe
    that was tried, "" if it works.
    """

    graph: Graph | None = None
    problems: tuple[Problem, ...] = ()
    training_error: str | None = None
    untrained: tuple[str, ...] = ()
    other_calls: tuple[OtherCall, ...] = ()
    libraries: tuple[str, ...] = ()
    weight_errors: Mapping[str, float] = field(default_factory=dict)
    timings: tuple[Timing, ...] = ()
    probes: Mapping[str, str] = field(default_factory=dict)
    studied: tuple[StudiedForm, ...] = ()
    evidence: DataEvidence | None = None
