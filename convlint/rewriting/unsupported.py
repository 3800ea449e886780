"""Convolutions of classes of torch.nn that a kind of rewrite does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from convlint.ir import Graph, Refusal, Site
from convlint.rewriting.base import Kind
from convlint.rewriting.layer_use import layer_use


def matches_pattern(name: str, patterns: Sequence[str]) -> bool:
    """Return whether ``--layer`` selects a layer's name; without patterns all are selected."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def unsupported(graph: Graph, kinds: Iterable[Kind], patterns: Sequence[str]) -> list[Refusal]:
    """A refusal of each kind for the dense convolutions of classes that it is not defined for, by their calls."""
    kinds = list(kinds)
    kinds = [kind for kind in kinds if kind.base != "Linear"] or kinds
    groups: dict[tuple[str, str, Site | None], list[str]] = {}
    for layer in graph.layers:
        if not layer.base.startswith("Conv") or not matches_pattern(layer.name, patterns):
            continue
        use = layer_use(graph, layer)
        if use.arguments.is_dense and not use.arguments.is_stem and use.calls:
            for kind in kinds:
                if layer.base not in kind.bases:
                    groups.setdefault((kind.code, layer.base, layer.site), []).append(layer.name)
    return [
        Refusal(code, site, tuple(names), f"not supported for {base}") for (code, base, site), names in groups.items()
    ]
