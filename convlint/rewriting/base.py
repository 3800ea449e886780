"""What a rewrite is: which layers it fits, what they take afterwards, and how their call is edited."""

from __future__ import annotations

import ast
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from convlint.ir import Costs, Edit, Graph, IntermediateLayers, Replacement, Site
from convlint.rewriting.layer_numbers import Numbers, Use
from convlint.source_text.call_sites import WrittenCall


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants of a rewrite; ``groups`` None: as many as fit."""

    groups: int | None = None
    pairs: int = 1
    between: IntermediateLayers = "none"


@dataclass(frozen=True, slots=True)
class NamedEdit(Edit):
    """An edit whose text, from character ``start`` on, contains the ``name`` of a helper or module. A file in which
    that name is taken gives it another one.
    """

    name: str = ""
    start: int = 0

    def renamed(self, name: str) -> Edit:
        """The edit with this name instead."""
        end = self.start + len(self.name)
        return Edit(self.site, f"{self.text[: self.start]}{name}{self.text[end:]}")


@dataclass(frozen=True, slots=True)
class Helper:
    """A class or function that a rewritten call needs in its file. Its ``text`` refers to torch.nn as ``nn``."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One way to write a rewrite: edits of its call, and the helpers and modules that they name."""

    edits: tuple[Edit, ...]
    helpers: tuple[Helper, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A call in the source, the layers of the model that it built, and the numbers it gave others.

    ``others``: what else the call builds, in this model or in other ways to build from the file. ``through``: the call
    is of a function that gives the layer, and not of its class.
    """

    site: Site
    call: WrittenCall
    uses: tuple[Use, ...]
    others: tuple[Numbers, ...] = ()
    through: bool = False


class Kind(ABC):
    """Base of all rewrites. The class docstring is the rewrite's page, in Markdown: one sentence that says what it
    does, then ``## What it saves``, ``## What it costs`` and ``## References``, and what else there is to say.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    more_codes: ClassVar[tuple[str, ...]] = ()  # of variants of it
    base: ClassVar[str] = "Conv2d"  # the class of torch.nn whose layers are rewritten
    keeps_class: ClassVar[bool] = (
        False  # an argument can do, so that a class of the user's keeps its forward
    )
    evidence: ClassVar[str]  # the published effect, and where
    usual: ClassVar[Replacement]  # an example, for the page

    @classmethod
    def page(cls) -> str:
        """The docstring, cleaned of its indentation."""
        return inspect.cleandoc(cls.__doc__ or "")

    @abstractmethod
    def unfit(self, numbers: Numbers, wishes: Wishes) -> str | None:
        """Why a layer of these numbers stays as it is, None where the rewrite fits."""

    def unfit_in(self, graph: Graph, use: Use) -> str | None:
        """The same as far as only the run tells: what arrives at the layer."""
        del graph, use
        return None

    @abstractmethod
    def form(self, uses: Sequence[Use], wishes: Wishes, graph: Graph) -> Replacement | str:
        """What all these layers become, or why there is no such form."""

    def fits(self, numbers: Numbers, form: Replacement, wishes: Wishes) -> bool:
        """Whether what is written for a call may make a layer of these numbers so."""
        del form
        return self.unfit(numbers, wishes) is None

    @abstractmethod
    def after(self, use: Use, form: Replacement) -> Costs:
        """What a layer takes afterwards."""

    @abstractmethod
    def drafts(self, place: Place, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
        """How to edit a call, the plainest way first. ``all_fit``: it builds nothing that has to stay as it is."""

    @abstractmethod
    def title(self, form: Replacement) -> str:
        """What is proposed, in a few words."""

    @abstractmethod
    def helpers(self, form: Replacement) -> tuple[Helper, ...]:
        """The definitions that make a layer of this form; the last is called by ``make``."""

    @abstractmethod
    def make(self, form: Replacement) -> str:
        """An expression that makes one in the place of the dense layer ``layer``, where the helpers are defined."""


# --- edits that kinds share


def of_class(call: WrittenCall, base: str) -> bool:
    """Whether a call is written as one of this class of torch.nn, so that its parameters are known."""
    return call.callee.startswith("torch.nn.") and call.callee.rpartition(".")[2] == base


def called(call: WrittenCall, helper: str) -> Edit:
    """The edit that calls a helper instead."""
    edit = call.replacing(call.node.func, helper)
    return NamedEdit(edit.site, edit.text, helper)


def wrapped(call: WrittenCall, helper: str, *arguments: str) -> tuple[Edit, Edit]:
    """The edits that give what a call makes to a helper."""
    site = call.site
    start = Site(site.path, site.line, site.column, site.line, site.column, site.function)
    end = Site(
        *(site.path, site.end_line, site.end_column, site.end_line, site.end_column, site.function)
    )
    more = "".join(f", {argument}" for argument in arguments)
    return NamedEdit(start, f"{helper}(", helper), Edit(end, f"{more})")


def as_class_or_function(
    place: Place, base: str, made: Helper, around: Helper, *, all_fit: bool
) -> Iterator[Draft]:
    """Drafts that call the class ``made`` instead, where everything fits; else ``around`` the call, which decides.

    Groups that are no constant may be others tomorrow, and the class takes none.
    """
    call = place.call
    groups = call.argument("groups", 6)
    constant = groups is None or isinstance(groups, ast.Constant)
    if all_fit and constant and not place.through and of_class(call, base):
        yield Draft((called(call, made.name),), (made,))
    yield Draft(wrapped(call, around.name), (made, around))
