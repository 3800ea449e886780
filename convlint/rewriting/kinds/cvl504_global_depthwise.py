"""CVL504: a global depthwise convolution instead of a linear layer over a flattened map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from convlint.analysis import ops
from convlint.ir import Costs, Graph, IntermediateLayers, Replacement, Shape
from convlint.rewriting.base import Draft, Helper, Kind, Place, Wishes, called, of_class
from convlint.rewriting.layer_numbers import Numbers, Use

CLASS = "GlobalDepthwiseLinear"
_PASSED = frozenset({"dropout", "feature_dropout", "alpha_dropout", "contiguous", "identity"})


class GlobalDepthwise(Kind):
    """A linear layer over a flattened map becomes a depthwise convolution over the whole map, then a
    linear layer across channels.

    ## What it saves

    From a map of C x H x W to D features it has CHW + CD weights in place of CHW·D: of 512 x 7 x 7 to 128,
    90,624 in place of 3,211,264. Multiply-accumulates shrink alike.

    ## What it costs

    Every channel is weighted over the map in one way only, where the linear layer had one for each
    output feature. C more numbers of each sample are saved for backward.

    ## How it is written

    The layer that is put in is a `Linear` and takes the flattened map, so `forward` stays as it is.
    `--between norm` puts a BatchNorm between the two, of the channels that arrive there: the widely copied
    `GDConv` class has it of others, which CVL201 reports.

    ## References

    - Chen et al., [MobileFaceNets](https://arxiv.org/abs/1804.07573), table 2
    """

    code = "CVL504"
    name = "global-depthwise"
    base = "Linear"
    usual = Replacement("CVL504", map_size=(7, 7))
    evidence = (
        "MobileFaceNet: 98.58 to 98.88 % on LFW and 88.81 to 90.67 % on AgeDB-30 against global average "
        "pooling (Chen et al. 2018, arXiv:1804.07573, table 2)"
    )

    def unfit(self, numbers: Numbers, wishes: Wishes) -> str | None:
        del numbers, wishes
        return None

    def unfit_in(self, graph: Graph, use: Use) -> str | None:
        size = flattened(graph, use)
        if size is None:
            return "it does not read a flattened map"
        n, area = use.numbers, prod(size)
        channels = n.in_channels // area
        if channels * (area + n.out_channels) >= n.in_channels * n.out_channels:
            return f"a map of {'x'.join(map(str, size))} leaves nothing to save"
        return None

    def form(self, uses: Sequence[Use], wishes: Wishes, graph: Graph) -> Replacement | str:
        size, *others = [flattened(graph, use) or () for use in uses]
        if any(other != size for other in others):
            return "its layers read maps of different sizes"
        between: IntermediateLayers = "none" if wishes.between == "none" else "norm"
        return Replacement(self.code, map_size=size, between=between)

    def fits(self, numbers: Numbers, form: Replacement, wishes: Wishes) -> bool:
        """Whether the features are channels of such a map."""
        del wishes
        return numbers.in_channels % prod(form.map_size) == 0

    def after(self, use: Use, form: Replacement) -> Costs:
        """``CHW + CD`` weights, and for every sample as many MACs; C more numbers for each."""
        n, before = use.numbers, use.before
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

    def drafts(self, place: Place, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        call = place.call
        if all_fit and not place.through and of_class(call, "Linear"):
            size = call.adding(f"map_size=({', '.join(map(str, form.map_size))})")
            yield Draft((called(call, CLASS), size), self.helpers(form))

    def title(self, form: Replacement) -> str:
        size = "x".join(map(str, form.map_size))
        norm = ", BatchNorm between" if form.between == "norm" else ""
        return f"global depthwise {size} and linear{norm}"

    def make(self, form: Replacement) -> str:
        return (
            f"{CLASS}(layer.in_features, layer.out_features, layer.bias is not None, "
            f"layer.weight.device, layer.weight.dtype, map_size={tuple(form.map_size)})"
        )

    def helpers(self, form: Replacement) -> tuple[Helper, ...]:
        return (Helper(CLASS, _class(form)),)


def flattened(graph: Graph, use: Use) -> Shape | None:
    """The height and width of the map that a linear layer reads as one row of features; None if it reads none."""
    sizes = {_flattened(graph, x.id) for x, _ in use.calls}
    size = next(iter(sizes)) if len(sizes) == 1 else None
    return None if size is None or prod(size) == 1 else size


def _flattened(graph: Graph, tensor: int) -> Shape | None:
    node = graph.producer(tensor)
    while node.op in _PASSED and node.inputs:
        node = graph.producer(node.inputs[0])
    if node.op not in ops.FLATTENING or not node.inputs:
        return None
    before, after = graph.tensor(node.inputs[0]).shape, node.outputs[0].shape
    is_map = len(before) == 4 and after == (before[0], prod(before[1:]))
    return before[2:] if is_map else None


def _class(form: Replacement) -> str:
    norm, passed = "", "self.depthwise(x.unflatten(1, (-1, *self.map_size)))"
    if form.between == "norm":
        norm = "        self.norm = nn.BatchNorm2d(channels, device=device, dtype=dtype)\n"
        passed = f"self.norm({passed})"
    return f'''class {CLASS}(nn.Linear):
    """A depthwise convolution over a flattened map, then this linear layer across channels."""

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None, *, map_size):
        channels = in_features // (map_size[0] * map_size[1])
        super().__init__(channels, out_features, bias, device, dtype)
        self.in_features = in_features
        self.map_size = map_size
        self.depthwise = nn.Conv2d(
            channels, channels, map_size, groups=channels, bias=False, device=device, dtype=dtype
        )
{norm}
    def forward(self, x):
        x = {passed}
        return nn.functional.linear(x.flatten(1), self.weight, self.bias)
'''
