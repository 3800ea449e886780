"""CVL501: grouped convolutions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from math import gcd

from convlint.ir import Costs, Edit, Graph, Replacement, Site
from convlint.rewriting import call_text, class_values, conditions
from convlint.rewriting.base import (
    CONVOLUTIONS,
    Draft,
    EditedCall,
    Helper,
    Kind,
    KindOptions,
    NamedEdit,
    is_class_call,
    other_base,
    wrapping_edits,
)
from convlint.rewriting.call_place import Place
from convlint.rewriting.conditions import Comparison
from convlint.rewriting.layer_class import line_length
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import replace

MIN_WIDTH = 16  # input and output channels per group, if --groups is auto
CARDINALITY = 32  # of ResNeXt-50 32x4d, arXiv:1611.05431


class Grouped(Kind):
    """A dense convolution becomes a grouped one: every group of output channels reads its own group
    of input channels.

    ## What it saves

    With g groups, a k x k convolution from C to D channels has k²CD/g weights instead of k²CD, and its
    multiply-accumulates shrink by the same factor. Feature maps, and the memory that training saves for
    backward, do not change.

    ## What it costs

    Channels of different groups are not mixed in this layer. Another layer has to mix them: a dense 1x1
    convolution before or after it, as in ResNeXt, or a channel shuffle, as in ShuffleNet. CVL307 reports
    consecutive grouped layers without one; convlint proposes those with a channel shuffle before the
    second. Fewer multiply-accumulates are often not faster; measure it
    with `--measure`.

    ## How groups are chosen

    `--groups auto` chooses a number that divides the channels of all layers that the call builds and
    leaves at least 16 channels per group: 32 as in ResNeXt if possible, else the largest power of two,
    else the largest divisor. If no number divides all of them, the layers that save less stay dense, by a
    condition on the arguments of the call.
    `--groups 8` uses exactly 8 groups for any width.

    ## References

    - Xie et al., [ResNeXt](https://arxiv.org/abs/1611.05431)
    - Zhang et al., [ShuffleNet](https://arxiv.org/abs/1707.01083), on mixing the groups
    - Radosavovic et al., [RegNet](https://arxiv.org/abs/2003.13678), on the width of groups
    """

    code = "CVL501"
    name = "grouped"
    keeps_class = True
    example = Replacement("CVL501", groups=8)

    @property
    def bases(self) -> tuple[str, ...]:
        """Convolutions and transposed convolutions."""
        return CONVOLUTIONS

    evidence = (
        "ResNeXt-50 32x4d has 22.2 % top-1 error where ResNet-50 has 23.9 % at equal cost, being wider "
        "(Xie et al. 2017, arXiv:1611.05431); without a shuffle or a dense 1x1 between grouped layers it "
        "is 37.6 % against 32.4 % at 8 groups (ShuffleNet, Zhang et al. 2018, arXiv:1707.01083)"
    )

    def refusal(self, arguments: LayerArguments, kind_options: KindOptions) -> str | None:
        """First layers stay dense; groups must divide the input and output channels."""
        channels = f"{arguments.in_channels} and {arguments.out_channels} channels"
        if arguments.is_stem:
            return f"it has {arguments.in_channels} input channels, like a first layer"
        if not arguments.is_dense:
            return "it is 1x1 or already grouped"
        if kind_options.groups is not None:
            divides = not any(n % kind_options.groups for n in (arguments.in_channels, arguments.out_channels))
            return None if divides else f"{channels} are not divisible by {kind_options.groups} groups"
        if not _valid_groups([arguments]):
            return f"{channels} cannot be split into groups of at least {MIN_WIDTH} channels"
        return None

    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        """The requested number of groups, or ``auto_groups``."""
        if kind_options.groups is not None:
            return Replacement(self.code, groups=kind_options.groups, base=other_base(uses))
        groups = auto_groups([use.arguments for use in uses])
        return Replacement(self.code, groups=groups, width=MIN_WIDTH, base=other_base(uses))

    def alternatives(
        self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph
    ) -> tuple[Replacement, ...]:
        """Powers of two from 2 to 32 groups, unless a number was given; layers narrower than these stay dense."""
        if kind_options.groups is not None:
            return super().alternatives(uses, kind_options, graph)
        base = other_base(uses)
        narrowest = min((min(use.arguments.in_channels, use.arguments.out_channels) for use in uses), default=0)
        return tuple(
            Replacement(self.code, groups=groups, width=max(4, min(MIN_WIDTH, narrowest // groups)), base=base)
            for groups in (2, 4, 8, 16, 32)
        )

    def fits(self, arguments: LayerArguments, form: Replacement, kind_options: KindOptions) -> bool:
        """Return whether the groups divide its channels and are wide enough."""
        channels = (arguments.in_channels, arguments.out_channels)
        dense = arguments.is_dense and not arguments.is_stem
        return dense and all(n % form.groups == 0 and n // form.groups >= form.width for n in channels)

    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """``k²CD/g`` parameters and MACs; feature maps do not change."""
        n, before = use.arguments, use.before
        weights = n.window * n.in_channels * n.out_channels // form.groups
        maps, saved = before.output_bytes, before.saved_bytes
        if form.shuffled:
            shuffled = sum(x.nbytes for x, _ in use.calls)
            maps += shuffled
            if saved is not None and saved < shuffled:  # what computed its input saves that too, for itself
                saved += shuffled
        return Costs(weights + n.out_channels * n.bias, before.macs // form.groups, maps, saved)

    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """A ``groups`` argument, constant or computed per layer, or else a function around the call."""
        base = form.base or self.base
        known = not edited.through and (edited.call.callee or class_values.holds_class(edited.call))
        if form.shuffled:
            if known and all_fit:
                found = self._by_argument(edited, form, base, all_fit=all_fit)
                yield from (after for draft in found if (after := _after_shuffle(draft, edited.call, form.groups)))
            return
        if known:
            yield from self._by_argument(edited, form, base, all_fit=all_fit)
        helper = _function_name(form)
        yield Draft(wrapping_edits(edited.call, helper, str(form.groups)), self.helpers(form))

    def _by_argument(self, edited: EditedCall, form: Replacement, base: str, *, all_fit: bool) -> Iterator[Draft]:
        """Drafts that add ``groups=8``, or replace the argument, where some layers stay under a condition."""
        call, groups = edited.call, form.groups
        keywords = {keyword.arg: keyword.value for keyword in call.node.keywords}
        given = call.argument("groups", 6) if is_class_call(call, base) else keywords.get("groups")
        if given is None and None in keywords:
            return  # groups may be among the unpacked arguments
        if all_fit and (given is None or isinstance(given, ast.Constant)):
            yield Draft((call.replacing(given, str(groups)) if given else call.adding(f"groups={groups}"),))
            return
        fits = [self.fits(other, form, KindOptions()) for other in edited.others]
        misfits = [n for n, fit in zip(edited.others, fits, strict=True) if not fit]
        if given is not None and not isinstance(given, ast.Constant) and all(n.groups > 1 for n in misfits):
            operand = ast.get_source_segment("".join(call.file.lines), given) or ""
            operand = operand if isinstance(given, ast.Name | ast.Attribute) else f"({operand})"
            yield Draft((call.replacing(given, f"{groups} if {operand} == 1 else {operand}"),))
            return
        if given is None and is_class_call(call, base) and all(_shared(n, groups) == 1 for n in misfits):
            yield from _by_gcd(call, groups)
        condition = conditions.separating(edited, fits, base, _comparisons(form))
        if condition is not None and not condition.named:
            yield Draft(_conditional(call, given, groups, condition.text))

    def title(self, form: Replacement) -> str:
        return f"{form.groups} groups" + ", after a channel shuffle" * form.shuffled

    def expression(self, form: Replacement) -> str:
        grouped = f"{_function_name(form)}(layer, {form.groups})"
        return f"nn.Sequential(nn.ChannelShuffle({form.groups}), {grouped})" if form.shuffled else grouped

    def helpers(self, form: Replacement) -> tuple[Helper, ...]:
        return (Helper(_function_name(form), _function(form)),)


def _function_name(form: Replacement) -> str:
    return f"grouped_{form.base.lower()}" if form.base else "grouped"


def _function(form: Replacement) -> str:
    """The function that converts a convolution; with ``form.width`` it keeps groups at least that wide."""
    narrow = f" or min(channels) < {form.width} * groups" if form.width > 1 else ""
    limit = f" of at least {form.width} channels" if form.width > 1 else ""
    base = form.base or "Conv2d"
    rest = ["conv.dilation", "groups", "conv.bias is not None"]
    if "Transpose" in base:
        rest = ["conv.output_padding", "groups", "conv.bias is not None", "conv.dilation"]
    arguments = "".join(f"        {argument},\n" for argument in rest)
    return f'''def {_function_name(form)}(conv, groups):
    """`conv` in groups{limit}, or unchanged if that is not possible."""
    if not isinstance(conv, nn.{base}) or conv.groups > 1 or max(conv.kernel_size) == 1:
        return conv
    channels = (conv.in_channels, conv.out_channels)
    if channels[0] <= {STEM_CHANNELS}{narrow} or any(n % groups for n in channels):
        return conv
    return nn.{base}(
        *channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
{arguments}        conv.padding_mode,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
'''


def auto_groups(layers: Sequence[LayerArguments]) -> int:
    """The number of groups for several layers, with at least ``MIN_WIDTH`` input and output channels per group.

    32 as in ResNeXt if it divides the channels of all layers, else the largest power of two, so that widths are
    multiples of 8 as in RegNet (arXiv:2003.13678), else the largest divisor. If no number divides all, the one that
    saves the most weights; the other layers stay dense. Each layer must have a valid number of groups.
    """
    possible = _valid_groups(layers)
    if possible:
        even = [g for g in possible if g & (g - 1) == 0]
        return CARDINALITY if CARDINALITY in possible else max(even or possible)
    return max(sorted({g for layer in layers for g in _valid_groups([layer])}), key=lambda g: _saved(layers, g))


def _saved(layers: Sequence[LayerArguments], groups: int) -> float:
    """The number of weights that are saved in the layers that ``groups`` divides."""
    fit = [layer for layer in layers if groups in _valid_groups([layer])]
    return sum(n.window * n.in_channels * n.out_channels for n in fit) * (1 - 1 / groups)


def _valid_groups(layers: Sequence[LayerArguments]) -> list[int]:
    """The valid numbers of groups for all layers."""
    channels = [n for layer in layers for n in (layer.in_channels, layer.out_channels)]
    most = min(channels) // MIN_WIDTH
    common = gcd(*channels)
    return [g for g in range(2, most + 1) if common % g == 0]


def _conditional(call: WrittenCall, given: ast.expr | None, groups: int, condition: str) -> tuple[Edit, ...]:
    """The argument ``groups`` with a condition: in a variable if the line would get too long."""
    dense = "1" if given is None else call_text.source(call, given)
    text = f"{groups} if {condition} else {dense}"
    edits: tuple[Edit, ...] = ()
    longer = len(call.file.lines[(call.node.end_lineno or 1) - 1].rstrip()) + len(f", groups={text}")
    place = Place.of(call) if longer > line_length(call.file.lines) else None
    if place is not None and place.name and (named := place.with_name("groups", "num_groups")):
        edits = (named.assignment(named.name, str(groups), condition, dense),)
        text = named.name
    return (*edits, call.adding(f"groups={text}") if given is None else call.replacing(given, text))


def _by_gcd(call: WrittenCall, groups: int) -> Iterator[Draft]:
    channels = [call.argument("in_channels", 0), call.argument("out_channels", 1)]
    if all(isinstance(c, ast.Name | ast.Attribute | ast.Constant) for c in channels):
        channels_text = ", ".join(ast.unparse(c) for c in channels if c is not None)
        edit = call.adding(f"groups=math.gcd({groups}, {channels_text})")
        start = edit.text.index("math.gcd")
        yield Draft((NamedEdit(edit.site, edit.text, "math", start),), modules=("math",))


def _comparisons(form: Replacement) -> tuple[Comparison, ...]:
    """Comparisons of arguments that may separate the layers that get groups from others."""
    least, groups = max(form.width * form.groups, STEM_CHANNELS + 1), form.groups
    return (
        Comparison("kernel_size", "!= 1", lambda n: n.window > 1),
        Comparison("in_channels", f">= {least}", lambda n: n.in_channels >= least),
        Comparison("out_channels", f">= {least}", lambda n: n.out_channels >= least),
        Comparison("groups", "== 1", lambda n: n.groups == 1),
        Comparison("in_channels", f"% {groups} == 0", lambda n: n.in_channels % groups == 0),
        Comparison("out_channels", f"% {groups} == 0", lambda n: n.out_channels % groups == 0),
    )


def _after_shuffle(draft: Draft, call: WrittenCall, groups: int) -> Draft | None:
    """The draft with a channel shuffle before the convolution, in lines of their own if one gets too long.

    None where the file imports neither torch nor the two classes.
    """
    sequential, shuffle = (class_values.spelled(call.file, name) for name in ("Sequential", "ChannelShuffle"))
    if sequential is None or shuffle is None:
        return None
    start = f"{sequential}({shuffle}({groups}), "
    end = ")"
    line = call.file.lines[call.node.lineno - 1].rstrip()
    longer = len(line) + len(start) + len(f", groups={groups})")
    if longer > line_length(call.file.lines) and call.node.end_lineno == call.node.lineno:
        space = line[: len(line) - len(line.lstrip())]
        start = start.replace("(", f"(\n{space}    ", 1).rstrip() + f"\n{space}    "
        end = f",\n{space})"
    site = call.site
    first = Site(site.path, site.line, site.column, site.line, site.column, site.function)
    last = Site(site.path, site.end_line, site.end_column, site.end_line, site.end_column, site.function)
    return replace(draft, edits=(Edit(first, start), *draft.edits, Edit(last, end)))


def _shared(arguments: LayerArguments, groups: int) -> int:
    return gcd(groups, arguments.in_channels, arguments.out_channels)
