"""CVL503: a kxk convolution as 1xk and kx1, a kxkxk one as 1xkxk and kx1x1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod

from convlint.ir import Costs, Graph, Replacement
from convlint.rewriting import conv_calls
from convlint.rewriting import layer_class as text
from convlint.rewriting.base import Draft, EditedCall, Helper, Kind, KindOptions, dimensions, other_base
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.support.dataclass import dataclass

MAPS = range(12, 21)  # heights and widths for which the paper recommends it
_BASES = ("Conv2d", "Conv3d")
_CHILDREN = {"Conv2d": ("horizontal", "vertical"), "Conv3d": ("planes", "depth")}  # over the last axes, then the first
_TWO = 2  # dimensions


class Factorised(Kind):
    """A dense k x k convolution becomes a 1 x k one along rows, then a k x 1 one along columns; a k x k x k
    one becomes a 1 x k x k one in each plane, then a k x 1 x 1 one along the depth.

    ## What it saves

    From C to D channels it has kCD + kD² weights instead of k²CD. That is less only if D < (k - 1)C,
    and two thirds for a 3 x 3 convolution of equal widths. In three dimensions it has k²CD + kD² instead
    of k³CD.

    ## What it costs

    One more feature map of D channels is saved for backward. In two dimensions it is reported to work well on
    maps of 12 to 20 pixels and badly in early layers, so it is proposed only for maps of that size. Layers
    with a padding mode other than zeros stay as they are, because it would pad other values.

    ## Where it is defined

    `Conv2d` and `Conv3d`. A kernel of one dimension has nothing to divide.

    ## References

    - Szegedy et al., [Rethinking the Inception Architecture](https://arxiv.org/abs/1512.00567), section 3.2
    - Jaderberg et al., [Speeding up Convolutional Neural Networks with Low Rank Expansions](https://arxiv.org/abs/1405.3866),
      on trained weights
    - Qiu et al., [Pseudo-3D Residual Networks](https://arxiv.org/abs/1711.10305), and Tran et al.,
      [A Closer Look at Spatiotemporal Convolutions](https://arxiv.org/abs/1711.11248), for video
    """

    code = "CVL503"
    name = "factorised"
    lacks_bias = True
    example = Replacement("CVL503")
    evidence = (
        "Inception-v3 uses it on maps of 12 to 20 pixels, where it works well; in early layers it does not "
        "(Szegedy et al. 2016, arXiv:1512.00567, section 3.2); for video, P3D (arXiv:1711.10305) and R(2+1)D "
        "(arXiv:1711.11248) use it in three dimensions"
    )

    @property
    def bases(self) -> tuple[str, ...]:
        """Convolutions with a kernel of several dimensions."""
        return _BASES

    def refusal(self, arguments: LayerArguments, kind_options: KindOptions) -> str | None:
        """Only kernels that both parts divide, if ``mCD + kD² < kmCD`` for k planes or rows of m values."""
        n, k, m = arguments, arguments.kernel_size[0], prod(arguments.kernel_size[1:])
        if n.is_stem:
            return f"it has {n.in_channels} input channels, like a first layer"
        if n.groups > 1 or min(k, m) == 1:
            of = "one row or column" if len(n.kernel_size) == _TWO else "one plane, or one value in each"
            return f"its kernel has {of}, or it is already grouped"
        if m * n.in_channels + k * n.out_channels >= k * m * n.in_channels:
            return f"{n.in_channels} to {n.out_channels} channels would not have fewer parameters"
        if n.padding_mode != "zeros":
            return f"padding_mode={n.padding_mode!r} would be applied to other values"
        if n.padding == "same" and not all(size % 2 for size in n.kernel_size):
            return "an even kernel with padding='same' pads one side, in a copy of the map"
        return None

    def refusal_in(self, graph: Graph, use: LayerUse) -> str | None:
        for x, _ in use.calls if len(use.arguments.kernel_size) == _TWO else ():
            if x.shape[-1] not in MAPS or x.shape[-2] not in MAPS:
                size = "x".join(map(str, x.shape[-2:]))
                return f"its feature map is {size}; this works well only on 12 to 20 pixels"
        return None

    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        return Replacement(self.code, base=other_base(uses))

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """``mCD + kD²`` weights for k rows of m values; one more map, with the first size of the input."""
        n, before = use.arguments, use.before
        k, m, first = n.kernel_size[0], prod(n.kernel_size[1:]), -len(n.kernel_size)
        middle = [out.numel // out.shape[first] * x.shape[first] for x, out in use.calls]
        mapped = sum(middle) * (use.calls[0][1].itemsize if use.calls else 0)
        return Costs(
            m * n.in_channels * n.out_channels + k * n.out_channels * n.out_channels + n.out_channels * n.bias,
            m * n.in_channels * sum(middle) + k * n.out_channels * sum(out.numel for _, out in use.calls),
            before.output_bytes + mapped,
            None if before.saved_bytes is None else before.saved_bytes + mapped,
        )

    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """Another class, under a condition where the call also builds layers that stay, or a function around it."""
        base = form.base or self.base
        fits = [self.fits(other, form, KindOptions()) for other in edited.others]
        layer, converter = partial(_layer, base), partial(_converter, base)
        yield from conv_calls.drafts(edited, base, layer, converter, all_fit=all_fit, fits=fits)

    def title(self, form: Replacement) -> str:
        return "factorized into 1xkxk and kx1x1" if form.base == "Conv3d" else "factorized into 1xk and kx1"

    def expression(self, form: Replacement) -> str:
        return f"{_function_name(form.base)}(layer)"

    def helpers(self, form: Replacement) -> tuple[Helper, Helper]:
        """The class with all parameters, and the function that converts a dense convolution to it."""
        base = form.base or self.base
        return _layer(base, text.EVERY | {text.TUPLES}), _converter(base, text.EVERY)


def children(dimensions: int) -> tuple[str, str]:
    """The names of the two convolutions in their order."""
    return _CHILDREN[f"Conv{dimensions}d"]


def _function_name(base: str) -> str:
    return "factorised_conv3d" if base == "Conv3d" else "factorised"


def _layer(base: str, parameters: frozenset[str]) -> Helper:
    return Helper.written(f"Factorised{base}", _ClassText(base), parameters)


def _converter(base: str, parameters: frozenset[str]) -> Helper:
    return Helper.written(_function_name(base), _ConverterText(base), parameters)


@dataclass(frozen=True, slots=True)
class _ClassText:
    """The class of a convolution over the last axes and one along the first.

    Sizes are numbers or, as an option, tuples.
    """

    base: str

    def __call__(self, parameters: frozenset[str]) -> str:
        parameters |= {"kernel_size"}
        count = dimensions(self.base)
        body, sides = "", _numbers
        if text.TUPLES in parameters:
            body, sides = _unpacked(parameters, count), _items
        options = text.passing(("padding_mode", "device", "dtype"), parameters)
        bias = text.passing(("bias",), parameters)
        last = ["in_channels", "out_channels", *sides(parameters, count, along_first=False), "bias=False", *options]
        first = ["out_channels", "out_channels", *sides(parameters, count, along_first=True), *bias, *options]
        names = children(count)
        body += text.call(f"self.{names[0]} = nn.{self.base}(", last)
        body += text.call(f"self.{names[1]} = nn.{self.base}(", first)
        about = "A 1xk convolution along rows, then a kx1 convolution along columns."
        if count > _TWO:
            about = "A 1xkxk convolution in each plane, then a kx1x1 convolution along the depth."
        return text.definition(f"Factorised{self.base}", about, text.conv_parameters(parameters), body)


def _tuple(first: str, others: Sequence[str], neutral: str, *, along_first: bool) -> str:
    """The sizes of one of the two convolutions: its own, and neutral ones along the axes of the other."""
    sizes = [first, *(neutral for _ in others)] if along_first else [neutral, *others]
    return f"({', '.join(sizes)})"


def _numbers(parameters: frozenset[str], count: int, *, along_first: bool) -> list[str]:
    """The arguments of one of the convolutions, where sizes are numbers."""
    neutral = {"kernel_size": "1", "stride": "1", "padding": "0", "dilation": "1"}
    values: list[str] = []
    for name in text.WINDOW:
        if name in parameters:
            sizes = _tuple(name, [name] * (count - 1), neutral[name], along_first=along_first)
            values.append(sizes if len(values) == text.WINDOW.index(name) else f"{name}={sizes}")
    return values


def _items(parameters: frozenset[str], count: int, *, along_first: bool) -> list[str]:
    """The same for sizes that ``_unpacked`` has made tuples."""
    values: list[str] = []
    for name in ("kernel_size", "stride", "dilation"):
        if name in parameters:
            items = [f"{name}[{axis}]" for axis in range(count)]
            sizes = _tuple(items[0], items[1:], "1", along_first=along_first)
            values.append(sizes if name == "kernel_size" else f"{name}={sizes}")
    if "padding" in parameters:
        values.append(f"padding=paddings[{0 if along_first else 1}]")
    return values


def _unpacked(parameters: frozenset[str], count: int) -> str:
    """Statements that make tuples of sizes."""

    def repeated(name: str) -> str:
        return f"{name} if isinstance({name}, tuple) else ({', '.join([name] * count)})"

    names = (name for name in ("kernel_size", "stride", "dilation") if name in parameters)
    lines = [f"        {name} = {repeated(name)}\n" for name in names]
    if "padding" in parameters:
        sizes = ["deep", "high", "wide"][-count:]
        both = ", ".join(_tuple(sizes[0], sizes[1:], "0", along_first=first) for first in (True, False))
        lines += [
            "        if isinstance(padding, str):\n",
            "            paddings = (padding, padding)\n",
            "        else:\n",
            f"            {', '.join(sizes)} = {repeated('padding')}\n",
            f"            paddings = ({both})\n",
        ]
    return "".join(lines)


@dataclass(frozen=True, slots=True)
class _ConverterText:
    """The function that converts a dense convolution, if that saves parameters."""

    base: str

    def __call__(self, parameters: frozenset[str]) -> str:
        arguments = text.of_layer("conv", parameters, self.base)
        about, sizes = "1xk and kx1", "(k, m), c, d = conv.kernel_size, conv.in_channels, conv.out_channels"
        if self.base == "Conv3d":
            about = "1xkxk and kx1x1"
            sizes = "k, m = conv.kernel_size[0], conv.kernel_size[1] * conv.kernel_size[2]\n"
            sizes += "    c, d = conv.in_channels, conv.out_channels"
        return f'''def {_function_name(self.base)}(conv):
    """Return `conv` as {about}, or as it is if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.{self.base}) or conv.groups > 1 or conv.padding_mode != "zeros":
        return conv
    {sizes}
    if c <= {STEM_CHANNELS} or min(k, m) == 1 or m * c + k * d >= k * m * c:
        return conv
    if conv.padding == "same" and not (k % 2 and m % 2):
        return conv
{text.call(f"return Factorised{self.base}(", arguments, indent=4)}'''
