"""The interface of rewrites that split a convolution into smaller ones with fewer channels between them."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from convlint.ir import Graph, Replacement, Shape
from convlint.rewriting import conv_calls, layer_reads
from convlint.rewriting.base import (
    CONVOLUTIONS,
    Draft,
    EditedCall,
    Helper,
    Kind,
    KindOptions,
    callee_edit,
    is_class_call,
    wrapping_edits,
)
from convlint.rewriting.layer_use import LayerArguments, LayerUse
from convlint.support.dataclass import replace

PARTS = 16  # of the channels, in which the rank of a call that builds several layers is given
DEFAULT_PARTS = 6  # a quarter to a half of the channels keeps most of trained weights
SEARCHED_PARTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
_GROUPS = 6  # the position of the parameter ``groups``, and in the classes below the first that they cannot pass on


class RankKind(Kind):
    """A rewrite with ranks: the number of channels between the convolutions that replace one."""

    needs_weights = True
    lacks_bias = True
    last_child: ClassVar[str]
    verb: ClassVar[str]  # the name of the function that converts a layer begins with it
    prefix: ClassVar[str]  # of the class for each class of torch.nn

    @property
    def bases(self) -> tuple[str, ...]:
        """Convolutions and transposed convolutions."""
        return CONVOLUTIONS

    def refusal(self, arguments: LayerArguments, kind_options: KindOptions) -> str | None:
        """First layers and 1x1 layers stay, and depthwise ones, and layers without a rank that saves parameters."""
        del kind_options
        n = arguments
        if n.is_stem:
            return f"it has {n.in_channels} input channels, like a first layer"
        if n.window == 1:
            return "it is 1x1"
        if min(n.in_channels, n.out_channels) < 2 * n.groups:
            return "it is depthwise: each group has one channel"
        if n.padding_mode != "zeros":
            return f"padding_mode={n.padding_mode!r} pads copies of the maps, whose number is not estimated"
        if self.params(n, self.smallest(n)) >= n.window * n.in_channels * n.out_channels // n.groups:
            return f"{n.in_channels} to {n.out_channels} channels would not have fewer parameters at any rank"
        return None

    @abstractmethod
    def widths(self, arguments: LayerArguments) -> Shape:
        """The numbers of channels of which each rank is a part."""

    @abstractmethod
    def params(self, arguments: LayerArguments, ranks: Shape) -> int:
        """The number of weights at these ranks, without the bias."""

    def smallest(self, arguments: LayerArguments) -> Shape:
        """Rank one in each group."""
        return tuple(arguments.groups for _ in self.widths(arguments))

    def ranks(self, arguments: LayerArguments, form: Replacement) -> Shape:
        """The ranks of a form for a layer: multiples of its groups, at least one channel a group."""
        if not form.per:
            return form.ranks
        g = arguments.groups
        widths = self.widths(arguments)
        return tuple(max(g, n // g * rank // form.per * g) for n, rank in zip(widths, form.ranks, strict=True))

    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        """A share of the channels: given, or three eighths."""
        del graph
        parts = DEFAULT_PARTS if kind_options.rank is None else max(1, round(kind_options.rank * PARTS))
        return self._of_parts(uses, parts)

    def alternatives(
        self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph
    ) -> tuple[Replacement, ...]:
        """From a sixteenth of the channels to three quarters."""
        if kind_options.rank is not None:
            return super().alternatives(uses, kind_options, graph)
        forms = (self._of_parts(uses, parts) for parts in SEARCHED_PARTS)
        found = dict.fromkeys(form for form in forms if isinstance(form, Replacement))
        return tuple(form for form in found if any(self.fits(use.arguments, form, kind_options) for use in uses))

    def _of_parts(self, uses: Sequence[LayerUse], parts: int) -> Replacement | str:
        """The form with this share of the channels; in channels if all layers have the same number of them."""
        arguments = [use.arguments for use in uses]
        if len({n.groups for n in arguments}) > 1:
            return "its layers have different numbers of groups"
        count = len(self.widths(arguments[0]))
        form = Replacement(
            self.code, groups=arguments[0].groups, ranks=(parts,) * count, per=PARTS, base=uses[0].layer.base
        )
        sizes = {(n.in_channels, n.out_channels) for n in arguments}
        return form if len(sizes) > 1 else replace(form, ranks=self.ranks(arguments[0], form), per=0)

    def fits(self, arguments: LayerArguments, form: Replacement, kind_options: KindOptions) -> bool:
        """Return whether the ranks are below its channels, and save parameters."""
        n = arguments
        if self.refusal(n, kind_options) or n.transposed != ("Transpose" in form.base):
            return False
        ranks = self.ranks(n, form)
        if any(rank % n.groups or rank > width for rank, width in zip(ranks, self.widths(n), strict=True)):
            return False
        return self.params(n, ranks) < n.window * n.in_channels * n.out_channels // n.groups

    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """The class with its ranks, where it can take the arguments of the call; else a function around the call.

        Later drafts serve code that reads the weight of the layer: that of its last convolution afterwards.
        """
        found = list(self._drafts(edited, form, all_fit=all_fit))
        yield from found
        if all_fit and (reads := layer_reads.of_child(edited.call, self.last_child, layer_reads.OF_LAST)):
            yield from (replace(draft, edits=(*draft.edits, *reads)) for draft in found)

    def _drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        call = edited.call
        keywords = {keyword.arg for keyword in call.node.keywords}
        simple = not call.unpacks and not keywords & {"groups", "device", "dtype"} and len(call.node.args) <= _GROUPS
        if simple and self.takes(edited) and not edited.through and is_class_call(call, form.base):
            ranks = _written_ranks(edited, form)
            if ranks is not None and not all_fit:
                fits = [self.fits(other, form, KindOptions()) for other in edited.others]
                yield from conv_calls.draft_of_some(
                    edited, form.base, self.class_helper(form), (f"ranks={ranks}",), fits
                )
            elif ranks is not None:
                edits = (callee_edit(call, self.prefix + form.base), call.adding(f"ranks={ranks}"))
                yield Draft(edits, (self.class_helper(form),))
        yield Draft(wrapping_edits(call, self.function(form), _tuple(form.ranks)), self.helpers(form))

    def takes(self, edited: EditedCall) -> bool:
        """Return whether the class has the arguments of a call, apart from those that none has."""
        del edited
        return True

    @abstractmethod
    def class_helper(self, form: Replacement) -> Helper:
        """The class that a call without groups is changed to."""

    def expression(self, form: Replacement) -> str:
        return f"{self.function(form)}(layer, {form.ranks})"

    def function(self, form: Replacement) -> str:
        """The name of the function that converts a layer."""
        return f"{self.verb}_{form.base.lower()}" + ("_by_share" if form.per else "")

    def helpers(self, form: Replacement) -> tuple[Helper, ...]:
        """The function that converts a layer; it builds what the class builds."""
        return (Helper(self.function(form), self.function_text(form)),)

    @abstractmethod
    def function_text(self, form: Replacement) -> str:
        """The definition of the function."""


def _tuple(numbers: Shape) -> str:
    return f"({', '.join(map(str, numbers))}{',' if len(numbers) == 1 else ''})"


def _written_ranks(edited: EditedCall, form: Replacement) -> str | None:
    """The ranks as an argument of a call; None if the channels that they are parts of are not written simply."""
    if not form.per:
        return _tuple(form.ranks)
    given = [edited.call.argument("in_channels", 0), edited.call.argument("out_channels", 1)]
    if len(form.ranks) == 1:
        given = given[1:]
    if not all(isinstance(node, ast.Name | ast.Attribute | ast.Constant) for node in given):
        return None
    parts = [
        f"max(1, {ast.unparse(node)} * {rank} // {form.per})"
        for node, rank in zip(given, form.ranks, strict=True)
        if node
    ]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
