"""CVL502: depthwise separable convolutions; CVL505: sums of several pairs of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod

from convlint.ir import Costs, Graph, IntermediateLayers, Replacement
from convlint.rewriting import conv_calls, own_classes
from convlint.rewriting import layer_class as text
from convlint.rewriting.base import CONVOLUTIONS, Draft, EditedCall, Helper, Kind, KindOptions, dimensions, other_base
from convlint.rewriting.between import FORMS
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.support.dataclass import dataclass, replace

SEARCHED_PAIRS = range(2, 9)


class DepthwiseSeparable(Kind):
    """A dense convolution becomes depthwise separable: each channel is convolved separately, then a
    1x1 convolution combines the channels.

    ## What it saves

    A k x k convolution from C to D channels has k²C + CD weights instead of k²CD, and as many
    multiply-accumulates per output pixel: a fraction of 1/D + 1/k². In one dimension a kernel has k values,
    in three k³.

    ## What it costs

    The feature map between the two convolutions is saved for backward too, so training needs more memory:
    N·C·H·W more values per layer, and more with a norm and an activation between them. A depthwise
    convolution moves much memory for little arithmetic; `--measure` shows whether it is faster.

    ## Where it is defined

    Convolutions and transposed convolutions in one to three dimensions. Of a transposed one the 1x1
    convolution comes first, so that it computes the smaller map: CD + k²D weights, on input pixels.
    One that reads a single pixel, as the first layer of many generators does, stays dense: each of its
    output channels would be the same pattern for every input, times a number.

    ## How it is written

    The new class has two children, `depthwise` and `pointwise`, and those parameters that the calls in
    the file pass. Loops over `nn.Conv2d` find both. The pointwise convolution keeps the bias. If a call
    also builds layers that have to stay dense (1x1, first or grouped layers), a condition on its
    arguments decides. `--between norm`, `norm-relu` or `norm-prelu` adds a BatchNorm, and an activation,
    between them as in MobileNet and MobileFaceNet. Where the project has a dense block of convolution, norm
    and activation, and a separable one, calls of the first become calls of the second.

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
    lacks_bias = True
    example = Replacement("CVL502")

    @property
    def bases(self) -> tuple[str, ...]:
        """Convolutions and transposed convolutions."""
        return CONVOLUTIONS

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
        _, across = _channels(n)
        if kind_options.pairs * (n.window + across) >= n.window * across:
            pairs = "a depthwise and a pointwise kernel" if kind_options.pairs == 1 else f"{kind_options.pairs} pairs"
            return f"{pairs} would not have fewer parameters for {across} {'in' if n.transposed else 'out'}put channels"
        return None

    def refusal_in(self, graph: Graph, use: LayerUse) -> str | None:
        """Transposed convolutions of a single pixel stay: they are linear layers."""
        if use.arguments.transposed and use.calls and all(prod(x.shape[2:]) == 1 for x, _ in use.calls):
            return "its input has one pixel, so that each output channel would be one pattern, times a number"
        return None

    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        code = self.code if kind_options.pairs == 1 else "CVL505"
        return Replacement(code, pairs=kind_options.pairs, between=kind_options.written_between, base=other_base(uses))

    def alternatives(
        self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph
    ) -> tuple[Replacement, ...]:
        """From one to eight pairs, unless a number above one was given."""
        if kind_options.pairs > 1:
            return super().alternatives(uses, kind_options, graph)
        one = Replacement(self.code, between=kind_options.written_between, base=other_base(uses))
        return (one, *(replace(one, code="CVL505", pairs=pairs) for pairs in SEARCHED_PAIRS))

    def fits(self, arguments: LayerArguments, form: Replacement, kind_options: KindOptions) -> bool:
        """Return whether so many pairs save parameters of a layer with these arguments."""
        return self.refusal(arguments, replace(kind_options, pairs=form.pairs)) is None

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """``T(k²C + CD)`` weights, as many MACs per output pixel, and T more maps of C channels.

        Transposed, C and D change places, and pixels are those of the input. A norm between the convolutions has 2C
        parameters and saves 2C values; a PReLU has C parameters.
        """
        n, before, between = use.arguments, use.before, FORMS[form.between]
        each, across = _channels(n)
        middle = each * form.pairs
        weights = n.window * middle + middle * across
        params = weights + n.out_channels * n.bias
        params += middle * between.params
        pixels = sum((x if n.transposed else out).numel for x, out in use.calls) // across
        itemsize = use.calls[0][1].itemsize if use.calls else 0
        statistics = 2 * middle * itemsize * len(use.calls) if between.operators else 0
        mapped = pixels * middle * itemsize
        return Costs(
            params,
            pixels * weights,
            before.output_bytes + between.computed * mapped,
            None if before.saved_bytes is None else before.saved_bytes + between.saved * mapped + statistics,
        )

    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """Another class, under a condition where the call also builds layers that stay, or a function around it."""
        kind_options = KindOptions(pairs=form.pairs, between=form.between)
        base = form.base or self.base
        fits = [self.fits(other, form, kind_options) for other in edited.others]
        if form.pairs == 1:
            yield from own_classes.drafts(edited, base, form.between, all_fit=all_fit, fits=fits)
        yield from conv_calls.drafts(
            edited,
            base,
            partial(_layer, form),
            partial(_converter, form),
            all_fit=all_fit,
            fits=fits,
            child=_children(base)[1],
        )

    def title(self, form: Replacement) -> str:
        between = FORMS[form.between].in_words
        return f"{form.pairs} depthwise separable pairs{between}" if form.pairs > 1 else f"depthwise separable{between}"

    def expression(self, form: Replacement) -> str:
        return f"{_function_name(form.pairs, form.base)}(layer)"

    def helpers(self, form: Replacement) -> tuple[Helper, Helper]:
        """The class with all parameters, and the function that converts a dense convolution to it."""
        every = frozenset(text.parameters_of(form.base))
        return _layer(form, every), _converter(form, every)


def _channels(n: LayerArguments) -> tuple[int, int]:
    """The channels that have a kernel each, and those that the 1x1 convolution has on its other side."""
    return (n.out_channels, n.in_channels) if n.transposed else (n.in_channels, n.out_channels)


def _children(base: str) -> tuple[str, str]:
    """The two convolutions in their order; the second has the bias."""
    return ("pointwise", "depthwise") if "Transpose" in base else ("depthwise", "pointwise")


def _class_name(pairs: int, base: str) -> str:
    """The name of the class; a file may have layers with different numbers of pairs."""
    return f"DepthwiseSeparable{pairs if pairs > 1 else ''}{base or 'Conv2d'}"


def _function_name(pairs: int, base: str) -> str:
    return f"separable{pairs if pairs > 1 else ''}{f'_{base.lower()}' if base else ''}"


def _layer(form: Replacement, parameters: frozenset[str]) -> Helper:
    writer = _ClassText(form.pairs, form.between, form.base)
    return Helper.written(_class_name(form.pairs, form.base), writer, parameters)


def _converter(form: Replacement, parameters: frozenset[str]) -> Helper:
    return Helper.written(_function_name(form.pairs, form.base), _ConverterText(form.pairs, form.base), parameters)


@dataclass(frozen=True, slots=True)
class _ClassText:
    """The class of a depthwise separable convolution."""

    pairs: int
    between: IntermediateLayers
    base: str

    def __call__(self, parameters: frozenset[str]) -> str:
        base = self.base or "Conv2d"
        count, transposed = dimensions(base), "Transpose" in base
        one = "size-1" if count == 1 else "x".join("1" * count)
        first, second = f"depthwise {'transposed ' * transposed}convolution", f"{one} convolution across channels"
        kernels = f"{self.pairs} depthwise kernels per channel"
        middle, body = "in_channels", ""
        if transposed:
            middle, kernels, first, second = "out_channels", f"{self.pairs} {first}s per channel", second, first
        about = f"A {first}, then a {second}."
        if self.pairs > 1:
            body = f"        middle_channels = {self.pairs} * {middle}\n"
            middle = "middle_channels"
            about = f"A {first}, then {kernels}." if transposed else f"{kernels}, then a {one} convolution across all."
        tensors = text.passing(("device", "dtype"), parameters)
        window = text.window(base, parameters)
        mode = text.passing(("padding_mode",), parameters)
        bias = text.passing(("bias",), parameters)
        if transposed:
            groups = ["out_channels", *window, "groups=out_channels", *bias, *mode, *tensors]
            calls = [f"nn.Conv{count}d(", f"nn.{base}("]
            arguments = [["in_channels", middle, "1", "bias=False", *tensors], [middle, *groups]]
        else:
            calls = [f"nn.{base}(", f"nn.{base}("]
            depthwise = ["in_channels", middle, *window, "groups=in_channels", "bias=False", *mode, *tensors]
            arguments = [depthwise, [middle, "out_channels", "1", *bias, *tensors]]
        names = _children(base)
        body += text.call(f"self.{names[0]} = {calls[0]}", arguments[0])
        if self.between != "none":
            body += text.call(f"self.norm = nn.BatchNorm{count}d(", [middle, *tensors])
        if activation := FORMS[self.between].activation:
            channels = [middle, *tensors] if activation == "PReLU" else []
            body += text.call(f"self.activation = nn.{activation}(", channels)
        body += text.call(f"self.{names[1]} = {calls[1]}", arguments[1])
        body += text.attributes(parameters, "depthwise") + text.properties(parameters, names[1])
        name = _class_name(self.pairs, self.base)
        return text.definition(name, about, text.conv_parameters(parameters, base), body)


@dataclass(frozen=True, slots=True)
class _ConverterText:
    """The function that converts a dense convolution, if that saves parameters."""

    pairs: int
    base: str

    def __call__(self, parameters: frozenset[str]) -> str:
        base = self.base or "Conv2d"
        across = "conv.in_channels" if "Transpose" in base else "conv.out_channels"
        cost = f"window + {across}"
        if self.pairs > 1:
            cost = f"{self.pairs} * ({cost})"
        arguments = text.of_layer("conv", parameters, base)
        window = " * ".join(f"conv.kernel_size[{axis}]" for axis in range(dimensions(base)))
        return f'''def {_function_name(self.pairs, self.base)}(conv):
    """Return `conv` as depthwise separable; `conv` if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.{base}) or conv.in_channels <= {STEM_CHANNELS} or conv.groups > 1:
        return conv
    window = {window}
    if window == 1 or {cost} >= window * {across}:
        return conv
{text.call(f"return {_class_name(self.pairs, self.base)}(", arguments, indent=4)}'''
