"""From a recorded model to rewrites that could be made: which call, which layers, which edits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from convlint import calls
from convlint.model import Change, Form, Graph, Layer, Refusal, Site, Way
from convlint.rewriting.kind import Draft, Kind, Place, Wishes
from convlint.rewriting.numbers import Numbers, Use, numbers, use
from convlint.rewriting.project import Project


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rewrite of one call: what becomes of its layers, and how it may be written, the plainest way first.

    Without ``place`` it is a single layer of a live model, which no text stands for. ``otherwise`` is why the layers
    stay as they are if this does not work.
    """

    kind: Kind
    place: Place | None
    form: Form
    changes: tuple[Change, ...]
    drafts: tuple[Draft, ...]
    otherwise: str | None = None

    @property
    def site(self) -> Site | None:
        return self.place.site if self.place else None


def candidates(
    graph: Graph,
    ways: Sequence[Way],
    project: Project,
    kinds: Iterable[Kind],
    wishes: Wishes,
    patterns: Sequence[str] = (),
) -> tuple[list[Candidate], list[Refusal]]:
    """Every rewrite that could be made, and what cannot be rewritten. ``patterns``: only layers so named."""
    found: list[Candidate] = []
    refused: list[Refusal] = []
    for kind in kinds:
        for group in _by_call(graph, kind, patterns):
            for outcome in _judged(group, graph, ways, project, kind, wishes, patterns):
                if isinstance(outcome, Candidate):
                    found.append(outcome)
                else:
                    refused.append(outcome)
    return found, refused


def of_live_model(
    graph: Graph, kinds: Iterable[Kind], wishes: Wishes, patterns: Sequence[str] = ()
) -> tuple[list[Candidate], list[Refusal]]:
    """The same for a model that was built already: every layer for itself."""
    found: list[Candidate] = []
    refused: list[Refusal] = []
    for kind in kinds:
        layers = [each for group in _by_call(graph, kind, patterns) for each in group]
        fit, unfit = _fitting(
            graph, [each for each in layers if matches(each.name, patterns)], kind, wishes
        )
        refused += [Refusal(kind.code, None, tuple(names), why) for why, names in unfit.items()]
        for one in fit:
            form = kind.form([one], wishes, graph)
            if one.layer.kind != kind.base:
                form = _own_forward(one.layer, kind)
            if isinstance(form, str):
                refused.append(Refusal(kind.code, None, (one.layer.name,), form))
                continue
            change = Change(one.layer.name, form, one.before, kind.after(one, form))
            found.append(Candidate(kind, None, form, (change,), (Draft(()),)))
    return found, refused


def _by_call(graph: Graph, kind: Kind, patterns: Sequence[str]) -> Iterator[list[Layer]]:
    """The layers of each construction call that builds one of interest."""
    groups: dict[Site | None, list[Layer]] = {}
    for layer in graph.layers:
        if layer.base == kind.base:
            groups.setdefault(layer.site, []).append(layer)
    for group in groups.values():
        if any(
            _of_interest(graph, layer, kind) and matches(layer.name, patterns) for layer in group
        ):
            yield group


def _of_interest(graph: Graph, layer: Layer, kind: Kind) -> bool:
    if kind.base != "Conv2d":
        return kind.unfit_in(graph, use(graph, layer)) is None
    n = numbers(layer.attrs)
    return n.is_dense and not n.is_stem and bool(use(graph, layer).calls)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a layer's name is meant by ``--layer``; all are where there is none."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


# --- one call


def _judged(
    group: list[Layer],
    graph: Graph,
    ways: Sequence[Way],
    project: Project,
    kind: Kind,
    wishes: Wishes,
    patterns: Sequence[str],
) -> Iterator[Candidate | Refusal]:
    site = group[0].site
    wanted = [layer for layer in group if matches(layer.name, patterns)]
    fit, unfit = _fitting(graph, wanted, kind, wishes)
    for reason, unfitting in unfit.items():
        yield Refusal(kind.code, site, tuple(unfitting), reason)
    if not fit:
        return
    names = tuple(one.layer.name for one in fit)
    refusal = _cannot_edit(fit[0].layer, project, kind)
    if refusal is not None:
        yield from _from_outside(fit, graph, project, kind, wishes, refusal)
        return
    assert site is not None
    rest = [use(graph, layer) for layer in group if layer.name not in names]
    form = kind.form(fit, wishes, graph)
    if isinstance(form, str):
        yield Refusal(kind.code, site, names, form)
        return
    stay = [one for one in fit if not kind.fits(one.numbers, form, wishes)]
    if stay:
        left = tuple(one.layer.name for one in stay)
        yield Refusal(kind.code, site, left, f"{kind.title(form)}, best for this call, do not fit")
        fit = [one for one in fit if one not in stay]
        rest += stay
    uncalled = [
        one
        for one in rest
        if not one.calls
        and matches(one.layer.name, patterns)
        and kind.unfit(one.numbers, wishes) is None
        and kind.fits(one.numbers, form, wishes)
    ]  # an auxiliary head runs in training only, and is built by the same call
    fit, rest = [*fit, *uncalled], [one for one in rest if one not in uncalled]
    if any(kind.fits(one.numbers, form, wishes) for one in rest):
        yield from _one_call_further_out(fit, rest, graph, project, kind, wishes)
        return
    elsewhere = tuple(
        numbers(built.attrs)
        for way in ways
        for built in way.built
        if _same_call(built.site, site) and built.kind == kind.base
    )
    others = tuple(dict.fromkeys((*(one.numbers for one in rest), *elsewhere)))
    yield _candidate(site, fit, others, kind, form, wishes)


def _fitting(
    graph: Graph, layers: Sequence[Layer], kind: Kind, wishes: Wishes
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


def _cannot_edit(layer: Layer, project: Project, kind: Kind) -> str | None:
    """Why the call that built a layer cannot be edited."""
    if layer.site is None:
        return "nothing tells where it was built"
    refusal = project.refusal(layer.site, layer.chain)
    if refusal is not None:
        return refusal
    call = calls.at(layer.site)
    if call is None:
        return f"{layer.site} is no call that could be edited"
    if isinstance(call.node.func, ast.Name) and call.node.func.id in ("exec", "eval"):
        return (
            f"its code was made while the program ran ({call.node.func.id}), and stands in no file"
        )
    if layer.kind != layer.base and not _keeps_class(kind):
        return _own_forward(layer, kind)
    return None


def _own_forward(layer: Layer, kind: Kind) -> str:
    return (
        f"{layer.kind} is a {layer.base} with a forward of its own, which a {kind.name} layer "
        "would not have"
    )


def _keeps_class(kind: Kind) -> bool:
    return kind.name == "grouped"


def _same_call(one: Site, other: Site) -> bool:
    return (one.path, one.line, one.column, one.end_line, one.end_column) == (
        *(other.path, other.line, other.column, other.end_line, other.end_column),
    )


def _candidate(
    site: Site,
    fit: Sequence[Use],
    others: tuple[Numbers, ...],
    kind: Kind,
    form: Form,
    wishes: Wishes,
    *,
    through: bool = False,
) -> Candidate:
    call = calls.at(site)
    assert call is not None
    place = Place(site, call, tuple(fit), others, through)
    all_fit = all(kind.fits(other, form, wishes) for other in others)
    changes = tuple(Change(one.layer.name, form, one.before, kind.after(one, form)) for one in fit)
    drafts = tuple(kind.drafts(place, form, all_fit=all_fit))
    if fit[0].layer.kind != kind.base:  # a function of ours would make a plain layer of it
        drafts = tuple(draft for draft in drafts if not draft.helpers)
    return Candidate(kind, place, form, changes, drafts)


# --- calls of functions that give a layer


def _from_outside(
    fit: Sequence[Use],
    graph: Graph,
    project: Project,
    kind: Kind,
    wishes: Wishes,
    refusal: str,
) -> Iterator[Candidate | Refusal]:
    """A layer that a function outside of the project made, and gave back at once to a call in it."""
    names = tuple(one.layer.name for one in fit)
    for site, group in _by_outer_call(fit).items():
        inner = group[0].layer
        direct = site is not None and project.refusal(site) is None and calls.at(site) is not None
        form = kind.form(group, wishes, graph)
        if direct and site is not None and inner.kind == kind.base and not isinstance(form, str):
            rest = [
                use(graph, layer)
                for layer in graph.layers
                if layer.base == kind.base
                and layer.chain[:1] == (site,)
                and layer.name not in names
            ]
            if not any(kind.fits(one.numbers, form, wishes) for one in rest):
                others = tuple(one.numbers for one in rest)
                made = _candidate(site, group, others, kind, form, wishes, through=True)
                yield replace(made, otherwise=refusal)
                continue
        yield Refusal(kind.code, inner.site, tuple(one.layer.name for one in group), refusal)


def _one_call_further_out(
    fit: Sequence[Use],
    rest: Sequence[Use],
    graph: Graph,
    project: Project,
    kind: Kind,
    wishes: Wishes,
) -> Iterator[Candidate | Refusal]:
    """Layers of a call that also builds some which must stay: a call of the function around it may tell them apart."""
    kept = {one.layer.chain[:1] for one in rest}
    for site, group in _by_outer_call(fit).items():
        form = kind.form(group, wishes, graph)
        if (
            site is not None
            and (site,) not in kept
            and not isinstance(form, str)
            and project.refusal(site) is None
            and calls.at(site)
        ):
            yield _candidate(site, group, (), kind, form, wishes, through=True)
            continue
        shown = ", ".join(one.layer.name for one in rest[:3])
        reason = f"the same call also builds {shown}, and that is to stay as it is"
        yield Refusal(
            kind.code, group[0].layer.site, tuple(one.layer.name for one in group), reason
        )


def _by_outer_call(uses: Sequence[Use]) -> dict[Site | None, list[Use]]:
    groups: dict[Site | None, list[Use]] = {}
    for one in uses:
        outer = one.layer.chain[0] if one.layer.chain else None
        groups.setdefault(outer, []).append(one)
    return groups
