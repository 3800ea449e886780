from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convlint.analysis import diagnosis, graph_queries, ops
from convlint.ir import Finding, Graph, Layer, Node
from convlint.rules.base import Rule

_SHUFFLES = ops.PIXEL_SHUFFLES | {"channel_shuffle"}


class InvalidConvArgument(Rule):
    """A convolution, pooling, padding or shuffle has an argument that PyTorch rejects.

    ## Why is this bad?

    PyTorch raises an error for a stride of 0, a negative padding, `padding="same"` with a stride, a pooling padded
    by more than half of its kernel, reflect padding as large as the map, or a `PixelShuffle` whose squared factor
    does not divide the channels. Some of these errors are raised while the layer is built, others only when it is
    called.

    ## Use instead

    The value that the message names. Instead of `padding="same"` with a stride, use `padding=(kernel_size - 1) //
    2`.
    """

    code = "CVL109"
    name = "invalid-conv-argument"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        refused = {layer.name for refusal in diagnosis.refusals(graph) for layer in refusal.layers}
        reported = set()
        for layer in graph.layers:
            convolution = {"in_channels", "kernel_size"} <= layer.attrs.keys()
            if layer.error is not None and convolution and layer.name not in refused:
                reported.add(layer.name)
                yield self.constructor_finding(graph, layer, f": {_of_layer(layer)}")
        for node in graph.nodes:
            if node.error is None or node.layer in reported:
                continue
            why = _of_call(graph, node)
            if why is not None:
                yield self.finding(
                    f"{graph_queries.name(graph, node)}: {why}", graph.where(node), module=node.layer, nodes=(node.id,)
                )


def _of_layer(layer: Layer) -> str:
    """Say why a constructor rejects its arguments; groups are reported by CVL101."""
    attrs = layer.attrs
    if attrs.get("padding") == "same":
        kernel, dilation = attrs.get("kernel_size"), attrs.get("dilation")
        if isinstance(kernel, tuple) and isinstance(dilation, tuple):
            halves = tuple([d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)])
            return f'padding="same" is not supported with a stride; use padding={_text(halves)}'
    if floats := [f"{name}={value}" for name, value in attrs.items() if isinstance(value, float)]:
        return f"{' and '.join(floats)} must be {'an integer' if len(floats) == 1 else 'integers'}, not float"
    return f"{_arguments(attrs)}: {layer.error}"


def _arguments(attrs: Any) -> str:
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups")
    return ", ".join(f"{name}={attrs[name]!r}" for name in names if name in attrs)


def _of_call(graph: Graph, node: Node) -> str | None:
    """Say why a call fails for every input size; None if it fails for another reason."""
    attrs = node.attrs
    shape = graph_queries.input_shape(graph, node) if node.inputs else ()
    if node.op in ops.ALL_CONVS or node.op in ops.WINDOW_POOLS:
        return _of_window(node)
    if node.op == "pad" and attrs.get("mode") in ("reflect", "circular"):
        around = attrs.get("pad", ())
        return (
            f"{attrs['mode']} padding of {max(around, default=0)} requires a larger map than "
            f"{graph_queries.sizes(shape[-(len(around) // 2) :])}"
        )
    if node.op in _SHUFFLES:
        factor = attrs.get("upscale_factor", attrs.get("downscale_factor", attrs.get("groups")))
        if node.op == "pixel_shuffle" and isinstance(factor, int) and len(shape) > 2 and shape[-3] % max(factor**2, 1):
            return (
                f"upscale_factor={factor} requires a multiple of {factor}*{factor} = {factor**2} "
                f"channels but receives {shape[-3]}"
            )
        return f"{node.error}"
    return None


def _of_window(node: Node) -> str | None:
    attrs, error = node.attrs, node.error or ""
    for name, least in (("stride", 1), ("dilation", 1), ("kernel_size", 1), ("padding", 0)):
        sizes = attrs.get(name)
        if isinstance(sizes, tuple) and any(size < least for size in sizes):
            return f"{name}={_text(sizes)} must be at least {least}"
    padding, kernel = attrs.get("padding"), attrs.get("kernel_size")
    if (
        node.op in ops.WINDOW_POOLS
        and isinstance(padding, tuple)
        and isinstance(kernel, tuple)
        and any(2 * p > k for p, k in zip(padding, kernel, strict=True))
    ):
        most = _text(tuple([k // 2 for k in kernel]))
        return f"padding={_text(padding)} is more than half of the kernel; use at most {most}"
    if "output padding" in error:
        return f"output_padding={_text(attrs['output_padding'])} must be smaller than stride or dilation"
    return None


def _text(sizes: tuple[int, ...]) -> str:
    """Return sizes as an argument is written: one number if all are equal."""
    return str(sizes[0]) if len(set(sizes)) == 1 else str(sizes)
