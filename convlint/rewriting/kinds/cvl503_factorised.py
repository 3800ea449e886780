"""CVL503: a kxk convolution as 1xk and kx1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Costs, Graph, Replacement
from convlint.rewriting import conv_calls
from convlint.rewriting import layer_class as text
from convlint.rewriting.base import Draft, EditedCall, Helper, Kind, KindOptions
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.support.dataclass import dataclass

CLASS = "FactorisedConv2d"
MAPS = range(12, 21)  # heights and widths for which the paper recommends it


class Factorised(Kind):
    """A dense k x k convolution becomes a 1 x k one along rows, then a k x 1 one along columns.

    ## What it saves

    From C to D channels it has kCD + kD² weights instead of k²CD. That is less only if D < (k - 1)C,
    and two thirds for a 3 x 3 convolution of equal widths.

    ## What it costs

    One more feature map of D channels is saved for backward. It is reported to work well on maps of 12 to
    20 pixels and badly in early layers, so it is proposed only for maps of that size. Layers with a
    padding mode other than zeros stay as they are, because it would pad other values.

    ## References

    - Szegedy et al., [Rethinking the Inception Architecture](https://arxiv.org/abs/1512.00567), section 3.2
    - Jaderberg et al., [Speeding up Convolutional Neural Networks with Low Rank Expansions](https://arxiv.org/abs/1405.3866),
      on trained weights
    """

    code = "CVL503"
    name = "factorised"
    example = Replacement("CVL503")
    evidence = (
        "Inception-v3 uses it on maps of 12 to 20 pixels, where it works well; in early layers it does not "
        "(Szegedy et al. 2016, arXiv:1512.00567, section 3.2)"
    )

    def refusal(self, arguments: LayerArguments, kind_options: KindOptions) -> str | None:
        """Only kernels with several rows and columns, if ``mCD + kD² < kmCD`` for a k x m kernel."""
        n, (k, m) = arguments, arguments.kernel_size
        if n.is_stem:
            return f"it has {n.in_channels} input channels, like a first layer"
        if n.groups > 1 or min(k, m) == 1:
            return "its kernel has one row or column, or it is already grouped"
        if m * n.in_channels + k * n.out_channels >= k * m * n.in_channels:
            return f"{n.in_channels} to {n.out_channels} channels would not have fewer parameters"
        if n.padding_mode != "zeros":
            return f"padding_mode={n.padding_mode!r} would be applied to other values"
        if n.padding == "same" and not (k % 2 and m % 2):
            return "an even kernel with padding='same' pads one side, in a copy of the map"
        return None

    def refusal_in(self, graph: Graph, use: LayerUse) -> str | None:
        for x, _ in use.calls:
            if x.shape[-1] not in MAPS or x.shape[-2] not in MAPS:
                size = "x".join(map(str, x.shape[-2:]))
                return f"its feature map is {size}; this works well only on 12 to 20 pixels"
        return None

    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        return Replacement(self.code)

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """``mCD + kD²`` weights for a k x m kernel; one more map, as high as the input and as wide as the output."""
        n, before, (k, m) = use.arguments, use.before, use.arguments.kernel_size
        middle = [out.numel // out.shape[-2] * x.shape[-2] for x, out in use.calls]
        mapped = sum(middle) * (use.calls[0][1].itemsize if use.calls else 0)
        return Costs(
            m * n.in_channels * n.out_channels + k * n.out_channels * n.out_channels + n.out_channels * n.bias,
            m * n.in_channels * sum(middle) + k * n.out_channels * sum(out.numel for _, out in use.calls),
            before.output_bytes + mapped,
            None if before.saved_bytes is None else before.saved_bytes + mapped,
        )

    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """Another class, under a condition where the call also builds layers that stay, or a function around it."""
        fits = [self.fits(other, form, KindOptions()) for other in edited.others]
        yield from conv_calls.drafts(edited, self.base, _layer, _converter, all_fit=all_fit, fits=fits)

    def title(self, form: Replacement) -> str:
        return "factorized into 1xk and kx1"

    def expression(self, form: Replacement) -> str:
        return "factorised(layer)"

    def helpers(self, form: Replacement) -> tuple[Helper, Helper]:
        """The class with all parameters, and the function that converts a dense convolution to it."""
        return _layer(text.EVERY | {text.TUPLES}), _converter(text.EVERY)


def _layer(parameters: frozenset[str]) -> Helper:
    return Helper.written(CLASS, _ClassText(), parameters)


def _converter(parameters: frozenset[str]) -> Helper:
    return Helper.written("factorised", _ConverterText(), parameters)


@dataclass(frozen=True, slots=True)
class _ClassText:
    """The class of a convolution along rows and one along columns; sizes are numbers or, as an option, tuples."""

    def __call__(self, parameters: frozenset[str]) -> str:
        parameters |= {"kernel_size"}
        body, sides = "", _numbers
        if text.TUPLES in parameters:
            body, sides = _unpacked(parameters), _items
        options = text.passing(("padding_mode", "device", "dtype"), parameters)
        bias = text.passing(("bias",), parameters)
        rows = ["in_channels", "out_channels", *sides(parameters, 1), "bias=False", *options]
        columns = ["out_channels", "out_channels", *sides(parameters, 0), *bias, *options]
        body += text.call("self.horizontal = nn.Conv2d(", rows) + text.call("self.vertical = nn.Conv2d(", columns)
        about = "A 1xk convolution along rows, then a kx1 convolution along columns."
        return text.definition(CLASS, about, text.conv_parameters(parameters), body)


def _numbers(parameters: frozenset[str], axis: int) -> list[str]:
    """The arguments of a convolution along one axis, where sizes are numbers."""
    neutral = {"kernel_size": "1", "stride": "1", "padding": "0", "dilation": "1"}
    values: list[str] = []
    for name in text.WINDOW:
        if name in parameters:
            pair = f"({name}, {neutral[name]})" if axis == 0 else f"({neutral[name]}, {name})"
            values.append(pair if len(values) == text.WINDOW.index(name) else f"{name}={pair}")
    return values


def _items(parameters: frozenset[str], axis: int) -> list[str]:
    """The same for sizes that ``_unpacked`` has made tuples."""
    values: list[str] = []
    for name, neutral in {"kernel_size": "1", "stride": "1", "dilation": "1"}.items():
        if name in parameters:
            item = f"{name}[{axis}]"
            pair = f"({item}, {neutral})" if axis == 0 else f"({neutral}, {item})"
            values.append(pair if name == "kernel_size" else f"{name}={pair}")
    if "padding" in parameters:
        values.append(f"padding=paddings[{axis}]")
    return values


def _unpacked(parameters: frozenset[str]) -> str:
    """Statements that make tuples of sizes."""
    lines = [
        f"        {name} = {name} if isinstance({name}, tuple) else ({name}, {name})\n"
        for name in ("kernel_size", "stride", "dilation")
        if name in parameters
    ]
    if "padding" in parameters:
        lines += [
            "        if isinstance(padding, str):\n",
            "            paddings = (padding, padding)\n",
            "        else:\n",
            "            high, wide = padding if isinstance(padding, tuple) else (padding, padding)\n",
            "            paddings = ((high, 0), (0, wide))\n",
        ]
    return "".join(lines)


@dataclass(frozen=True, slots=True)
class _ConverterText:
    """The function that converts a dense convolution, if that saves parameters."""

    def __call__(self, parameters: frozenset[str]) -> str:
        arguments = text.of_layer("conv", parameters)
        return f'''def factorised(conv):
    """Return `conv` as 1xk and kx1, or as it is if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.Conv2d) or conv.groups > 1 or conv.padding_mode != "zeros":
        return conv
    (k, m), c, d = conv.kernel_size, conv.in_channels, conv.out_channels
    if c <= {STEM_CHANNELS} or min(k, m) == 1 or m * c + k * d >= k * m * c:
        return conv
    if conv.padding == "same" and not (k % 2 and m % 2):
        return conv
{text.call(f"return {CLASS}(", arguments, indent=4)}'''
