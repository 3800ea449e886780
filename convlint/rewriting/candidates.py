"""From a recorded model to rewrites that could be made: which call, which layers, which edits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from convlint.ir import Graph, Layer, LayerChange, OtherCall, Refusal, Replacement, Site
from convlint.rewriting.base import Draft, Kind, Place, Wishes
from convlint.rewriting.layer_numbers import Numbers, Use, numbers, use
from convlint.rewriting.project import Project
from convlint.source_text import call_sites
from convlint.source_text.call_sites import WrittenCall


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rewrite of one call: what becomes of its layers, and how it may be written, the plainest way first.

    Without ``place`` it is a single layer of a live model, which no text stands for. ``otherwise`` is why the layers
    stay as they are if this does not work.
    """

    kind: Kind
    place: Place | None
    form: Replacement
    changes: tuple[LayerChange, ...]
    drafts: tuple[Draft, ...]
    otherwise: str | None = None

    @property
    def site(self) -> Site | None:
        return self.place.site if self.place else None


Found = Iterator[Candidate | Refusal]


def candidates(
    graph: Graph,
    ways: Sequence[OtherCall],
    project: Project,
    kinds: Iterable[Kind],
    wishes: Wishes,
    patterns: Sequence[str] = (),
) -> tuple[list[Candidate], list[Refusal]]:
    """Every rewrite that could be made, and what cannot be rewritten. ``patterns``: only layers so named."""
    found = [
        one
        for kind in kinds
        for group in _by_call(graph, kind, patterns)
        for one in _Call(group, graph, kind, wishes, patterns, project, ways).judged()
    ]
    return _sorted_out(found)


def of_live_model(
    graph: Graph, kinds: Iterable[Kind], wishes: Wishes, patterns: Sequence[str] = ()
) -> tuple[list[Candidate], list[Refusal]]:
    """The same for a model that was built already: every layer for itself."""
    found = [
        one
        for kind in kinds
        for group in _by_call(graph, kind, patterns)
        for layer in group
        for one in _live(layer, graph, kind, wishes, patterns)
    ]
    return _sorted_out(found)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a layer's name is meant by ``--layer``; all are where there is none."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _sorted_out(found: list[Candidate | Refusal]) -> tuple[list[Candidate], list[Refusal]]:
    return (
        [one for one in found if isinstance(one, Candidate)],
        [one for one in found if isinstance(one, Refusal)],
    )


def _by_call(graph: Graph, kind: Kind, patterns: Sequence[str]) -> Iterator[list[Layer]]:
    """The layers of each construction call that builds one of interest."""
    groups: dict[Site | None, list[Layer]] = {}
    for layer in graph.layers:
        if layer.base == kind.base:
            groups.setdefault(layer.site, []).append(layer)
    for group in groups.values():
        wanted = [layer for layer in group if matches(layer.name, patterns)]
        if any(_of_interest(graph, layer, kind) for layer in wanted):
            yield group


def _of_interest(graph: Graph, layer: Layer, kind: Kind) -> bool:
    """Whether a layer could be cheaper at all, so that it is worth a word if it stays as it is."""
    one = use(graph, layer)
    if kind.base != "Conv2d":
        return kind.unfit_in(graph, one) is None
    return one.numbers.is_dense and not one.numbers.is_stem and bool(one.calls)


def _fitting(
    graph: Graph, layers: Iterable[Layer], kind: Kind, wishes: Wishes
) -> tuple[list[Use], dict[str, list[str]]]:
    """The layers that a rewrite fits, and those that it does not, by the reason. Of what was never meant, as a
    1x1 convolution, nothing is said.
    """
    fit: list[Use] = []
    unfit: dict[str, list[str]] = {}
    for layer in layers:
        one = use(graph, layer)
        reason = kind.unfit(one.numbers, wishes) or kind.unfit_in(graph, one)
        if reason is None and one.calls:
            fit.append(one)
        elif reason is not None and _of_interest(graph, layer, kind):
            unfit.setdefault(reason, []).append(layer.name)
    return fit, unfit


def _own_forward(layer: Layer, kind: Kind) -> str | None:
    """Why a layer of a class of its own stays as it is, None for one of torch.nn's."""
    if layer.kind == layer.base:
        return None
    if layer.kind == f"Parametrized{layer.base}":
        return "its weight is parametrised, as by weight_norm, and that of a new layer would not be"
    return (
        f"{layer.kind} is a {layer.base} with a forward of its own, which a {kind.name} layer "
        "would not have"
    )


def _live(layer: Layer, graph: Graph, kind: Kind, wishes: Wishes, patterns: Sequence[str]) -> Found:
    """What can be made of one layer of a live model."""
    if not matches(layer.name, patterns):
        return
    fit, unfit = _fitting(graph, [layer], kind, wishes)
    for reason in unfit:
        yield Refusal(kind.code, None, (layer.name,), reason)
    for one in fit:
        form = _own_forward(layer, kind) or kind.form([one], wishes, graph)
        if isinstance(form, str):
            yield Refusal(kind.code, None, (layer.name,), form)
            continue
        change = LayerChange(layer.name, form, one.before, kind.after(one, form))
        yield Candidate(kind, None, form, (change,), (Draft(()),))


@dataclass(frozen=True)
class _Call:
    """The layers that one call built, to be judged for one kind of rewrite."""

    layers: list[Layer]
    graph: Graph
    kind: Kind
    wishes: Wishes
    patterns: Sequence[str]
    project: Project
    ways: Sequence[OtherCall]

    @property
    def site(self) -> Site | None:
        return self.layers[0].site

    def judged(self) -> Found:
        """What can be made of them, and why the others stay."""
        wanted = [layer for layer in self.layers if matches(layer.name, self.patterns)]
        fit, unfit = _fitting(self.graph, wanted, self.kind, self.wishes)
        for reason, names in unfit.items():
            yield Refusal(self.kind.code, self.site, tuple(names), reason)
        if not fit:
            return
        if (refusal := self._cannot_edit(fit[0].layer)) is not None:
            yield from self._from_outside(fit, refusal)
            return
        form = self.kind.form(fit, self.wishes, self.graph)
        if isinstance(form, str):
            yield self._refused(fit, form)
            return
        names_fit = {one.layer.name for one in fit}
        rest = [use(self.graph, each) for each in self.layers if each.name not in names_fit]
        if stay := [one for one in fit if not self._fits(one, form)]:
            yield self._refused(stay, f"{self.kind.title(form)}, best for this call, do not fit")
        fit = [one for one in fit if one not in stay]
        also = [one for one in rest if self._only_in_training(one, form)]
        rest = [*stay, *(one for one in rest if one not in also)]
        if any(self._fits(one, form) for one in rest):
            yield from self._one_call_further_out([*fit, *also], rest)
        else:
            others = (*(one.numbers for one in rest), *self._built_elsewhere())
            yield self._candidate(self.site, [*fit, *also], others, form)

    def _fits(self, one: Use, form: Replacement) -> bool:
        return self.kind.fits(one.numbers, form, self.wishes)

    def _only_in_training(self, one: Use, form: Replacement) -> bool:
        """Whether a layer, as of an auxiliary head, was not called and is rewritten with those that were."""
        meant = not one.calls and matches(one.layer.name, self.patterns)
        return meant and not self.kind.unfit(one.numbers, self.wishes) and self._fits(one, form)

    def _built_elsewhere(self) -> Iterator[Numbers]:
        """The numbers that other ways to build give this call."""
        assert self.site is not None
        here = replace(self.site, function="")
        for built in (built for way in self.ways for built in way.built):
            if built.kind == self.kind.base and replace(built.site, function="") == here:
                yield numbers(built.attrs)

    def _refused(self, uses: Sequence[Use], reason: str) -> Refusal:
        return Refusal(self.kind.code, self.site, tuple(one.layer.name for one in uses), reason)

    def _cannot_edit(self, layer: Layer) -> str | None:
        """Why the call that built a layer cannot be edited."""
        if layer.site is None:
            return "nothing tells where it was built"
        refusal = self.project.refusal(layer.site, layer.chain)
        if refusal is not None:
            return refusal
        call = call_sites.at(layer.site, self.project.texts)
        if call is None:
            return f"{layer.site} is no call that could be edited"
        if name := _runs_text(call):
            return f"its code was made while the program ran ({name}), and stands in no file"
        if self.kind.keeps_class and not layer.kind.startswith("Parametrized"):
            return None
        return _own_forward(layer, self.kind)

    def _candidate(
        self,
        site: Site | None,
        uses: Sequence[Use],
        others: Iterable[Numbers],
        form: Replacement,
        *,
        through: bool = False,
    ) -> Candidate:
        call = call_sites.at(site, self.project.texts) if site else None
        assert call is not None
        place = Place(call.site, call, tuple(uses), tuple(dict.fromkeys(others)), through)
        all_fit = all(self.kind.fits(other, form, self.wishes) for other in place.others)
        drafts = tuple(self.kind.drafts(place, form, all_fit=all_fit))
        if (
            uses[0].layer.kind != self.kind.base
        ):  # a function of ours would make a plain layer of it
            drafts = tuple(draft for draft in drafts if not draft.helpers)
        changes = (
            LayerChange(one.layer.name, form, one.before, self.kind.after(one, form))
            for one in uses
        )
        return Candidate(self.kind, place, form, tuple(changes), drafts)

    # --- calls of functions that give a layer

    def _from_outside(self, fit: Sequence[Use], refusal: str) -> Found:
        """A layer that a function outside of the project made, and gave back at once to a call in it."""
        names = {one.layer.name for one in fit}
        for site, group in _by_outer_call(fit).items():
            form = self.kind.form(group, self.wishes, self.graph)
            plain = group[0].layer.kind == self.kind.base
            if self._can_be_put_around(site) and plain and not isinstance(form, str):
                rest = [
                    use(self.graph, layer)
                    for layer in self.graph.layers
                    if layer.base == self.kind.base
                    and layer.chain[:1] == (site,)
                    and layer.name not in names
                ]
                if not any(self._fits(one, form) for one in rest):
                    others = [one.numbers for one in rest]
                    made = self._candidate(site, group, others, form, through=True)
                    yield replace(made, otherwise=refusal)
                    continue
            yield self._refused(group, refusal)

    def _one_call_further_out(self, fit: Sequence[Use], rest: Sequence[Use]) -> Found:
        """Layers of a call that also builds some which must stay: a call of the function around it may tell them
        apart.
        """
        kept = {one.layer.chain[:1] for one in rest}
        shown = ", ".join(one.layer.name for one in rest[:3])
        for site, group in _by_outer_call(fit).items():
            form = self.kind.form(group, self.wishes, self.graph)
            apart = self._can_be_put_around(site) and (site,) not in kept
            if apart and not isinstance(form, str):
                yield self._candidate(site, group, (), form, through=True)
            else:
                reason = f"the same call also builds {shown}, and that is to stay as it is"
                yield self._refused(group, reason)

    def _can_be_put_around(self, site: Site | None) -> bool:
        return (
            site is not None
            and self.project.refusal(site) is None
            and call_sites.at(site, self.project.texts) is not None
        )


def _runs_text(call: WrittenCall) -> str | None:
    """``exec`` or ``eval`` where that is called."""
    function = call.node.func
    return (
        function.id if isinstance(function, ast.Name) and function.id in ("exec", "eval") else None
    )


def _by_outer_call(uses: Sequence[Use]) -> dict[Site | None, list[Use]]:
    groups: dict[Site | None, list[Use]] = {}
    for one in uses:
        outer = one.layer.chain[0] if one.layer.chain else None
        groups.setdefault(outer, []).append(one)
    return groups
