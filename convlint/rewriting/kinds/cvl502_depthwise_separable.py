"""CVL502: depthwise separable convolutions; CVL505: sums of several pairs of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from convlint.ir import Costs, Graph, IntermediateLayers, Replacement
from convlint.rewriting import conv_calls
from convlint.rewriting import layer_class as text
from convlint.rewriting.base import Draft, EditedCall, Helper, Kind, KindOptions
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.rewriting.own_classes import separable_classes
from convlint.support.dataclass import dataclass, replace

SEARCHED_PAIRS = range(2, 9)
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

    The new class has two children, `depthwise` and `pointwise`, and those parameters that the calls in
    the file pass. Loops over `nn.Conv2d` find both. The pointwise convolution keeps the bias. If a call
    also builds layers that have to stay dense (1x1, first or grouped layers), a condition on its
    arguments decides. `--between norm`, `norm-relu` or `norm-prelu` adds a BatchNorm, and an activation,
    between them as in MobileNet and MobileFaceNet.

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

    def alternatives(
        self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph
    ) -> tuple[Replacement, ...]:
        """From one to eight pairs, unless a number above one was given."""
        if kind_options.pairs > 1:
            return super().alternatives(uses, kind_options, graph)
        between = kind_options.between
        others = (Replacement("CVL505", pairs=pairs, between=between) for pairs in SEARCHED_PAIRS)
        return (Replacement(self.code, between=between), *others)

    def fits(self, arguments: LayerArguments, form: Replacement, kind_options: KindOptions) -> bool:
        """Return whether so many pairs save parameters of a layer with these arguments."""
        return self.refusal(arguments, replace(kind_options, pairs=form.pairs)) is None

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """``T(k²C + CD)`` weights, as many MACs per output pixel, and T more maps of C channels.

        A norm between the convolutions has 2C parameters and saves 2C values; a PReLU has C parameters.
        """
        n, before, between = use.arguments, use.before, form.between
        middle = n.in_channels * form.pairs
        weights = n.window * middle + middle * n.out_channels
        params = weights + n.out_channels * n.bias
        params += middle * {"none": 0, "norm-prelu": 3}.get(between, 2)
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
        """Another class, under a condition where the call also builds layers that stay, or a function around it."""
        kind_options = KindOptions(pairs=form.pairs, between=form.between)
        yield from conv_calls.drafts(
            edited,
            self.base,
            partial(_layer, form),
            partial(_converter, form),
            all_fit=all_fit,
            fits=[self.fits(other, form, kind_options) for other in edited.others],
            own=separable_classes(edited.call) if form.pairs == 1 else (),
            child="pointwise",
        )

    def title(self, form: Replacement) -> str:
        between = {
            "none": "",
            "norm": ", BatchNorm between",
            "norm-relu": ", BatchNorm and ReLU between",
            "norm-prelu": ", BatchNorm and PReLU between",
        }[form.between]
        return f"{form.pairs} depthwise separable pairs{between}" if form.pairs > 1 else f"depthwise separable{between}"

    def expression(self, form: Replacement) -> str:
        return f"{_function_name(form.pairs)}(layer)"

    def helpers(self, form: Replacement) -> tuple[Helper, Helper]:
        """The class with all parameters, and the function that converts a dense convolution to it."""
        return _layer(form, text.EVERY), _converter(form, text.EVERY)


def _class_name(pairs: int) -> str:
    """The name of the class; a file may have layers with different numbers of pairs."""
    return f"DepthwiseSeparable{pairs if pairs > 1 else ''}Conv2d"


def _function_name(pairs: int) -> str:
    return f"separable{pairs if pairs > 1 else ''}"


def _layer(form: Replacement, parameters: frozenset[str]) -> Helper:
    return Helper.written(_class_name(form.pairs), _ClassText(form.pairs, form.between), parameters)


def _converter(form: Replacement, parameters: frozenset[str]) -> Helper:
    return Helper.written(_function_name(form.pairs), _ConverterText(form.pairs), parameters)


@dataclass(frozen=True, slots=True)
class _ClassText:
    """The class of a depthwise separable convolution."""

    pairs: int
    between: IntermediateLayers

    def __call__(self, parameters: frozenset[str]) -> str:
        middle, about = "in_channels", "A depthwise convolution, then a 1x1 convolution across channels."
        body = ""
        if self.pairs > 1:
            middle = "middle_channels"
            about = f"{self.pairs} depthwise kernels per channel, then a 1x1 convolution across all."
            body = f"        {middle} = {self.pairs} * in_channels\n"
        tensors = text.passing(("device", "dtype"), parameters)
        window = text.passing(text.WINDOW, parameters | {"kernel_size"}, after=2)
        mode = text.passing(("padding_mode",), parameters)
        depthwise = ["in_channels", middle, *window, "groups=in_channels", "bias=False", *mode, *tensors]
        pointwise = [middle, "out_channels", "1", *text.passing(("bias",), parameters), *tensors]
        body += text.call("self.depthwise = nn.Conv2d(", depthwise)
        if self.between != "none":
            body += text.call("self.norm = nn.BatchNorm2d(", [middle, *tensors])
        if self.between == "norm-relu":
            body += text.call("self.activation = nn.ReLU(", [])
        if self.between == "norm-prelu":
            body += text.call("self.activation = nn.PReLU(", [middle, *tensors])
        body += text.call("self.pointwise = nn.Conv2d(", pointwise)
        body += text.attributes(parameters, "depthwise") + text.properties(parameters, "pointwise")
        return text.definition(_class_name(self.pairs), about, text.conv_parameters(parameters), body)


@dataclass(frozen=True, slots=True)
class _ConverterText:
    """The function that converts a dense convolution, if that saves parameters."""

    pairs: int

    def __call__(self, parameters: frozenset[str]) -> str:
        cost = "window + conv.out_channels"
        if self.pairs > 1:
            cost = f"{self.pairs} * ({cost})"
        arguments = text.of_layer("conv", parameters)
        return f'''def {_function_name(self.pairs)}(conv):
    """Return `conv` as depthwise separable; `conv` if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.Conv2d) or conv.in_channels <= {STEM_CHANNELS} or conv.groups > 1:
        return conv
    window = conv.kernel_size[0] * conv.kernel_size[1]
    if window == 1 or {cost} >= window * conv.out_channels:
        return conv
{text.call(f"return {_class_name(self.pairs)}(", arguments, indent=4)}'''
