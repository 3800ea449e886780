"""CVL504: global depthwise convolutions instead of linear layers over flattened feature maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from convlint.analysis import ops
from convlint.ir import Costs, Graph, IntermediateLayers, Replacement, Shape
from convlint.rewriting import layer_class as text
from convlint.rewriting.base import Draft, EditedCall, Helper, Kind, KindOptions, callee_edit, is_class_call
from convlint.rewriting.layer_use import LayerArguments, LayerUse
from convlint.support.dataclass import dataclass

CLASS = "GlobalDepthwiseLinear"
_ALL = frozenset({"bias", "device", "dtype"})
_TRANSPARENT = frozenset({"dropout", "feature_dropout", "alpha_dropout", "contiguous", "identity"})


class GlobalDepthwise(Kind):
    """A linear layer over a flattened feature map becomes a depthwise convolution over the whole map, then
    a linear layer across channels.

    ## What it saves

    From a map of C x H x W to D features it has CHW + CD weights instead of CHW·D: 90,624 instead of
    3,211,264 from 512 x 7 x 7 to 128. Multiply-accumulates shrink by the same factor.

    ## What it costs

    Each channel has one set of weights over the map, where the linear layer has one per output feature.
    C more values per sample are saved for backward.

    ## How it is written

    The new class receives the flattened map, so `forward` does not change. It has those parameters that
    the calls in the file pass.
    `--between norm` adds a BatchNorm between the two, sized by its input channels: the widely copied
    `GDConv` class sizes it by others, which CVL201 reports.

    ## References

    - Chen et al., [MobileFaceNets](https://arxiv.org/abs/1804.07573), table 2
    """

    code = "CVL504"
    name = "global-depthwise"
    base = "Linear"
    example = Replacement("CVL504", map_size=(7, 7))
    evidence = (
        "MobileFaceNet: 98.88 % instead of 98.58 % on LFW and 90.67 % instead of 88.81 % on AgeDB-30, compared "
        "with global average pooling (Chen et al. 2018, arXiv:1804.07573, table 2)"
    )

    def refusal(self, arguments: LayerArguments, kind_options: KindOptions) -> str | None:
        return None

    def refusal_in(self, graph: Graph, use: LayerUse) -> str | None:
        size = flattened(graph, use)
        if size is None:
            return "its input is not a flattened feature map"
        n, area = use.arguments, prod(size)
        if n.in_channels // area * (area + n.out_channels) >= n.in_channels * n.out_channels:
            return f"nothing would be saved for a feature map of {'x'.join(map(str, size))}"
        return None

    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        size, *others = [flattened(graph, use) or () for use in uses]
        if any(other != size for other in others):
            return "its layers read feature maps of different sizes"
        between: IntermediateLayers = "none" if kind_options.written_between == "none" else "norm"
        return Replacement(self.code, map_size=size, between=between)

    def fits(self, arguments: LayerArguments, form: Replacement, kind_options: KindOptions) -> bool:
        """Return whether the input features can be channels of such a map."""
        return arguments.in_channels % prod(form.map_size) == 0

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """``CHW + CD`` weights, as many MACs per sample, and C more values per sample."""
        n, before = use.arguments, use.before
        channels = n.in_channels // prod(form.map_size)
        weights = n.in_channels + channels * n.out_channels
        samples = sum(out.numel for _, out in use.calls) // n.out_channels
        itemsize = use.calls[0][1].itemsize if use.calls else 0
        normed = form.between == "norm"
        mapped = samples * channels * itemsize * (1 + normed)
        statistics = 2 * channels * itemsize * len(use.calls) * normed
        return Costs(
            weights + n.out_channels * n.bias + 2 * channels * normed,
            samples * weights,
            before.output_bytes + mapped,
            None if before.saved_bytes is None else before.saved_bytes + mapped + statistics,
        )

    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        call = edited.call
        if all_fit and not edited.through and is_class_call(call, "Linear"):
            size = call.adding(f"map_size=({', '.join(map(str, form.map_size))})")
            positions = ("in_features", "out_features", "bias", "device", "dtype")
            names = {*positions[: len(call.node.args)], *(keyword.arg for keyword in call.node.keywords)}
            known = not call.unpacks and names <= {*positions}
            yield Draft(
                (callee_edit(call, CLASS), size), (_layer(form, frozenset(filter(None, names)) if known else _ALL),)
            )

    def title(self, form: Replacement) -> str:
        size = "x".join(map(str, form.map_size))
        norm = ", BatchNorm between" if form.between == "norm" else ""
        return f"global depthwise {size} and linear{norm}"

    def expression(self, form: Replacement) -> str:
        return (
            f"{CLASS}(layer.in_features, layer.out_features, layer.bias is not None, "
            f"layer.weight.device, layer.weight.dtype, map_size={tuple(form.map_size)})"
        )

    def helpers(self, form: Replacement) -> tuple[Helper, ...]:
        return (_layer(form, _ALL),)


def flattened(graph: Graph, use: LayerUse) -> Shape | None:
    """The height and width of the flattened map that a linear layer reads; None if it reads none."""
    sizes = {_flattened(graph, x.id) for x, _ in use.calls}
    size = next(iter(sizes)) if len(sizes) == 1 else None
    return None if size is None or prod(size) == 1 else size


def _flattened(graph: Graph, tensor: int) -> Shape | None:
    node = graph.producer(tensor)
    while node.op in _TRANSPARENT and node.inputs:
        node = graph.producer(node.inputs[0])
    if node.op not in ops.FLATTENING or not node.inputs:
        return None
    before, after = graph.tensor(node.inputs[0]).shape, node.outputs[0].shape
    return before[2:] if len(before) == 4 and after == (before[0], prod(before[1:])) else None


def _layer(form: Replacement, parameters: frozenset[str]) -> Helper:
    return Helper.written(CLASS, _ClassText(form.between), parameters)


@dataclass(frozen=True, slots=True)
class _ClassText:
    """The class of a global depthwise convolution and a linear layer."""

    between: IntermediateLayers

    def __call__(self, parameters: frozenset[str]) -> str:
        tensors = text.passing(("device", "dtype"), parameters)
        wide = ["channels", "channels", "map_size", "groups=channels", "bias=False", *tensors]
        body = "        channels = in_features // (map_size[0] * map_size[1])\n"
        body += "        self.unflatten = nn.Unflatten(1, (channels, *map_size))\n"
        body += text.call("self.depthwise = nn.Conv2d(", wide)
        if self.between == "norm":
            body += text.call("self.norm = nn.BatchNorm2d(", ["channels", *tensors])
        body += "        self.flatten = nn.Flatten()\n"
        linear = ["channels", "out_features", *text.passing(("bias", "device", "dtype"), parameters)]
        body += text.call("self.linear = nn.Linear(", linear)
        defaults = {"bias": "True", "device": "None", "dtype": "None"}
        given = [f"{name}={default}" for name, default in defaults.items() if name in parameters]
        signature = ["in_features", "out_features", *given, *(["*", "map_size"] if given else ["map_size"])]
        about = "A depthwise convolution over a flattened map, then a linear layer across channels."
        return text.definition(CLASS, about, signature, body)
