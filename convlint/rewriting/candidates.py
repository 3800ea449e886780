"""Candidates for rewrites of a recorded model: calls, their layers, and edits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from convlint.ir import Graph, Layer, LayerChange, OtherCall, Refusal, Replacement, Site
from convlint.rewriting import bias_guards, class_names, functional
from convlint.rewriting.base import Draft, EditedCall, Kind, KindOptions
from convlint.rewriting.fitting import by_call, fitting, fitting_calls, own_forward
from convlint.rewriting.layer_use import LayerArguments, LayerUse, layer_arguments, layer_use
from convlint.rewriting.project import Project
from convlint.rewriting.unsupported import matches_pattern, unsupported
from convlint.source_text import call_sites
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass, replace


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rewrite of one call: the changes of its layers, and ``drafts`` of edits, the simplest first.

    Without ``place`` it is a single layer of a live model, which has no source. If every draft fails, ``fallback`` is
    tried, or ``otherwise`` is the reason to report.
    """

    kind: Kind
    place: EditedCall | None
    form: Replacement
    changes: tuple[LayerChange, ...]
    drafts: tuple[Draft, ...]
    otherwise: str | None = None
    fallback: Candidate | None = None

    @property
    def site(self) -> Site | None:
        return self.place.site if self.place else None


Results = Iterator[Candidate | Refusal]


def find_candidates(
    graph: Graph,
    other_calls: Sequence[OtherCall],
    project: Project,
    kinds: Iterable[Kind],
    kind_options: KindOptions,
    patterns: Sequence[str] = (),
) -> tuple[list[Candidate], list[Refusal]]:
    """All possible rewrites, and the refusals. ``patterns``: names of layers to rewrite, all if empty."""
    kinds = tuple(kinds)
    found, refused = _separated(
        result
        for kind in kinds
        for together in [fitting_calls(graph, kind, kind_options, patterns)]
        for group in by_call(graph, kind, patterns)
        for result in _Call(group, graph, kind, kind_options, patterns, project, other_calls, together).results()
    )
    calls, others = _separated(
        each if isinstance(each, Refusal) else Candidate(each.kind, each.place, each.form, each.changes, (each.draft,))
        for each in functional.rewrites(graph, kinds, kind_options, patterns, project)
    )
    return [*found, *calls], [*refused, *unsupported(graph, kinds, patterns), *others]


def live_candidates(
    graph: Graph, kinds: Iterable[Kind], kind_options: KindOptions, patterns: Sequence[str] = ()
) -> tuple[list[Candidate], list[Refusal]]:
    """The same for a live model, layer by layer."""
    kinds = tuple(kinds)
    found, refused = _separated(
        result
        for kind in kinds
        for group in by_call(graph, kind, patterns)
        for layer in group
        for result in _live(layer, graph, kind, kind_options, patterns)
    )
    others = functional.refusals(graph, kinds, patterns)
    return found, [*refused, *unsupported(graph, kinds, patterns), *others]


def drafts_of(kind: Kind, edited: EditedCall, form: Replacement, *, all_fit: bool) -> Iterator[Draft]:
    """The drafts of a kind, with what code that initialises convolutions needs: other names, and conditions."""
    guards = bias_guards.of_files(edited, form.base or kind.base) if kind.lacks_bias else ()
    for draft in class_names.without_conv(kind.drafts(edited, form, all_fit=all_fit), edited):
        yield replace(draft, edits=(*draft.edits, *guards))


def _separated(results: Results) -> tuple[list[Candidate], list[Refusal]]:
    found = list(results)
    return [r for r in found if isinstance(r, Candidate)], [r for r in found if isinstance(r, Refusal)]


def _change(use: LayerUse, form: Replacement, kind: Kind) -> LayerChange:
    """The costs before and after; a frozen layer saves no map for backward, because its weight gets no gradient."""
    after = kind.costs(use, form)
    if use.layer.params and not use.layer.trainable_params:
        after = replace(after, saved_bytes=use.before.saved_bytes)
    return LayerChange(use.layer.name, form, use.before, after)


def _live(layer: Layer, graph: Graph, kind: Kind, kind_options: KindOptions, patterns: Sequence[str]) -> Results:
    """The candidate or refusal of one layer of a live model."""
    if not matches_pattern(layer.name, patterns):
        return
    fit, unfit = fitting(graph, [layer], kind, kind_options)
    for reason in unfit:
        yield Refusal(kind.code, None, (layer.name,), reason)
    for use in fit:
        form = own_forward(layer, kind) or kind.form([use], kind_options, graph)
        if isinstance(form, str):
            yield Refusal(kind.code, None, (layer.name,), form)
            continue
        change = _change(use, form, kind)
        yield Candidate(kind, None, form, (change,), (Draft(()),))


@dataclass(frozen=True)
class _Call:
    """The layers that one call built, and one kind of rewrite."""

    layers: list[Layer]
    graph: Graph
    kind: Kind
    kind_options: KindOptions
    patterns: Sequence[str]
    project: Project
    other_calls: Sequence[OtherCall]
    together: frozenset[Site]

    @property
    def site(self) -> Site | None:
        return self.layers[0].site

    @property
    def base(self) -> str:
        """The class of torch.nn of the layers."""
        return self.layers[0].base

    def results(self) -> Results:
        """A candidate for the layers that can be rewritten, and refusals for the others."""
        selected = [layer for layer in self.layers if matches_pattern(layer.name, self.patterns)]
        fit, unfit = fitting(self.graph, selected, self.kind, self.kind_options)
        for reason, names in unfit.items():
            yield Refusal(self.kind.code, self.site, tuple(names), reason)
        if not fit:
            return
        if (refusal := self._cannot_edit(fit[0].layer)) is not None:
            yield from self._from_outside(fit, refusal)
            return
        form = self.kind.form(fit, self.kind_options, self.graph)
        if isinstance(form, str):
            yield self._refused(fit, form)
            return
        names_fit = {use.layer.name for use in fit}
        rest = [layer_use(self.graph, each) for each in self.layers if each.name not in names_fit]
        if misfits := [use for use in fit if not self._fits(use, form)]:
            yield self._refused(misfits, f"{self.kind.title(form)}, best for this call, do not fit")
        fit = [use for use in fit if use not in misfits]
        also = [use for use in rest if self._only_in_training(use, form)]
        rest = [*misfits, *(use for use in rest if use not in also)]
        if any(self._fits(use, form) for use in rest):
            yield from self._one_call_further_out([*fit, *also], rest)
        else:
            others = (*(use.arguments for use in rest), *self._built_elsewhere())
            yield self._candidate(self.site, [*fit, *also], others, form)

    def _fits(self, use: LayerUse, form: Replacement) -> bool:
        return self.kind.fits(use.arguments, form, self.kind_options)

    def _only_in_training(self, use: LayerUse, form: Replacement) -> bool:
        """Return whether a layer was not called, like an auxiliary head, and is rewritten with those that were."""
        uncalled = not use.calls and matches_pattern(use.layer.name, self.patterns)
        return uncalled and not self.kind.refusal(use.arguments, self.kind_options) and self._fits(use, form)

    def _built_elsewhere(self) -> Iterator[LayerArguments]:
        """The arguments that this call receives from other constructor calls of the file."""
        assert self.site is not None
        here = replace(self.site, function="")
        for built in (built for call in self.other_calls for built in call.built):
            if built.kind == self.base and replace(built.site, function="") == here:
                yield layer_arguments(built.attrs, built.kind)

    def _refused(self, uses: Sequence[LayerUse], reason: str) -> Refusal:
        return Refusal(self.kind.code, self.site, tuple(use.layer.name for use in uses), reason)

    def _cannot_edit(self, layer: Layer) -> str | None:
        """The reason why the call that built a layer cannot be edited; None if it can."""
        if layer.site is None:
            return "it is not known where it was built"
        if refusal := self.project.refusal(layer.site, layer.chain):
            return refusal
        call = call_sites.at(layer.site, self.project.texts)
        if call is None:
            return f"{layer.site} is not a call that can be edited"
        if name := _evaluator(call):
            return f"its code was generated at run time ({name}) and is not in a file"
        if self.kind.keeps_class and not layer.kind.startswith("Parametrized"):
            return None
        return own_forward(layer, self.kind)

    def _candidate(
        self,
        site: Site | None,
        uses: Sequence[LayerUse],
        others: Iterable[LayerArguments],
        form: Replacement,
        *,
        through: bool = False,
    ) -> Candidate:
        call = call_sites.at(site, self.project.texts) if site else None
        assert call is not None
        callers = dict.fromkeys(outer.path for use in uses for outer in use.layer.chain)
        rest = tuple(dict.fromkeys(others))
        place = EditedCall(call.site, call, tuple(uses), rest, through, self.project, self.together, tuple(callers))
        all_fit = all(self.kind.fits(other, form, self.kind_options) for other in place.others)
        drafts = tuple(drafts_of(self.kind, place, form, all_fit=all_fit))
        if uses[0].layer.kind != self.base:  # a helper would replace the subclass
            drafts = tuple(draft for draft in drafts if not draft.helpers)
        changes = (_change(use, form, self.kind) for use in uses)
        return Candidate(self.kind, place, form, tuple(changes), drafts)

    def _from_outside(self, fit: Sequence[LayerUse], refusal: str) -> Results:
        """Candidates for layers that a function outside of the project built and returned to a call in it."""
        names = {use.layer.name for use in fit}
        for site, group in _by_outer_call(fit).items():
            form = self.kind.form(group, self.kind_options, self.graph)
            if self._can_wrap(site) and group[0].layer.kind == self.base and not isinstance(form, str):
                rest = [
                    layer_use(self.graph, layer)
                    for layer in self.graph.layers
                    if layer.base == self.base and layer.chain[:1] == (site,) and layer.name not in names
                ]
                if not any(self._fits(use, form) for use in rest):
                    candidate = self._candidate(site, group, [use.arguments for use in rest], form, through=True)
                    yield replace(candidate, otherwise=refusal)
                    continue
            yield self._refused(group, refusal)

    def _one_call_further_out(self, fit: Sequence[LayerUse], rest: Sequence[LayerUse]) -> Results:
        """Candidates for a call that also builds layers that cannot be rewritten: outer calls may separate them."""
        kept = {use.layer.chain[:1] for use in rest}
        names = ", ".join(use.layer.name for use in rest[:3])
        for site, group in _by_outer_call(fit).items():
            form = self.kind.form(group, self.kind_options, self.graph)
            if self._can_wrap(site) and (site,) not in kept and not isinstance(form, str):
                yield self._candidate(site, group, (), form, through=True)
            else:
                yield self._refused(group, f"the same call also builds {names}, which cannot be rewritten")

    def _can_wrap(self, site: Site | None) -> bool:
        if site is None or self.project.refusal(site) is not None:
            return False
        return call_sites.at(site, self.project.texts) is not None


def _evaluator(call: WrittenCall) -> str | None:
    """``exec`` or ``eval``, if the call is one of them."""
    function = call.node.func
    return function.id if isinstance(function, ast.Name) and function.id in ("exec", "eval") else None


def _by_outer_call(uses: Sequence[LayerUse]) -> dict[Site | None, list[LayerUse]]:
    groups: dict[Site | None, list[LayerUse]] = {}
    for use in uses:
        groups.setdefault(use.layer.chain[0] if use.layer.chain else None, []).append(use)
    return groups
