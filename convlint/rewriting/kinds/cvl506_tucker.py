"""CVL506: Tucker-2 decompositions, a convolution between two 1x1 convolutions."""

from __future__ import annotations

from convlint.ir import Costs, Replacement, Shape
from convlint.rewriting.base import Helper, dimensions
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.rewriting.rank_kind import RankKind


class Tucker(RankKind):
    """A dense convolution becomes a 1x1 convolution to fewer channels, a k x k one among them, and a 1x1
    one to the output channels.

    ## What it saves

    With ranks R and S, a k x k convolution from C to D channels has CR + k²RS + SD weights instead of
    k²CD: about a quarter of a 3 x 3 one for R = C/2 and S = D/2.

    ## What it costs

    Two more feature maps, of R and S channels, are saved for backward. Three convolutions instead of one
    are often not faster for small ranks; measure it with `--measure`.

    ## How ranks are chosen

    `--rank 50%` sets both ranks to this share of the channels. With `--target-params`, `--target-macs` or
    `--max-error` the ranks of every layer are searched: with `--weights` by the singular values of the
    trained kernels, with `--data` by the error of the outputs on that data. At full rank the layer is
    reproduced exactly (higher-order SVD).

    ## Where it is defined

    Convolutions and transposed convolutions in one to three dimensions, with groups, any stride, dilation
    and padding: the three convolutions have the same groups, and the middle one the other arguments.

    ## References

    - Kim et al., [Compression of Deep Convolutional Neural Networks](https://arxiv.org/abs/1511.06530)
    - De Lathauwer et al., [A Multilinear Singular Value Decomposition](https://doi.org/10.1137/S0895479896305696)
    """

    code = "CVL506"
    name = "tucker"
    last_child = "expand"
    verb = "tucker"
    prefix = "Tucker"
    example = Replacement("CVL506", ranks=(16, 32), base="Conv2d")
    evidence = (
        "AlexNet, VGG-S, GoogLeNet and VGG-16 lose 1.70, 0.55, 0.24 and 0.50 points of top-5 accuracy with 5.46, 7.40, "
        "1.28 and 1.09 times fewer parameters, after fine-tuning (Kim et al. 2016, arXiv:1511.06530, table 1)"
    )

    def widths(self, arguments: LayerArguments) -> Shape:
        """The input channels, and the output channels."""
        return arguments.in_channels, arguments.out_channels

    def params(self, arguments: LayerArguments, ranks: Shape) -> int:
        """``(CR + k²RS + SD) / g`` weights."""
        n, (r, s) = arguments, ranks
        return (n.in_channels * r + n.window * r * s + s * n.out_channels) // n.groups

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """The weights of three convolutions, times their pixels, and two more maps of R and S channels."""
        n, before = use.arguments, use.before
        r, s = self.ranks(n, form)
        into = sum(x.numel for x, _ in use.calls) // n.in_channels
        out = sum(y.numel for _, y in use.calls) // n.out_channels
        core = n.window * r * s // n.groups
        itemsize = use.calls[0][1].itemsize if use.calls else 0
        saved = into * r + out * s
        return Costs(
            self.params(n, (r, s)) + n.out_channels * n.bias,
            (into * n.in_channels * r + out * s * n.out_channels) // n.groups + core * (into if n.transposed else out),
            before.output_bytes + (into * r + out * s) * itemsize,
            None if before.saved_bytes is None else before.saved_bytes + saved * itemsize,
        )

    def title(self, form: Replacement) -> str:
        r, s = form.ranks
        ranks = f"{r}/{form.per} and {s}/{form.per} of the channels" if form.per else f"{r} and {s}"
        return f"Tucker decomposition with ranks {ranks}"

    def class_helper(self, form: Replacement) -> Helper:
        one, core = f"nn.Conv{form.base[-2:]}", f"nn.{form.base}"
        kernel = "x".join("1" * dimensions(form.base)).replace("1", "size-1", dimensions(form.base) == 1)
        return Helper(
            f"{self.prefix}{form.base}",
            f'''class {self.prefix}{form.base}(nn.Sequential):
    """A {kernel} convolution to fewer channels, the kernel on them, and a {kernel} convolution from them."""

    def __init__(self, in_channels, out_channels, kernel_size, *args, ranks, bias=True, **options):
        super().__init__()
        self.reduce = {one}(in_channels, ranks[0], 1, bias=False)
        self.core = {core}(*ranks, kernel_size, *args, bias=False, **options)
        self.expand = {one}(ranks[1], out_channels, 1, bias=bias)
''',
        )

    def function_text(self, form: Replacement) -> str:
        one, core = f"nn.Conv{form.base[-2:]}", f"nn.{form.base}"
        output = ', "output_padding": conv.output_padding' if "Transpose" in form.base else ""
        read = "ranks"
        if form.per:
            read = f"(max(g, n // g * rank // {form.per} * g) for n, rank in zip((c, d), ranks))"
        return f'''def {self.function(form)}(conv, ranks):
    """`conv` as a Tucker decomposition, unchanged if that saves nothing or it reads an image."""
    if not isinstance(conv, nn.{form.base}) or conv.in_channels <= {STEM_CHANNELS}:
        return conv
    c, d, g, window = conv.in_channels, conv.out_channels, conv.groups, conv.weight[0, 0].numel()
    r, s = {read}
    if window == 1 or conv.padding_mode != "zeros" or min(c, d) < 2 * g:
        return conv
    if r > c or s > d or r % g or s % g:
        return conv
    if r * c + r * s * window + s * d >= window * c * d:
        return conv
    like = {{"groups": g, "device": conv.weight.device, "dtype": conv.weight.dtype}}
    options = {{"stride": conv.stride, "padding": conv.padding, "dilation": conv.dilation{output}}}
    layers = nn.Sequential()
    layers.add_module("reduce", {one}(c, r, 1, bias=False, **like))
    layers.add_module("core", {core}(r, s, conv.kernel_size, bias=False, **options, **like))
    layers.add_module("expand", {one}(s, d, 1, bias=conv.bias is not None, **like))
    return layers
'''
