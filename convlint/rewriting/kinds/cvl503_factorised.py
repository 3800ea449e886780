"""CVL503: a kxk convolution as 1xk and kx1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Costs, Graph, Replacement
from convlint.rewriting.base import Draft, EditedCall, Helper, Kind, KindOptions
from convlint.rewriting.conv_subclass import CONVERTED_ARGUMENTS, PARAMETERS, class_or_function_drafts
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse

CLASS = "FactorisedConv2d"
MAPS = range(12, 21)  # heights and widths for which the paper recommends it

_CLASS = Helper(
    CLASS,
    f'''class {CLASS}(nn.Conv2d):
    """A 1xk convolution, then this kx1 convolution, instead of a kxk one."""

    def __init__(
{PARAMETERS}
    ):
        if groups != 1:
            raise ValueError(f"a factorized convolution has no groups, got {{groups}}")
        (k, m), (s, t), (d, e) = (
            value if isinstance(value, tuple) else (value, value)
            for value in (kernel_size, stride, dilation)
        )
        p, q = padding if isinstance(padding, tuple) else (padding, padding)
        along, across = (padding, padding) if isinstance(padding, str) else ((0, q), (p, 0))
        options = {{"padding_mode": padding_mode, "device": device, "dtype": dtype}}
        super().__init__(
            out_channels, out_channels, (k, 1), (s, 1), across, (d, 1), bias=bias, **options
        )
        self.in_channels = in_channels
        self.horizontal = nn.Conv2d(
            in_channels, out_channels, (1, m), (1, t), along, (1, e), bias=False, **options
        )

    def forward(self, x):
        return super().forward(self.horizontal(x))
''',
)
_FUNCTION = Helper(
    "factorised",
    f'''def factorised(conv):
    """`conv` as 1xk and kx1, or unchanged if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.Conv2d) or conv.groups > 1 or conv.padding_mode != "zeros":
        return conv
    (k, m), c, d = conv.kernel_size, conv.in_channels, conv.out_channels
    if c <= {STEM_CHANNELS} or min(k, m) == 1 or m * c + k * d >= k * m * c:
        return conv
    if conv.padding == "same" and not (k % 2 and m % 2):
        return conv
    return {CLASS}(
        c,
        d,
{CONVERTED_ARGUMENTS}
    )
''',
)


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
        """Another class, or a function around the call that decides for each layer."""
        yield from class_or_function_drafts(edited, self.base, *self.helpers(form), all_fit=all_fit)

    def title(self, form: Replacement) -> str:
        return "factorized into 1xk and kx1"

    def expression(self, form: Replacement) -> str:
        return "factorised(layer)"

    def helpers(self, form: Replacement) -> tuple[Helper, Helper]:
        return _CLASS, _FUNCTION
