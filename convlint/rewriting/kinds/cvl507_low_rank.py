"""CVL507: kx1 and 1xk convolutions of low rank instead of a kxk one (spatial SVD)."""

from __future__ import annotations

import ast
from math import prod

from convlint.ir import Costs, Replacement, Shape
from convlint.rewriting import layer_class as text
from convlint.rewriting.base import EditedCall, Helper, dimensions
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.rewriting.rank_kind import RankKind

# The dimensions of the first kernel; the second has the others: kx1 and 1xk, or 1xkxk and kx1x1 as in R(2+1)D. In one
# dimension the second is 1x1.
FIRST = {1: (0,), 2: (0,), 3: (1, 2)}


class LowRank(RankKind):
    """A dense k x k convolution becomes a k x 1 one to R channels, then a 1 x k one to the output channels.

    ## What it saves

    From C to D channels it has kCR + kRD weights instead of k²CD: a third of a 3 x 3 convolution of equal
    widths for R = C/2.

    ## What it costs

    One more feature map of R channels is saved for backward.

    ## How the rank is chosen

    `--rank 50%` sets it to this share of the output channels. With `--target-params`, `--target-macs` or
    `--max-error` the rank of every layer is searched: with `--weights` by the singular values of the
    trained kernels, with `--data` by the error of the outputs on that data. At full rank the layer is
    reproduced exactly.

    ## Where it is defined

    Convolutions and transposed convolutions with groups, any stride, dilation and padding. In one dimension
    a kernel of size k is followed by one of size 1; in three, 1 x k x k is followed by k x 1 x 1.

    ## References

    - Jaderberg et al., [Speeding up Convolutional Neural Networks with Low Rank Expansions](https://arxiv.org/abs/1405.3866)
    - Zhang et al., [Accelerating Very Deep Convolutional Networks](https://arxiv.org/abs/1505.06798)
    - Tran et al., [A Closer Look at Spatiotemporal Convolutions](https://arxiv.org/abs/1711.11248), in three dimensions
    """

    code = "CVL507"
    name = "low-rank"
    last_child = "second"
    verb = "low_rank"
    prefix = "LowRank"
    example = Replacement("CVL507", ranks=(32,), base="Conv2d")
    evidence = (
        "a text recognition network is 2.5 times as fast with no loss of accuracy, and 4.5 times with a loss of less "
        "than 1 point (Jaderberg et al. 2014, arXiv:1405.3866)"
    )

    def widths(self, arguments: LayerArguments) -> Shape:
        """The output channels."""
        return (arguments.out_channels,)

    def params(self, arguments: LayerArguments, ranks: Shape) -> int:
        """``(kCR + kRD) / g`` weights."""
        n, (rank,) = arguments, ranks
        first, second = _windows(n.kernel_size)
        return (n.in_channels * first * rank + rank * second * n.out_channels) // n.groups

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """The weights of two convolutions, times their pixels, and one more map of R channels."""
        n, before = use.arguments, use.before
        (rank,) = self.ranks(n, form)
        first, second = _windows(n.kernel_size)
        into = sum(x.numel for x, _ in use.calls) // n.in_channels
        out = sum(y.numel for _, y in use.calls) // n.out_channels
        between = [_between(x.shape, y.shape) for x, y in use.calls]
        middle = sum(shape[0] * prod(shape[2:]) for shape in between)
        itemsize = use.calls[0][1].itemsize if use.calls else 0
        one, two = n.in_channels * first * rank // n.groups, rank * second * n.out_channels // n.groups
        saved = middle * rank
        return Costs(
            self.params(n, (rank,)) + n.out_channels * n.bias,
            (one * into + two * middle) if n.transposed else (one * middle + two * out),
            before.output_bytes + middle * rank * itemsize,
            None if before.saved_bytes is None else before.saved_bytes + saved * itemsize,
        )

    def title(self, form: Replacement) -> str:
        rank = f"{form.ranks[0]}/{form.per} of the channels" if form.per else f"{form.ranks[0]}"
        first, second = _names(dimensions(form.base))
        return f"{first} and {second} of rank {rank}"

    def class_helper(self, form: Replacement) -> Helper:
        name, count = f"{self.prefix}{form.base}", dimensions(form.base)
        first, second = _names(count)
        output = ["output_padding=0"] if "Transpose" in form.base else []
        given = ["in_channels", "out_channels", "kernel_size", "stride=1", "padding=0"]
        given += [*output, "dilation=1", "bias=True", "*", "ranks"]
        build = f"""\
        values = (kernel_size, stride, padding, dilation{", output_padding" * bool(output)})
        k, s, p, d{", o" * bool(output)} = (v if isinstance(v, tuple) else (v,) * {count} for v in values)
{_built(form.base, "in_channels", "ranks[0]", "bias=False", first=True)}\
{_built(form.base, "ranks[0]", "out_channels", "bias=bias", first=False)}"""
        return Helper(
            name,
            f'''class {name}(nn.Sequential):
    """A {first} convolution to fewer channels, then a {second} one."""

{text.call("def __init__(", ["self", *given], "):", indent=4)}        super().__init__()
{build}''',
        )

    def takes(self, edited: EditedCall) -> bool:
        """Return whether the class has the arguments of a call."""
        padding = edited.call.argument("padding", 4)
        keywords = {keyword.arg for keyword in edited.call.node.keywords}
        return "padding_mode" not in keywords and not (
            isinstance(padding, ast.Constant) and isinstance(padding.value, str)
        )

    def function_text(self, form: Replacement) -> str:
        count = dimensions(form.base)
        first, second = (" * ".join(f"k[{axis}]" for axis in axes) or "1" for axes in (FIRST[count], _rest(count)))
        read = f"max(g, d // g * ranks[0] // {form.per} * g)" if form.per else "ranks[0]"
        output = ", conv.output_padding" if "Transpose" in form.base else ""
        return f'''def {self.function(form)}(conv, ranks):
    """`conv` as two of low rank, unchanged if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.{form.base}) or conv.in_channels <= {STEM_CHANNELS}:
        return conv
    c, d, g, k = conv.in_channels, conv.out_channels, conv.groups, conv.kernel_size
    rank, first, second = {read}, {first}, {second}
    if first * second == 1 or conv.padding_mode != "zeros":
        return conv
    if min(c, d) < 2 * g or rank > d or rank % g:
        return conv
    if first * c * rank + rank * second * d >= first * second * c * d:
        return conv
    like = {{"groups": g, "device": conv.weight.device, "dtype": conv.weight.dtype}}
    s, p, e{", o" * bool(output)} = conv.stride, conv.padding, conv.dilation{output}
    layers = nn.Sequential()
{_added(form.base, "c", "rank", "bias=False", first=True)}
{_added(form.base, "rank", "d", "bias=conv.bias is not None", first=False)}
    return layers
'''


def _rest(count: int) -> Shape:
    """The dimensions of the second kernel."""
    return tuple(axis for axis in range(count) if axis not in FIRST[count])


def _names(count: int) -> tuple[str, str]:
    """The two kernels in words: kx1 and 1xk."""
    if count == 1:
        return "size-k", "size-1"
    first, second = (
        "x".join("k" if axis in axes else "1" for axis in range(count)) for axes in (FIRST[count], _rest(count))
    )
    return first, second


def _windows(kernel: Shape) -> tuple[int, int]:
    """The numbers of values of the first and the second kernel in one channel."""
    first = prod(kernel[axis] for axis in FIRST[len(kernel)])
    return first, prod(kernel) // first


def _between(into: Shape, out: Shape) -> Shape:
    """The shape of the map between, but for its channels."""
    sizes = (out[axis + 2] if axis in FIRST[len(out) - 2] else into[axis + 2] for axis in range(len(out) - 2))
    return (out[0], 1, *sizes)


def _arguments(base: str, *, first: bool, dilation: str) -> dict[str, str]:
    """The arguments of one of the two layers: of each value its own dimensions, else what changes nothing."""
    count = dimensions(base)
    axes = FIRST[count] if first else _rest(count)
    letters = {"kernel_size": ("k", 1), "stride": ("s", 1), "padding": ("p", 0), "dilation": (dilation, 1)}
    if "Transpose" in base:
        letters["output_padding"] = ("o", 0)
    found = {}
    for name, (letter, neutral) in letters.items():
        parts = [f"{letter}[{axis}]" if axis in axes else str(neutral) for axis in range(count)]
        found[name] = f"({', '.join(parts)}{',' * (count == 1)})"
    return found


def _built(base: str, into: str, out: str, bias: str, *, first: bool) -> str:
    values = _arguments(base, first=first, dilation="d")
    name = "first" if first else "second"
    window = [values[key] for key in ("kernel_size", "stride", "padding")]
    rest = [f"{key}={values[key]}" for key in ("dilation", "output_padding") if key in values]
    return text.call(f"self.{name} = nn.{base}(", [into, out, *window, *rest, bias])


def _added(base: str, into: str, out: str, bias: str, *, first: bool) -> str:
    values = _arguments(base, first=first, dilation="e")
    name = "first" if first else "second"
    given = ", ".join(f'"{key}": {value}' for key, value in values.items() if key != "padding")
    padding = values["padding"]
    return f"""\
    options = {{{given}}}
    options["padding"] = conv.padding if isinstance(conv.padding, str) else {padding}
    layers.add_module("{name}", nn.{base}({into}, {out}, {bias}, **options, **like))"""
