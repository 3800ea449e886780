"""The constructor calls of layers, as they are written in the source."""

from __future__ import annotations

from convlint.ir import Layer
from convlint.source_text import call_sites


def constructor_call(layer: Layer) -> call_sites.WrittenCall | None:
    """Find the call that builds a layer.

    None unless it is written as a call of the layer's class in ``torch.nn``: only then are the parameters known.
    """
    call = (
        call_sites.at(layer.site) if layer.site is not None and layer.kind == layer.base else None
    )
    if call is None or not call.callee.startswith("torch.nn."):
        return None
    return call if call.callee.rpartition(".")[2] in (layer.base, f"Lazy{layer.base}") else None
