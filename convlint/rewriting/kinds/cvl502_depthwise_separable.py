"""CVL502: depthwise separable convolutions; CVL505: sums of several pairs of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Costs, Graph, IntermediateLayers, Replacement
from convlint.rewriting.base import Draft, EditedCall, Helper, Kind, KindOptions
from convlint.rewriting.conv_subclass import CONVERTED_ARGUMENTS, PARAMETERS, class_or_function_drafts
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse

CLASS = "DepthwiseSeparableConv2d"
# Feature maps between the two convolutions: those computed, and those that autograd saves. A ReLU saves its output,
# which the pointwise convolution reads too; a PReLU also saves its input.
_MAPS: dict[IntermediateLayers, tuple[int, int]]
_MAPS = {"none": (1, 1), "norm": (2, 2), "norm-relu": (3, 2), "norm-prelu": (3, 3)}


class DepthwiseSeparable(Kind):
    """A dense convolution becomes depthwise separable: each channel is convolved separately, then a
    1x1 convolution combines the channels.

    ## What it saves

    A k x k convolution from C to D channels has k²C + CD weights instead of k²CD, and as many
    multiply-accumulates per output pixel: a fraction of 1/D + 1/k².

    ## What it costs

    The feature map between the two convolutions is saved for backward too, so training needs more memory:
    N·C·H·W more values per layer, and more with a norm and an activation between them. A depthwise
    convolution moves much memory for little arithmetic; `--measure` shows whether it is faster.

    ## How it is written

    The new layer is a `Conv2d`, the pointwise one, with the depthwise convolution as its child
    `depthwise`: code that looks for `nn.Conv2d`, initializes `weight` or reads `out_channels` still works.
    If a call also builds layers that have to stay dense (1x1, first or grouped layers), the function
    `separable` wraps it and decides for each layer. Both convolutions keep the bias; `--between norm`,
    `norm-relu` or `norm-prelu` adds a BatchNorm, and an activation, between them as in MobileNet and
    MobileFaceNet.

    CVL505 is the variant with several summed pairs of kernels, `--pairs 2`: it approximates trained
    weights better (Network Decoupling), at a multiple of the cost.

    ## References

    - Howard et al., [MobileNets](https://arxiv.org/abs/1704.04861)
    - Guo et al., [Network Decoupling](https://arxiv.org/abs/1808.05517)
    - Chen et al., [MobileFaceNets](https://arxiv.org/abs/1804.07573)
    """

    code = "CVL502"
    variant_codes = ("CVL505",)
    name = "depthwise-separable"
    example = Replacement("CVL502")
    evidence = (
        "MobileNetV1 falls from 71.7 % to 70.6 % top-1 accuracy, with 569 M instead of 4866 M MACs and 4.2 M "
        "instead of 29.3 M parameters (Howard et al. 2017, arXiv:1704.04861, table 4)"
    )

    def refusal(self, arguments: LayerArguments, kind_options: KindOptions) -> str | None:
        """First layers, 1x1 and grouped ones stay; so do those where ``T(k²+D) >= k²D`` saves nothing."""
        n = arguments
        if n.is_stem:
            return f"it has {n.in_channels} input channels, like a first layer"
        if not n.is_dense:
            return "it is 1x1 or already grouped"
        if kind_options.pairs * (n.window + n.out_channels) >= n.window * n.out_channels:
            pairs = "a depthwise and a pointwise kernel" if kind_options.pairs == 1 else f"{kind_options.pairs} pairs"
            return f"{pairs} would not have fewer parameters for {n.out_channels} output channels"
        return None

    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        code = self.code if kind_options.pairs == 1 else "CVL505"
        return Replacement(code, pairs=kind_options.pairs, between=kind_options.between)

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """``T(k²C + CD)`` weights, as many MACs per output pixel, and T more maps of C channels.

        A norm between the convolutions has 2C parameters and saves 2C values; a PReLU has C parameters.
        """
        n, before, between = use.arguments, use.before, form.between
        middle = n.in_channels * form.pairs
        weights = n.window * middle + middle * n.out_channels
        params = weights + n.out_channels * n.bias
        params += middle * (n.bias if between == "none" else 3 if between == "norm-prelu" else 2)
        pixels = sum(out.numel for _, out in use.calls) // n.out_channels
        itemsize = use.calls[0][1].itemsize if use.calls else 0
        computed, saved = _MAPS[between]
        statistics = 0 if between == "none" else 2 * middle * itemsize * len(use.calls)
        mapped = pixels * middle * itemsize
        return Costs(
            params,
            pixels * weights,
            before.output_bytes + computed * mapped,
            None if before.saved_bytes is None else before.saved_bytes + saved * mapped + statistics,
        )

    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """Another class, or a function around the call that decides for each layer."""
        yield from class_or_function_drafts(edited, self.base, *self.helpers(form), all_fit=all_fit)

    def title(self, form: Replacement) -> str:
        between = {
            "none": "",
            "norm": ", BatchNorm between",
            "norm-relu": ", BatchNorm and ReLU between",
            "norm-prelu": ", BatchNorm and PReLU between",
        }[form.between]
        return f"{form.pairs} depthwise separable pairs{between}" if form.pairs > 1 else f"depthwise separable{between}"

    def expression(self, form: Replacement) -> str:
        return "separable(layer)"

    def helpers(self, form: Replacement) -> tuple[Helper, Helper]:
        """The class, and the function that converts a dense convolution to it."""
        return Helper(CLASS, _class(form)), Helper("separable", _separable(form))


def _class(form: Replacement) -> str:
    several, between = form.pairs > 1, form.between
    middle, about = "in_channels", "A depthwise convolution, then this 1x1 convolution across channels."
    if several:
        middle = "middle_channels"
        about = f"{form.pairs} depthwise kernels per channel, then this 1x1 convolution across all."
    added, result = "", "self.depthwise(x)"
    if between != "none":
        added = f"        self.norm = nn.BatchNorm2d({middle}, device=device, dtype=dtype)\n"
        result = f"self.norm({result})"
    if between in ("norm-relu", "norm-prelu"):
        activation = "ReLU()" if between == "norm-relu" else f"PReLU({middle}, device=device, dtype=dtype)"
        added += f"        self.activation = nn.{activation}\n"
        result = f"self.activation({result})"
    widened = f"        {middle} = {form.pairs} * in_channels\n" if several else ""
    restored = "        self.in_channels = in_channels\n" if several else ""
    return f'''class {CLASS}(nn.Conv2d):
    """{about}"""

    def __init__(
{PARAMETERS}
    ):
        if groups != 1:
            raise ValueError(f"a depthwise separable convolution has no groups, got {{groups}}")
{widened}        super().__init__({middle}, out_channels, 1, bias=bias, device=device, dtype=dtype)
{restored}        self.depthwise = nn.Conv2d(
            in_channels,
            {middle},
            kernel_size,
            stride,
            padding,
            dilation,
            groups=in_channels,
            bias={"bias" if between == "none" else "False"},
            padding_mode=padding_mode,
            device=device,
            dtype=dtype,
        )
{added}
    def forward(self, x):
        return nn.functional.conv2d({result}, self.weight, self.bias)
'''


def _separable(form: Replacement) -> str:
    cost = "window + conv.out_channels"
    if form.pairs > 1:
        cost = f"{form.pairs} * ({cost})"
    return f'''def separable(conv):
    """`conv` as depthwise separable, or unchanged if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.Conv2d) or conv.in_channels <= {STEM_CHANNELS} or conv.groups > 1:
        return conv
    window = conv.kernel_size[0] * conv.kernel_size[1]
    if window == 1 or {cost} >= window * conv.out_channels:
        return conv
    return {CLASS}(
        conv.in_channels,
        conv.out_channels,
{CONVERTED_ARGUMENTS}
    )
'''
