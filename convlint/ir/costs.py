"""The report of one model that was run: its layer table and totals."""

from __future__ import annotations

from collections.abc import Mapping

from convlint.ir.graph import Graph, Status
from convlint.ir.nodes import Shape
from convlint.source_text.site import Site
from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the layer table: a leaf layer, or a functional call outside of all leaf layers.

    Shapes are those of the first call. ``macs`` and ``output_bytes`` are sums over the calls; ``macs`` is None where
    the calls were not traced into. ``failed`` is the error that ended the run here.
    """

    name: str
    kind: str
    calls: int
    input_shape: Shape | None
    output_shape: Shape | None
    kernel_size: Shape | None = None
    stride: Shape | None = None
    padding: Shape | str | None = None
    dilation: Shape | None = None
    groups: int | None = None
    bias: bool | None = None
    params: int = 0
    trainable_params: int = 0
    params_bytes: int = 0
    macs: int | None = 0
    output_bytes: int = 0
    saved_bytes: int | None = None
    site: Site | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a model; bytes at the recorded batch size. None: could not be measured."""

    params: int
    trainable_params: int
    params_bytes: int
    macs: int
    input_bytes: int
    forward_backward_bytes: int
    peak_inference_bytes: int | None
    saved_bytes: int | None
    training_bytes: int | None


@dataclass(frozen=True, slots=True)
class Model:
    """The report of one model that was run."""

    target: str
    status: Status
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    traced_by: str
    layers: tuple[Row, ...]
    totals: Totals
    graph: Graph


@dataclass(frozen=True, slots=True)
class EarlierReport:
    """An earlier JSON report, to compare with.

    ``inputs`` and ``totals`` are those of its models, by target. ``findings`` are (code, path, module) each, with the
    message where there is no module.
    """

    path: str
    inputs: Mapping[str, tuple[str, ...]]
    totals: Mapping[str, Totals]
    findings: tuple[tuple[str, str, str], ...]
