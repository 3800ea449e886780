"""The parts of a graph: tensors, calls, layers, and the constructor calls that built them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Literal

from convlint.source_text.site import Site
from convlint.support.dataclass import dataclass, field

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that a call outputs. ``dtype`` is torch's name without the prefix (``float32``).

    ``unknown`` are the dimensions whose size static analysis does not know, each with a text for it (``H - 2``):
    ``shape`` has usual numbers there.
    """

    id: int
    shape: Shape
    dtype: str = "float32"
    itemsize: int = 4
    unknown: tuple[tuple[int, str], ...] = ()

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.numel * self.itemsize


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a function of torch: its operator, tensors, line, and the module that it ran in.

    ``op`` and ``attrs`` are described in ``analysis.op_attributes``. Five operators are not calls: ``input``,
    ``parameter`` (a parameter or buffer that a generic call reads), ``constant`` (a tensor that no recorded call
    created), ``output`` and ``kept`` (tensors that outlive the forward in attributes, lists and hooks); ``unseen``
    stands for calls that were not traced into.

    ``inputs`` are the ids of the tensors that the call read, in argument order. Convolutions, norms, linear layers and
    PReLU leave out their parameters: ``inputs[0]`` is the activation, and ``attrs`` say what the weights expect. Where
    a layer owns the call, ``attrs`` are the numbers in the source, also if the layer had to be repaired to go on.

    ``error`` is the exception of a call that failed; a stand-in replaced its output.
    """

    id: int
    op: str
    module: str = ""
    layer: str | None = None
    inputs: tuple[int, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    site: Site | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One ``nn.Module`` instance, container or leaf, under its first name.

    ``kind`` is its class, ``base`` the nearest class of ``torch.nn`` in its MRO (``Conv2d``, ``BatchNorm2d``,
    ``Sequential``, ``Module``). ``attrs`` are the numbers in the constructor call (``in_channels``, ``groups``,
    ``num_features`` ...), also where the constructor raised (``error``) and a repaired stand-in was built. ``exprs``
    gives the expression for such a number over the constructor parameters of the enclosing classes
    (``symbolic.to_json``), and ``scope`` the constructor that built the layer. ``site`` is the constructor call,
    ``chain`` its callers, innermost first.

    ``params`` counts this module's own parameters, each parameter of the model at its first owner only, so that the
    sum over all layers is ``sum(p.numel() for p in model.parameters())``. ``shares`` names the other layers that own
    parameters of this one.
    """

    name: str
    kind: str
    base: str
    leaf: bool = True
    site: Site | None = None
    chain: tuple[Site, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    exprs: Mapping[str, Any] = field(default_factory=dict)
    scope: int | None = None
    params: int = 0
    trainable_params: int = 0
    params_bytes: int = 0
    parameters: tuple[tuple[str, Shape], ...] = ()
    aliases: tuple[str, ...] = ()
    training: bool = False
    saved_bytes: int | None = None
    error: str | None = None
    shares: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a constructor call, by the name of its parameter; items of ``*args`` are ``args[0]`` ...

    ``text`` is its source form: a literal, or a dotted name that can be imported (``torch.nn.ReLU``). None for other
    values.
    """

    name: str
    text: str | None
    positional: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """One constructor call, whose parameters are symbols of their own (``symbolic.Symbol(name, id)``).

    ``kind`` is the class whose ``__init__`` ran, ``parent`` the scope of its caller. ``symbols`` has (name, value,
    expression over outer symbols) for each parameter that matters, ``equal`` the pairs of expressions that a comparison
    found equal. Expressions are in JSON form.

    ``path``, ``cls`` and ``arguments`` describe the call: the file, the class in it (a subclass of ``kind`` where that
    has no ``__init__`` of its own) and the arguments; empty where unknown.
    """

    id: int
    kind: str
    parent: int | None = None
    symbols: tuple[tuple[str, int, Any], ...] = ()
    equal: tuple[tuple[Any, Any], ...] = ()
    path: str = ""
    cls: str = ""
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module: its tensors, and the range of nodes ``start <= id < stop`` that ran inside it."""

    layer: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    start: int
    stop: int
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The exception that ended the run: ``phase`` is ``constructor`` or ``forward``, ``site`` the deepest user line."""

    phase: Literal["constructor", "forward"]
    type: str
    message: str
    site: Site | None = None
    module: str = ""
    chain: tuple[Site, ...] = ()
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class MergedBatch:
    """A reshape at ``site`` that merges the batch with the features of its samples, so that a later layer fails.

    ``before`` and ``after`` are its shapes at a batch size above 1. The layer ``reader`` expects ``expected`` features
    and receives ``received``; ``nodes`` are the ids of its failing calls, empty if only another batch size fails.
    """

    site: Site | None
    module: str
    before: Shape
    after: Shape
    reader: str
    expected: int
    received: int
    reader_site: Site | None
    nodes: tuple[int, ...] = ()
