"""CVL502: depthwise separable convolutions; with several pairs CVL505."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Costs, Graph, IntermediateLayers, Replacement
from convlint.rewriting.base import Draft, Helper, Kind, Place, Wishes, as_class_or_function
from convlint.rewriting.layer_numbers import STEM_CHANNELS, Numbers, Use

CLASS = "DepthwiseSeparableConv2d"
_MAPS: dict[IntermediateLayers, tuple[int, int]] = {
    "none": (1, 1),
    "norm": (2, 2),
    "norm-relu": (3, 2),
    "norm-prelu": (3, 3),
}
"""Maps as large as the depthwise convolution's that come out between, and those that autograd saves: a ReLU keeps
its result, which the pointwise convolution reads, and a PReLU keeps what it is given as well."""


class DepthwiseSeparable(Kind):
    """A dense convolution becomes depthwise separable: each channel is convolved by itself, then a
    1x1 convolution combines the channels.

    ## What it saves

    A k x k convolution of C to D channels has k²C + CD weights in place of k²CD, and takes as many
    multiply-accumulates for each output pixel: a share of 1/D + 1/k² of what it was.

    ## What it costs

    The map between the two halves is saved for backward as well, so training takes more memory:
    N·C·H·W numbers more for each such layer, and more with a norm and an activation between. A depthwise
    convolution moves much memory for little arithmetic; `--measure` tells whether it is faster.

    ## How it is written

    The layer that is put in is a `Conv2d` itself, the pointwise one, and has the depthwise one as its
    child `depthwise`: code that looks for `nn.Conv2d`, initialises `weight` or reads `out_channels` goes on
    working. Where a call also builds layers that have to stay dense (1x1, the first layer, grouped
    ones) the function `separable` stands around it and decides for each. The bias is kept in both
    halves; `--between norm`, `norm-relu` or `norm-prelu` puts a BatchNorm, and an activation, between
    them as MobileNet and MobileFaceNet do.

    CVL505 is the variant with several pairs of kernels that are summed, `--pairs 2`: it keeps more of
    trained weights (Network Decoupling), for as many times the cost.

    ## References

    - Howard et al., [MobileNets](https://arxiv.org/abs/1704.04861)
    - Guo et al., [Network Decoupling](https://arxiv.org/abs/1808.05517)
    - Chen et al., [MobileFaceNets](https://arxiv.org/abs/1804.07573)
    """

    code = "CVL502"
    more_codes = ("CVL505",)
    name = "depthwise-separable"
    usual = Replacement("CVL502")
    evidence = (
        "MobileNetV1 loses 71.7 to 70.6 % top-1 for 4866 to 569 M MACs and 29.3 to 4.2 M parameters "
        "(Howard et al. 2017, arXiv:1704.04861, table 4)"
    )

    def unfit(self, numbers: Numbers, wishes: Wishes) -> str | None:
        """Never a stem, a 1x1 or one with groups; nor where ``T(k²+D) >= k²D`` saves nothing."""
        n = numbers
        if n.is_stem:
            return f"it reads {n.in_channels} channels, as the first layer does"
        if not n.is_dense:
            return "it is 1x1 or has groups already"
        if wishes.pairs * (n.window + n.out_channels) >= n.window * n.out_channels:
            pairs = (
                "a depthwise and a pointwise kernel"
                if wishes.pairs == 1
                else f"{wishes.pairs} pairs"
            )
            return f"{pairs} would have no fewer parameters for {n.out_channels} output channels"
        return None

    def form(self, uses: Sequence[Use], wishes: Wishes, graph: Graph) -> Replacement | str:
        del uses, graph
        code = self.code if wishes.pairs == 1 else "CVL505"
        return Replacement(code, pairs=wishes.pairs, between=wishes.between)

    def after(self, use: Use, form: Replacement) -> Costs:
        """``T(k²C + CD)`` weights, and for every output pixel as many MACs; T more maps of C channels.

        Between both halves a norm has 2C parameters and saves 2C numbers, a PReLU has C.
        """
        n, before, between = use.numbers, use.before, form.between
        middle = n.in_channels * form.pairs
        weights = n.window * middle + middle * n.out_channels
        params = weights + n.out_channels * n.bias
        params += middle * (n.bias if between == "none" else 3 if between == "norm-prelu" else 2)
        pixels = sum(out.numel for _, out in use.calls) // n.out_channels
        itemsize = use.calls[0][1].itemsize if use.calls else 0
        made, saved = _MAPS[between]
        statistics = 0 if between == "none" else 2 * middle * itemsize * len(use.calls)
        mapped = pixels * middle * itemsize
        return Costs(
            params,
            pixels * weights,
            before.output_bytes + made * mapped,
            None
            if before.saved_bytes is None
            else before.saved_bytes + saved * mapped + statistics,
        )

    def drafts(self, place: Place, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """Another class where everything fits, else a function around the call that decides for each layer."""
        yield from as_class_or_function(place, self.base, *self.helpers(form), all_fit=all_fit)

    def title(self, form: Replacement) -> str:
        between = {
            "none": "",
            "norm": ", BatchNorm between",
            "norm-relu": ", BatchNorm and ReLU between",
            "norm-prelu": ", BatchNorm and PReLU between",
        }[form.between]
        if form.pairs > 1:
            return f"{form.pairs} depthwise separable pairs{between}"
        return f"depthwise separable{between}"

    def make(self, form: Replacement) -> str:
        del form
        return "separable(layer)"

    def helpers(self, form: Replacement) -> tuple[Helper, Helper]:
        """The class, and the function that makes one of a dense convolution."""
        return Helper(CLASS, _class(form)), Helper("separable", _separable(form))


def _class(form: Replacement) -> str:
    middle = "in_channels" if form.pairs == 1 else "middle_channels"
    lines = [
        f"class {CLASS}(nn.Conv2d):",
        '    """A convolution of each channel by itself, then this 1x1 convolution across channels."""'
        if form.pairs == 1
        else f'    """{form.pairs} kernels for each channel by itself, then this 1x1 convolution across all."""',
        "",
        "    def __init__(",
        "        self,",
        "        in_channels,",
        "        out_channels,",
        "        kernel_size,",
        "        stride=1,",
        "        padding=0,",
        "        dilation=1,",
        "        groups=1,",
        "        bias=True,",
        '        padding_mode="zeros",',
        "        device=None,",
        "        dtype=None,",
        "    ):",
        "        if groups != 1:",
        '            raise ValueError(f"a depthwise separable convolution has no groups, got {groups}")',
    ]
    if form.pairs > 1:
        lines.append(f"        {middle} = {form.pairs} * in_channels")
    lines += [
        f"        super().__init__({middle}, out_channels, 1, bias=bias, device=device, dtype=dtype)",
    ]
    if form.pairs > 1:
        lines.append("        self.in_channels = in_channels")
    bias = "bias" if form.between == "none" else "False"
    lines += [
        "        self.depthwise = nn.Conv2d(",
        "            in_channels,",
        f"            {middle},",
        "            kernel_size,",
        "            stride,",
        "            padding,",
        "            dilation,",
        "            groups=in_channels,",
        f"            bias={bias},",
        "            padding_mode=padding_mode,",
        "            device=device,",
        "            dtype=dtype,",
        "        )",
    ]
    result = "self.depthwise(x)"
    if form.between != "none":
        lines.append(f"        self.norm = nn.BatchNorm2d({middle}, device=device, dtype=dtype)")
        result = f"self.norm({result})"
    if form.between == "norm-relu":
        lines.append("        self.activation = nn.ReLU()")
    elif form.between == "norm-prelu":
        lines.append(f"        self.activation = nn.PReLU({middle}, device=device, dtype=dtype)")
    if form.between in ("norm-relu", "norm-prelu"):
        result = f"self.activation({result})"
    lines += [
        "",
        "    def forward(self, x):",
        f"        return nn.functional.conv2d({result}, self.weight, self.bias)",
        "",
    ]
    return "\n".join(lines)


def _separable(form: Replacement) -> str:
    cost = "window + conv.out_channels"
    if form.pairs > 1:
        cost = f"{form.pairs} * ({cost})"
    return f'''def separable(conv):
    """`conv` as depthwise separable; as it is where that saves nothing, or it reads an image."""
    if not isinstance(conv, nn.Conv2d) or conv.in_channels <= {STEM_CHANNELS} or conv.groups > 1:
        return conv
    window = conv.kernel_size[0] * conv.kernel_size[1]
    if window == 1 or {cost} >= window * conv.out_channels:
        return conv
    return {CLASS}(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
'''
