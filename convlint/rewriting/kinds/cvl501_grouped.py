"""CVL501: convolutions in groups."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from math import gcd

from convlint.ir import Costs, Graph, Replacement
from convlint.rewriting.base import Draft, Helper, Kind, NamedEdit, Place, Wishes, of_class, wrapped
from convlint.rewriting.layer_numbers import STEM_CHANNELS, Numbers, Use

LEAST_WIDTH = 16  # channels that a group keeps, in and out, where the number of groups is not given
CARDINALITY = 32  # of ResNeXt-50 32x4d, arXiv:1611.05431


class Grouped(Kind):
    """A dense convolution becomes a grouped one: every group of output channels reads its own group
    of input channels.

    ## What it saves

    With g groups a k x k convolution of C to D channels has k²CD/g weights in place of k²CD, and its
    multiply-accumulates shrink by the same factor. The maps, and what training saves of them, stay as
    they are.

    ## What it costs

    Channels of different groups no longer meet in this layer. Something has to mix them: a dense 1x1
    convolution beside it, as in ResNeXt, or a channel shuffle, as in ShuffleNet. CVL307 reports grouped
    layers in a row where nothing does. Fewer multiply-accumulates often are not less time:
    `--measure` tells.

    ## How groups are chosen

    `--groups auto` takes a number that divides the channels of all layers that the call builds and
    leaves each group at least 16 channels: 32 as in ResNeXt where that is possible, else the largest
    power of two, else the largest. Where nothing divides all of them, the layers that save less stay
    dense. `--groups 8` takes exactly 8, whatever the width.

    ## References

    - Xie et al., [ResNeXt](https://arxiv.org/abs/1611.05431)
    - Zhang et al., [ShuffleNet](https://arxiv.org/abs/1707.01083), on mixing the groups
    - Radosavovic et al., [RegNet](https://arxiv.org/abs/2003.13678), on the width of groups
    """

    code = "CVL501"
    name = "grouped"
    keeps_class = True
    usual = Replacement("CVL501", groups=8)
    evidence = (
        "ResNeXt-50 32x4d has 22.2 % top-1 error where ResNet-50 has 23.9 % at equal cost, being wider "
        "(Xie et al. 2017, arXiv:1611.05431); without a shuffle or a dense 1x1 between grouped layers it "
        "is 37.6 % against 32.4 % at 8 groups (ShuffleNet, Zhang et al. 2018, arXiv:1707.01083)"
    )

    def unfit(self, numbers: Numbers, wishes: Wishes) -> str | None:
        """Stems stay dense; groups divide the channels of both sides."""
        channels = f"{numbers.in_channels} and {numbers.out_channels} channels"
        if not numbers.is_dense or numbers.is_stem:
            return _not_meant(numbers)
        if wishes.groups is not None:
            divides = not any(
                n % wishes.groups for n in (numbers.in_channels, numbers.out_channels)
            )
            return None if divides else f"{channels} do not divide into {wishes.groups} groups"
        if not _widths([numbers]):
            return f"{channels} have no groups of {LEAST_WIDTH} channels each"
        return None

    def form(self, uses: Sequence[Use], wishes: Wishes, graph: Graph) -> Replacement | str:
        """As many groups as were asked for; else ``auto_groups``."""
        del graph
        if wishes.groups is not None:
            return Replacement(self.code, groups=wishes.groups)
        return Replacement(
            self.code, groups=auto_groups([use.numbers for use in uses]), width=LEAST_WIDTH
        )

    def fits(self, numbers: Numbers, form: Replacement, wishes: Wishes) -> bool:
        """Whether its channels divide into these groups, and leave them wide enough."""
        del wishes
        channels = (numbers.in_channels, numbers.out_channels)
        dense = numbers.is_dense and not numbers.is_stem
        return dense and all(
            n % form.groups == 0 and n // form.groups >= form.width for n in channels
        )

    def after(self, use: Use, form: Replacement) -> Costs:
        """``k²CD/g`` parameters and MACs; the maps are the same."""
        n, before = use.numbers, use.before
        weights = n.window * n.in_channels * n.out_channels // form.groups
        return Costs(
            weights + n.out_channels * n.bias,
            before.macs // form.groups,
            before.output_bytes,
            before.saved_bytes,
        )

    def drafts(self, place: Place, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """An argument where everything fits, one that asks where not, else a function around the call."""
        if not place.through and place.call.callee:
            yield from _by_argument(place, form.groups, all_fit=all_fit)
        helpers = self.helpers(form)
        yield Draft(wrapped(place.call, "grouped", str(form.groups)), helpers)

    def title(self, form: Replacement) -> str:
        return f"{form.groups} groups"

    def make(self, form: Replacement) -> str:
        return f"grouped(layer, {form.groups})"

    def helpers(self, form: Replacement) -> tuple[Helper, ...]:
        return (Helper("grouped", _function(form)),)


def _function(form: Replacement) -> str:
    """The function that puts a convolution into groups. Where these are to have a width, it sees to that."""
    narrow = f" or min(channels) < {form.width} * groups" if form.width > 1 else ""
    words = f", or leaves a group fewer than {form.width} channels" if form.width > 1 else ""
    return f'''def grouped(conv, groups):
    """`conv` in groups; as it is where that cannot be{words}."""
    if not isinstance(conv, nn.Conv2d) or conv.groups > 1 or max(conv.kernel_size) == 1:
        return conv
    channels = (conv.in_channels, conv.out_channels)
    if channels[0] <= {STEM_CHANNELS}{narrow} or any(n % groups for n in channels):
        return conv
    return nn.Conv2d(
        *channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups,
        conv.bias is not None,
        conv.padding_mode,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
'''


def _not_meant(numbers: Numbers) -> str:
    if numbers.is_stem:
        return f"it reads {numbers.in_channels} channels, as the first layer does"
    return "it is 1x1 or has groups already"


def auto_groups(every: Sequence[Numbers]) -> int:
    """Groups for several layers at once, each of at least 16 channels in and out.

    32 as ResNeXt if that divides the channels of all, else the most that are a power of two, so that widths are
    multiples of 8 as RegNet's are (arXiv:2003.13678), else the most. Where nothing divides all, what saves the most
    weights: the layers that it does not divide stay dense. Each layer by itself must have such groups.
    """
    possible = _widths(every)
    if possible:
        even = [g for g in possible if g & (g - 1) == 0]
        return CARDINALITY if CARDINALITY in possible else max(even or possible)
    single = {g for one in every for g in _widths([one])}
    return max(sorted(single), key=lambda g: _saved(every, g))


def _saved(every: Sequence[Numbers], groups: int) -> float:
    """The weights that so many groups save in the layers that they divide."""
    fit = [one for one in every if groups in _widths([one])]
    return sum(n.window * n.in_channels * n.out_channels for n in fit) * (1 - 1 / groups)


def _widths(every: Sequence[Numbers]) -> list[int]:
    """The numbers of groups that leave every layer's groups wide enough."""
    channels = [n for one in every for n in (one.in_channels, one.out_channels)]
    most = min(channels) // LEAST_WIDTH
    common = gcd(*channels)
    return [g for g in range(2, most + 1) if common % g == 0]


def _by_argument(place: Place, groups: int, *, all_fit: bool) -> Iterator[Draft]:
    """``groups=8`` added, or put in the place of what is written for it."""
    call = place.call
    given = call.argument("groups", 6) if of_class(call, "Conv2d") else _keyword(place, "groups")
    if given is not None:
        text = ast.get_source_segment("".join(call.file.lines), given) or ""
        if isinstance(given, ast.Constant):
            if all_fit:
                yield Draft((call.replacing(given, str(groups)),))
        elif _fit_but_for_groups(place, groups):
            asked = text if isinstance(given, ast.Name | ast.Attribute) else f"({text})"
            yield Draft((call.replacing(given, f"{groups} if {asked} == 1 else {asked}"),))
        return
    if any(keyword.arg is None for keyword in call.node.keywords):
        return  # it may be among those
    if all_fit:
        yield Draft((call.adding(f"groups={groups}"),))
    elif of_class(call, "Conv2d") and all(_stays_by_itself(n, groups) for n in place.others):
        channels = [call.argument("in_channels", 0), call.argument("out_channels", 1)]
        if all(isinstance(c, ast.Name | ast.Attribute | ast.Constant) for c in channels):
            shown = ", ".join(ast.unparse(c) for c in channels if c is not None)
            edit = call.adding(f"groups=math.gcd({groups}, {shown})")
            start = edit.text.index("math.gcd")
            yield Draft((NamedEdit(edit.site, edit.text, "math", start),), modules=("math",))


def _stays_by_itself(numbers: Numbers, groups: int) -> bool:
    """Whether a layer shares no factor with the number of groups, or is to have them as well."""
    shared = gcd(groups, numbers.in_channels, numbers.out_channels)
    return shared == 1 or (shared == groups and numbers.window > 1 and not numbers.is_stem)


def _divides(numbers: Numbers, groups: int) -> bool:
    return not numbers.in_channels % groups and not numbers.out_channels % groups


def _fit_but_for_groups(place: Place, groups: int) -> bool:
    """Whether everything else that the call builds fits, or has groups of its own."""
    return all(
        n.groups > 1 or (n.window > 1 and not n.is_stem and _divides(n, groups))
        for n in place.others
    )


def _keyword(place: Place, name: str) -> ast.expr | None:
    return next((k.value for k in place.call.node.keywords if k.arg == name), None)
