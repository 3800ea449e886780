"""What a graph is made of: tensors, calls, layers and the constructor calls that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from convlint.source_text.site import Site

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value that flows between calls. ``dtype`` is torch's name without the prefix (``float32``)."""

    id: int
    shape: Shape
    dtype: str = "float32"
    itemsize: int = 4

    @property
    def numel(self) -> int:
        n = 1
        for size in self.shape:
            n *= size
        return n

    @property
    def nbytes(self) -> int:
        return self.numel * self.itemsize


@dataclass(frozen=True, slots=True)
class Node:
    """One call that produced tensors: what ran, on which tensors, from which line, inside which module.

    ``op`` is the function's name without in-place underscore and dunders: ``conv2d``, ``conv_transpose2d``,
    ``batch_norm``, ``group_norm``, ``linear``, ``relu``, ``add``, ``mul``, ``cat``, ``flatten``, ``reshape`` (``view``
    too), ``max_pool2d``, ``adaptive_avg_pool2d``, ``getitem`` ... and four that are no call: ``input``, ``parameter``
    (a parameter or buffer used by a generic op), ``constant`` (a tensor that no recorded call made) and ``output``.

    ``inputs`` are ids of the tensors that went in, in argument order. A layer's own parameters are left out for
    convolutions, norms and linear: there ``inputs[0]`` is the activation and ``attrs`` say what the weights ask for.

    ``attrs`` of conv: ``in_channels`` (what the weight accepts, times groups), ``out_channels``, ``kernel_size``,
    ``stride``, ``padding`` (tuple of ints, or "same"/"valid"), ``dilation``, ``groups``, ``bias``, ``transposed``,
    ``output_padding``; of norms: ``num_features`` (or ``normalized_shape``), ``num_groups``, ``affine``,
    ``track_running_stats``, ``training``; of linear: ``in_features``, ``out_features``, ``bias``; of pools
    ``kernel_size``, ``stride``, ``padding``, ``ceil_mode``; of cat/stack/flatten/softmax/mean/split/chunk: ``dim`` ...;
    of reshape: ``shape``. Where a layer owns the call, these are the numbers that the *source* asked for, also when
    the layer had to be repaired to go on. ``inplace`` is set on in-place calls.

    ``error`` is what PyTorch raised when the call could not work and a stand-in output took its place.
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
    ``Sequential``, ``Module``). ``attrs`` are the numbers of the constructor call *as the source asked for them*
    (``in_channels``, ``groups``, ``num_features`` ...), also where the constructor refused them (``error``) and a
    repaired stand-in was built. ``exprs`` says for such a number which expression over the constructor parameters of
    the classes around it it came from (``dims.to_json``), ``scope`` which constructor was running when the layer was
    made. ``site`` is the constructor call, ``chain`` the calls that led there, innermost first.

    ``params`` counts this module's own parameters, each parameter of the model at its first owner only, so that the
    sum over all layers is ``sum(p.numel() for p in model.parameters())``.
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


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a constructor call, under the name of its parameter; what ``*args`` takes is ``args[0]`` ...

    ``text`` is its value as source: a literal, or a dotted name that can be imported (``torch.nn.ReLU``). None where
    it has no such form.
    """

    name: str
    text: str | None
    positional: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """One constructor call, and its parameters as symbols of their own (``Symbol(name, id)`` in ``dims``).

    ``kind`` is the class whose ``__init__`` ran, ``parent`` the scope that it was called in. ``symbols`` has for each
    parameter that matters its name, its value, and the expression over outer symbols that was passed for it;
    ``equal`` the pairs of expressions that a comparison on the way found equal. Expressions are in JSON form.

    ``path``, ``cls`` and ``arguments`` say how to make the call again: the file, the class in it (a subclass of
    ``kind`` where that has no ``__init__`` of its own) and what was passed; empty where that is not known.
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
    """One call of a module: tensors in and out, and the run of nodes ``start <= id < stop`` made inside it."""

    layer: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    start: int
    stop: int
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that ended the run: ``phase`` is ``constructor`` or ``forward``; ``site`` the deepest user line."""

    phase: Literal["constructor", "forward"]
    type: str
    message: str
    site: Site | None = None
    module: str = ""
    chain: tuple[Site, ...] = ()
    traceback: str | None = None
