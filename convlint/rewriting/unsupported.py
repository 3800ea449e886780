"""Convolutions that a kind of rewrite does not know: other classes of torch.nn, and calls of functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from math import prod

from convlint.analysis import ops
from convlint.ir import Graph, Node, Refusal, Site
from convlint.rewriting.base import Kind
from convlint.rewriting.layer_use import STEM_CHANNELS, layer_use

_CONVOLUTIONS = ops.CONVS | ops.TRANSPOSED_CONVS


def matches_pattern(name: str, patterns: Sequence[str]) -> bool:
    """Return whether ``--layer`` selects a layer's name; without patterns all are selected."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def unsupported(graph: Graph, kinds: Iterable[Kind], patterns: Sequence[str]) -> list[Refusal]:
    """A refusal of each kind for the dense convolutions of classes that it is not defined for, by their calls."""
    kinds = [kind for kind in kinds if kind.base != "Linear"]
    groups: dict[tuple[str, str, Site | None], list[str]] = {}
    for layer in graph.layers:
        if not layer.base.startswith("Conv") or not matches_pattern(layer.name, patterns):
            continue
        use = layer_use(graph, layer)
        if use.arguments.is_dense and not use.arguments.is_stem and use.calls:
            for kind in kinds:
                if layer.base not in kind.bases:
                    groups.setdefault((kind.code, layer.base, layer.site), []).append(layer.name)
    found = [
        Refusal(code, site, tuple(names), f"not supported for {base}") for (code, base, site), names in groups.items()
    ]
    return [*found, *_functional(graph, kinds, patterns)]


def _functional(graph: Graph, kinds: Sequence[Kind], patterns: Sequence[str]) -> Iterator[Refusal]:
    """Refusals for dense convolutions that are calls of functions, whose weights no layer owns."""
    for node in graph.nodes:
        if node.op in _CONVOLUTIONS and not _is_layer(graph, node) and matches_pattern(node.module, patterns):
            numbers = node.attrs
            kernel, channels = numbers.get("kernel_size", ()), numbers.get("in_channels", 0)
            if prod(kernel) > 1 and numbers.get("groups") == 1 and channels > STEM_CHANNELS:
                reason = f"not supported for a call of torch.nn.functional.{node.op}, whose weight belongs to no layer"
                for kind in kinds:
                    yield Refusal(kind.code, graph.where(node), (node.module,), reason)


def _is_layer(graph: Graph, node: Node) -> bool:
    """Return whether a call is that of a convolution layer."""
    owner = graph.layer(node.layer or node.module)
    return owner is not None and owner.base.startswith("Conv")
