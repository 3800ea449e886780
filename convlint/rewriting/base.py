"""The interface of rewrites: the layers they apply to, the costs afterwards, and the edits of the call."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Protocol

from convlint.ir import Costs, Edit, Graph, IntermediateLayers, Replacement, Site
from convlint.rewriting.layer_use import LayerArguments, LayerUse
from convlint.rewriting.project import Project
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass, field

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")


@dataclass(frozen=True, slots=True)
class KindOptions:
    """User options of the kinds of rewrites; ``groups`` None: as many as possible; ``rank``: a share of channels;
    ``weights``: trained weights are converted; ``between`` None: nothing, or what a block of the project has.
    """

    groups: int | None = None
    pairs: int = 1
    between: IntermediateLayers | None = None
    rank: float | None = None
    weights: bool = False

    @property
    def written_between(self) -> IntermediateLayers:
        """The layers between the convolutions of a new class."""
        return self.between or "none"


@dataclass(frozen=True, slots=True)
class NamedEdit(Edit):
    """An edit whose text has at ``start`` the ``name`` of a helper or module, which is renamed if a file uses it."""

    name: str = ""
    start: int = 0

    def renamed(self, name: str) -> Edit:
        return Edit(self.site, f"{self.text[: self.start]}{name}{self.text[self.start + len(self.name) :]}")


class HelperText(Protocol):
    """Writes the definition of a helper that has these parameters and options. Equal writers write equal texts."""

    def __call__(self, parameters: frozenset[str]) -> str: ...


@dataclass(frozen=True, slots=True)
class Helper:
    """A class or function that a rewritten call needs in its file. Its ``text`` refers to torch.nn as ``nn``.

    Helpers of one ``writer`` in a file become one, with the ``parameters`` of all.
    """

    name: str
    text: str
    writer: HelperText | None = None
    parameters: frozenset[str] = frozenset()

    @staticmethod
    def written(name: str, writer: HelperText, parameters: frozenset[str]) -> Helper:
        return Helper(name, writer(parameters), writer, parameters)

    @property
    def key(self) -> object:
        """Equal for helpers that become one in a file."""
        return (self.name, self.text if self.writer is None else self.writer)

    def with_parameters(self, parameters: frozenset[str]) -> Helper:
        """The helper with these parameters as well, if it is written with parameters."""
        if self.writer is None or parameters <= self.parameters:
            return self
        return Helper.written(self.name, self.writer, self.parameters | parameters)


@dataclass(frozen=True, slots=True)
class Draft:
    """One form of a rewrite in source: edits of its call, and the helpers and modules that they use."""

    edits: tuple[Edit, ...]
    helpers: tuple[Helper, ...] = ()
    modules: tuple[str, ...] = ()


def merged_helpers(drafts: Iterable[Draft]) -> dict[object, Helper]:
    """The helpers of all drafts by what makes them one: those of one writer are one, with the parameters of all."""
    merged: dict[object, Helper] = {}
    for helper in (helper for draft in drafts for helper in draft.helpers):
        merged[helper.key] = merged.setdefault(helper.key, helper).with_parameters(helper.parameters)
    return merged


@dataclass(frozen=True, slots=True)
class EditedCall:
    """A call in the source, and the layers that it builds.

    ``uses`` are layers to rewrite, ``others`` the arguments of all other layers of the call, in this model or in other
    constructor calls of the file. ``through``: the call is of a function that returns the layer, not of its class.
    ``project`` has the classes that may be used instead, and ``together`` are calls whose layers are rewritten as well.
    ``callers`` are the files of the calls that lead to this one.
    """

    site: Site
    call: WrittenCall
    uses: tuple[LayerUse, ...]
    others: tuple[LayerArguments, ...] = ()
    through: bool = False
    project: Project = field(default_factory=lambda: Project("."))
    together: frozenset[Site] = frozenset()
    callers: tuple[str, ...] = ()


class Kind(ABC):
    """Base of all rewrites. The class docstring is the rewrite's page, in Markdown: a summary sentence, then
    ``## What it saves``, ``## What it costs`` and ``## References``, with further sections between them.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    variant_codes: ClassVar[tuple[str, ...]] = ()
    base: ClassVar[str] = "Conv2d"  # the class of torch.nn whose layers are rewritten
    # Whether an argument suffices, so that layers of a user's subclass can be rewritten too.
    keeps_class: ClassVar[bool] = False
    needs_weights: ClassVar[bool] = False  # only of use for trained weights, so tried only with them or by name
    lacks_bias: ClassVar[bool] = False  # whether some convolution of a new layer has no bias
    evidence: ClassVar[str]  # the published effect and its source
    example: ClassVar[Replacement]  # for the page

    @property
    def bases(self) -> tuple[str, ...]:
        """The classes of torch.nn whose layers are rewritten."""
        return (self.base,)

    @classmethod
    def page(cls) -> str:
        """The docstring, cleaned of its indentation."""
        return inspect.cleandoc(cls.__doc__ or "")

    @abstractmethod
    def refusal(self, arguments: LayerArguments, kind_options: KindOptions) -> str | None:
        """The reason why a layer with these arguments is not rewritten; None if it can be."""

    def refusal_in(self, graph: Graph, use: LayerUse) -> str | None:
        """The same for reasons that only the recorded inputs of the layer show."""
        del graph, use
        return None

    @abstractmethod
    def form(self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph) -> Replacement | str:
        """The replacement of all these layers, or the reason why there is none."""

    def alternatives(
        self, uses: Sequence[LayerUse], kind_options: KindOptions, graph: Graph
    ) -> tuple[Replacement, ...]:
        """Replacements of all these layers of different sizes, of which a search for a size chooses."""
        form = self.form(uses, kind_options, graph)
        return () if isinstance(form, str) else (form,)

    def fits(self, arguments: LayerArguments, form: Replacement, kind_options: KindOptions) -> bool:
        """Return whether the edited call may replace a layer with these arguments."""
        del form
        return self.refusal(arguments, kind_options) is None

    @abstractmethod
    def costs(self, use: LayerUse, form: Replacement) -> Costs:
        """The estimated costs of a layer afterwards."""

    @abstractmethod
    def drafts(self, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """Edits of a call, the simplest first. ``all_fit``: every layer that it builds can be rewritten."""

    @abstractmethod
    def title(self, form: Replacement) -> str:
        """The proposal in a few words."""

    @abstractmethod
    def helpers(self, form: Replacement) -> tuple[Helper, ...]:
        """The definitions for a layer of this form; ``expression`` calls the last one."""

    @abstractmethod
    def expression(self, form: Replacement) -> str:
        """An expression for the replacement of the dense layer ``layer``, evaluated where the helpers are defined."""


def dimensions(base: str) -> int:
    """The number of spatial dimensions of a class of torch.nn."""
    return int(base[-2])


def other_base(uses: Sequence[LayerUse]) -> str:
    """The ``base`` of a replacement for these layers: empty for ``Conv2d``."""
    base = uses[0].layer.base if uses else "Conv2d"
    return "" if base == "Conv2d" else base


def is_class_call(call: WrittenCall, base: str) -> bool:
    """Return whether a call names this class of torch.nn, so that its parameters are known."""
    return call.callee.startswith("torch.nn.") and call.callee.rpartition(".")[2] == base


def callee_edit(call: WrittenCall, helper: str) -> Edit:
    """The edit that replaces the callee with a helper."""
    edit = call.replacing(call.node.func, helper)
    return NamedEdit(edit.site, edit.text, helper)


def wrapping_edits(call: WrittenCall, helper: str, *arguments: str) -> tuple[Edit, Edit]:
    """The edits that pass the result of a call to a helper."""
    site = call.site
    start = Site(site.path, site.line, site.column, site.line, site.column, site.function)
    line, column = site.end_line, site.end_column
    end = Site(site.path, line, column, line, column, site.function)
    more = "".join(f", {argument}" for argument in arguments)
    return NamedEdit(start, f"{helper}(", helper), Edit(end, f"{more})")
