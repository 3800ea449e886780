"""The layers of a recorded model that a kind of rewrite fits, by the calls that built them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from convlint.ir import Graph, Layer, Site
from convlint.rewriting.base import Kind, KindOptions
from convlint.rewriting.layer_use import LayerUse, layer_arguments, layer_use
from convlint.rewriting.unsupported import matches_pattern
from convlint.support.dataclass import replace


def by_call(graph: Graph, kind: Kind, patterns: Sequence[str]) -> Iterator[list[Layer]]:
    """The layers of each constructor call that builds a relevant layer."""
    groups: dict[tuple[Site | None, str], list[Layer]] = {}
    for layer in graph.layers:
        if layer.base in kind.bases:
            groups.setdefault((layer.site, layer.base), []).append(layer)
    for group in groups.values():
        selected = [layer for layer in group if matches_pattern(layer.name, patterns)]
        if any(_is_relevant(graph, layer, kind) for layer in selected):
            yield group


def fitting_calls(graph: Graph, kind: Kind, kind_options: KindOptions, patterns: Sequence[str]) -> frozenset[Site]:
    """The calls of which every layer can be rewritten, according to its arguments."""
    fits: dict[Site, bool] = {}
    for layer in graph.layers:
        if layer.site is not None and layer.base.startswith("Conv"):
            known = layer.base in kind.bases and matches_pattern(layer.name, patterns)
            fitting = known and not kind.refusal(layer_arguments(layer.attrs, layer.base), kind_options)
            site = replace(layer.site, function="")
            fits[site] = fitting and fits.get(site, True)
    return frozenset(site for site, fit in fits.items() if fit)


def _is_relevant(graph: Graph, layer: Layer, kind: Kind) -> bool:
    """Return whether a layer could be cheaper at all, so that a refusal is reported."""
    use = layer_use(graph, layer)
    if kind.base == "Linear":
        return kind.refusal_in(graph, use) is None
    return use.arguments.is_dense and not use.arguments.is_stem and bool(use.calls)


def fitting(
    graph: Graph, layers: Iterable[Layer], kind: Kind, kind_options: KindOptions
) -> tuple[list[LayerUse], dict[str, list[str]]]:
    """The layers that can be rewritten, and the names of the other relevant ones by reason."""
    fit: list[LayerUse] = []
    unfit: dict[str, list[str]] = {}
    layers = list(layers)
    for layer in layers:
        trained = [each for each in layers if each.trainable_params and each.chain == layer.chain]
        weights = kind_options.weights or bool(trained)  # a frozen one next to them is a copy, such as an average
        use = layer_use(graph, layer)
        reason = kind.refusal(use.arguments, kind_options) or kind.refusal_in(graph, use)
        reason = reason or _state_refusal(layer, weights=weights)
        if reason is None and use.calls:
            fit.append(use)
        elif reason is not None and _is_relevant(graph, layer, kind):
            unfit.setdefault(reason, []).append(layer.name)
    return fit, unfit


def _state_refusal(layer: Layer, *, weights: bool) -> str | None:
    """The reason why a layer is not rewritten whose parameters are normalized, shared or frozen."""
    names = {name for name, _ in layer.parameters}
    for suffix, norm in (("_orig", "spectral_norm or pruning"), ("_g", "weight_norm")):
        if f"weight{suffix}" in names:
            return f"its weight is computed from others by {norm}; a new layer's weight would not be"
    if layer.shares:
        others = ", ".join(layer.shares[:2])
        return f"it shares its weight with {others}; a new layer would have weights of its own"
    if layer.params and not layer.trainable_params and not weights:
        return "its weights are frozen: a new layer would keep random ones; pass --weights to convert the trained ones"
    return None


def own_forward(layer: Layer, kind: Kind) -> str | None:
    """The reason why a layer of a subclass is not rewritten; None for a class of torch.nn."""
    if layer.kind == layer.base:
        return None
    if layer.kind == f"Parametrized{layer.base}":
        return "its weight is parametrized, for example by weight_norm; a new layer would not be"
    return f"{layer.kind} is a subclass of {layer.base}, whose forward a {kind.name} layer would not have"
