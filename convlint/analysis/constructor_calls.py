"""The constructor calls of layers, as they are written in the source."""

from __future__ import annotations

from convlint.ir import Graph, Layer
from convlint.source_text import call_sites


def constructor_call(graph: Graph, layer: Layer) -> call_sites.WrittenCall | None:
    """Find the call that builds a layer of ``graph``.

    None unless it is written as a call of the layer's class in ``torch.nn``: only then are the parameters known.
    """
    if layer.site is None or layer.kind != layer.base:
        return None
    call = call_sites.at(layer.site, graph.texts)
    if call is None or not call.callee.startswith("torch.nn."):
        return None
    return call if call.callee.rpartition(".")[2] in (layer.base, f"Lazy{layer.base}") else None
