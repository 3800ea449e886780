"""Candidates for the repair of a conflict about channels or features, most likely first."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from convlint.analysis import graph_queries, merges
from convlint.ir import Edit, Graph, Site
from convlint.repairs.candidate import Candidate
from convlint.repairs.changes import Change, oddity, regularity
from convlint.repairs.conflict_ends import End, Role, ends_of, inside
from convlint.repairs.replacement_texts import COMPUTED, FIXED, GENERALITY, NAME, SAME, SIMPLER, texts
from convlint.repairs.slicer import Slicer
from convlint.repairs.unread_names import leaves_attribute_unread, left_unread
from convlint.repairs.usual_widths import scales_all
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import is_bound_at
from convlint.source_text.call_sites import Function


def width_candidates(
    graph: Graph, failed: int, slicer: Slicer, suspected: Collection[tuple[str, int]] = ()
) -> list[Candidate]:
    """The edits that might settle a conflict about channels or features, most likely first.

    ``failed`` is the id of the node that fails. ``suspected`` are lines of classes that fail for some arguments:
    a change inside the class is preferred there.
    """
    block = merges.block_of(graph, graph.nodes[failed])
    ends = [inside(graph, end, block) if block else end for end in ends_of(graph, failed, slicer)]
    known = {str(end.vote.number) for end in ends}
    suspected = {*suspected, *_always_failing(graph), *(() if block else _failing_for_several(graph, failed))}
    frames = {(number.site, number.frame) for end in ends for number in end.numbers}
    reached = Counter(site for site, _ in frames)  # the calls that a number is written for
    own = {*_in_the_model(graph)}
    joined = graph_queries.concatenation_before(graph, graph.nodes[failed]) is not None
    best: dict[tuple[Site, str], Candidate] = {}
    nearest = [end for end in ends if end.role != "other"] or ends
    in_class = any((site.path, site.line) in suspected for end in nearest for site in end.vote.frames[:1])
    seen: set[tuple[Site, Change, Role, Site]] = set()  # the numbers of a block that is built many times
    for end in ends:
        for number in end.numbers:
            if (alike := (number.site, number.change, end.role, number.frame)) in seen:
                continue
            seen.add(alike)
            for text, kind in texts(graph, number, end, ends, slicer, may_add=joined):
                if text == number.text or not _is_bound(number, text):
                    continue
                is_part = joined and end.role == "other"  # of a concatenation, whose sum is easily miscounted
                shared = _is_shared(number) and (number.place.path, number.frame.line) not in own
                is_likely = not _is_unlikely(number, text, end)
                is_guess = kind == COMPUTED and not joined
                size_kind = SAME if is_part and kind == SIMPLER else kind
                own_rank = _rank(number, size_kind, text not in known, shared != in_class, is_guess)
                rank = (not is_likely, *own_rank)
                odd = _oddity(number, text)
                is_first = (in_class or is_guess) and end.vote.node == failed
                cost = _cost(end, number, rank, (in_class and shared != in_class, odd, is_part, not is_first))
                # A number of several calls is not as likely as that of one; whether a number is new decides nothing.
                rank = (*rank[:-1], reached[number.site])
                generality = GENERALITY.get(kind, 0) if number.place.is_parameterized else 0
                edit = Edit(number.site, text)
                candidate = Candidate(edit, number, end.vote, end.right, cost, rank, generality=generality)
                key = (candidate.edit.site, text)
                if key not in best or candidate.cost < best[key].cost:
                    best[key] = candidate
    return _of_each_place_first(sorted(best.values(), key=lambda candidate: candidate.cost))


_MOST_OF_A_PLACE = 4


def _of_each_place_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with those last for which there are several of the same place before them."""
    seen: Counter[Site] = Counter()
    first: list[Candidate] = []
    others: list[Candidate] = []
    for candidate in candidates:
        (first if seen[candidate.edit.site] < _MOST_OF_A_PLACE else others).append(candidate)
        seen[candidate.edit.site] += 1
    return [*first, *others]


def _always_failing(graph: Graph) -> Iterator[tuple[str, int]]:
    """The calls through which several layers are built of which every one fails, or makes the next one fail: these are
    wrong, not their callers.
    """
    failed = [node for node in graph.nodes if node.error]
    sources = [graph_queries.source_layer(graph, node) for node in failed if node.inputs]
    failing = {node.layer for node in (*failed, *sources) if node is not None}
    built: dict[tuple[Site, ...], list[bool]] = {}
    for layer in graph.layers:
        if layer.site is not None and layer.leaf:
            frames = (layer.site, *layer.chain)
            for depth in range(1, len(frames) + 1):
                built.setdefault(frames[:depth], []).append(layer.name in failing)
    for frames, fails in built.items():
        if len(fails) > 1 and all(fails):
            yield frames[-1].path, frames[-1].line


def _failing_for_several(graph: Graph, failed: int) -> Iterator[tuple[str, int]]:
    """The calls that build the layers of a class whose sum fails for several calls of the class, or several widths.

    One caller that is wrong makes it fail for one of them.
    """
    node = graph.nodes[failed]
    if node.op not in merges.MERGES:
        return
    alike = [other for other in graph.nodes if other.error and (other.site, other.op) == (node.site, node.op)]
    owners = [graph.layer(other.module) for other in alike]
    shapes = [tuple(graph.tensor(id).shape[1:2] for id in other.inputs) for other in alike]
    cases = {(owner.site, shape) for owner, shape in zip(owners, shapes, strict=True) if owner is not None}
    calls = {site for site, _ in cases}
    for layer in graph.layers if len(cases) > 1 else ():
        if layer.site is not None and layer.leaf and layer.chain and layer.chain[0] in calls:
            yield layer.site.path, layer.site.line


def _in_the_model(graph: Graph) -> Iterator[tuple[str, int]]:
    """The calls in the constructor of the model's own class: no block that is used elsewhere as well."""
    root = graph.layer("")
    for layer in graph.layers if root is not None else ():
        for site in (*((layer.site,) if layer.site else ()), *layer.chain):
            if root is not None and site.function == f"{root.kind}.__init__":
                yield site.path, site.line


def _oddity(number: WrittenNumber, text: str) -> int:
    """Say how odd a new literal is there; a progression says more than other numbers, and a name is usual."""
    if number.literal is not None and text.isidentifier():
        return -1
    if scales_all(number.place.scope, number.node, text):
        return 1
    return oddity(number.place.scope, number.node, text) - 3 * regularity(number.place.file, number.node, text)


def _is_unlikely(number: WrittenNumber, text: str, end: End) -> bool:
    """Return whether an edit leaves a name that nothing reads, or an argument without the name of its parameter."""
    scope, node = number.place.scope, number.node
    keyword, _ = number.place.file.parents.get(node, (None, ""))
    is_named = isinstance(keyword, ast.keyword) and isinstance(node, ast.Name) and keyword.arg == node.id
    if is_named or left_unread(scope, node, text, optional=number.has_callers) > 0:
        return True
    is_defined = any(each.role in ("attribute", "assignment") and each.node is not node for each in end.numbers)
    return leaves_attribute_unread(number.place.file.nodes, node, text, is_defined=is_defined)


def _is_bound(number: WrittenNumber, text: str) -> bool:
    scope = number.place.scope
    return not isinstance(scope, Function) or text.isdecimal() or is_bound_at(scope, number.node, text)


def _is_shared(number: WrittenNumber) -> bool:
    """Return whether a number is inside a class or helper that is called with arguments."""
    return number.place.is_parameterized and number.has_callers


def _rank(number: WrittenNumber, kind: int, is_new: bool, is_elsewhere: bool, is_guess: bool) -> tuple[int, ...]:
    """Rank an edit by its size, and by whether it is elsewhere than suspected: inside a class that other calls use as
    well, or outside of one that fails for other arguments. A multiple of a number ``is_guess`` unless there are parts
    to count.
    """
    is_default = number.role in ("default", "attribute") and number.place.is_parameterized
    size = 0 if kind == SIMPLER else 2 if is_guess else 1
    is_constant = number.role == "attribute" and _is_of_behavior(number.place.scope)
    return (kind in (NAME, FIXED) or is_constant, size, is_elsewhere, is_default, kind, is_new)


def _is_of_behavior(scope: ast.AST) -> bool:
    """Return whether a class has methods: those without hold the settings of a program, one for each use."""
    return isinstance(scope, ast.ClassDef) and any(isinstance(each, ast.FunctionDef) for each in scope.body)


def _cost(end: End, number: WrittenNumber, rank: tuple[int, ...], odds: tuple[int, ...]) -> tuple[int, ...]:
    """Order edits by rank and ``odds``: then the end that is blamed first, the layer that fails, the smaller change."""
    *likely, is_elsewhere, is_default, kind, is_new = rank
    is_outside, odd, *others = odds
    return (
        *likely,
        is_outside,
        odd,
        is_elsewhere,
        *others,
        ("blamed", "consumer", "other").index(end.role),
        is_default,
        kind,
        number.place.depth,
        is_new,
        number.role == "assignment" or number.is_alternative,  # other numbers come from it too
        -end.vote.node,
        number.site.line,
        number.site.column,
    )
