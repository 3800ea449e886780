"""Convolutions whose constructor raised because of their groups, and the places that built them."""

from __future__ import annotations

from convlint.ir import Graph, Layer, Site
from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """A place that built convolutions whose groups do not divide their channels.

    ``nodes`` are the failed calls that only its numbers contradict.
    """

    site: Site
    layers: tuple[Layer, ...]
    nodes: tuple[int, ...]


def places(
    wrong: list[Layer], right: list[Layer], depth: int, home_path: str | None
) -> tuple[int, list[tuple[Site, list[Layer]]]]:
    """Find the fewest places that built all layers of ``wrong``, from the frames at ``depth`` outwards.

    A place costs one, and one more for each layer of ``right`` that it built. Inner places are preferred, except that
    a place in the file ``home_path`` is preferred to one in other files. Returns the cost and the layers of each place.
    """
    cost = 0
    result: list[tuple[Site, list[Layer]]] = []
    by_site: dict[Site, tuple[list[Layer], list[Layer]]] = {}
    for layers, kind in ((wrong, 0), (right, 1)):
        for layer in layers:
            frames = _frames(layer)
            if depth < len(frames):
                by_site.setdefault(frames[depth], ([], []))[kind].append(layer)
    for site, (bad, good) in by_site.items():
        if not bad:
            continue
        here = 1 + len(good)
        outside, further = places(bad, good, depth + 1, home_path)
        reached = sum(len(layers) for _, layers in further) == len(bad)
        prefers_outer = site.path != home_path and any(s.path == home_path for s, _ in further)
        if reached and (outside < here or (outside == here and prefers_outer)):
            cost, result = cost + outside, result + further
        else:
            cost, result = cost + here, [*result, (site, bad)]
    return cost, result


def refuses(layer: Layer) -> bool:
    """Check whether the constructor of a convolution raised because of its groups."""
    attrs = layer.attrs
    into, out, groups = (attrs.get(name) for name in ("in_channels", "out_channels", "groups"))
    if layer.error is None or type(into) is not int or type(out) is not int or type(groups) is not int:
        return False
    return groups < 1 or into % groups != 0 or out % groups != 0


def is_depthwise(layer: Layer) -> bool:
    """Check whether the groups equal one of the channel numbers; then the other number is wrong."""
    attrs = layer.attrs
    return bool(attrs["groups"] in (attrs["in_channels"], attrs["out_channels"]))


def _frames(layer: Layer) -> tuple[Site, ...]:
    return () if layer.site is None else (layer.site, *layer.chain)


def home(graph: Graph) -> str | None:
    """The file of the model's class. Other files hold code that other models use too."""
    root = graph.layer("")
    if root is None:
        return None
    for layer in graph.layers:
        for site in layer.chain[::-1] + ((layer.site,) if layer.site else ()):
            if site.function == f"{root.kind}.__init__":
                return site.path
    return None if root.site is None else root.site.path
