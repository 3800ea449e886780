"""Repairs that static analysis has verified in the classes of a program: of the candidates, these are tried first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction

from convlint.analysis import graph_queries
from convlint.ir import Edit, Finding, Site
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict import Conflict, Place, construction_frames
from convlint.support.dataclass import replace


def followed_first(
    conflict: Conflict, proposals: Sequence[Candidate], findings: Sequence[Finding], around: Sequence[Finding] = ()
) -> list[Candidate]:
    """The candidates for a conflict, with the verified repairs of ``findings`` before all others; those of findings
    ``around`` the class that fails come early, too, but others may be as likely.
    """
    others = [replace(each, followed=False) for each in _followed(conflict, proposals, around)]
    first = [*_followed(conflict, proposals, findings), *others]
    known = [_key(each.edits) for each in first]
    return [*first, *(each for each in proposals if _key(each.edits) not in known)]


def classes_of(conflict: Conflict) -> set[tuple[str, str] | None]:
    """The files and classes around the operation that fails, and around the call that builds its module."""
    own = class_of(conflict.place)
    others = [each for each in map(class_of, conflict.frames) if each != own]
    return {own, *others[:1]}


def class_of(site: Site | None) -> tuple[str, str] | None:
    """The file and class in which a line is."""
    return None if site is None else (site.path, site.function.rpartition(".")[0])


def _followed(conflict: Conflict, proposals: Sequence[Candidate], findings: Sequence[Finding]) -> Iterator[Candidate]:
    """The repairs of static analysis that are proposed for a conflict, or that are of a line which is part of it; then
    those in its classes: a view may fail in a model before the sum that fails in the class alone.
    """
    path, line, *_ = conflict.operation
    lines = {(os.path.abspath(path), line), *(_line(site) for site in (*conflict.frames, *_operands(conflict)))}
    classes = classes_of(conflict)
    others: list[Candidate] = []
    for finding in findings:
        failing = [site for frames in finding.operations for site in frames]
        own = [] if finding.site is None else [finding.site, *failing]
        for repair in finding.repairs if own else ():
            same = next((each for each in proposals if _key(each.edits) == _key(repair.edits)), None)
            first, *also = repair.edits
            edit = Candidate(first, None, None, Fraction(0), (), (), call=finding.site, words=repair.title)
            if same is not None:
                yield replace(same, followed=True)
            elif not lines.isdisjoint(_line(site) for site in (*own, *(e.site for e in repair.edits))):
                yield replace(edit, also=tuple(also), followed=True)
            elif class_of(finding.site) in classes:
                others.append(replace(edit, also=tuple(also), followed=True))
    yield from others


def _operands(conflict: Conflict) -> Iterator[Site]:
    """The constructor calls of the layers whose outputs a failing sum or concatenation reads, and those around them."""
    graph = conflict.graph
    for tensor in graph.nodes[conflict.node].inputs if conflict.node is not None and conflict.is_merge else ():
        yield from construction_frames(graph.layer(graph_queries.maker_of_channels(graph, tensor).layer))


def _line(site: Site) -> Place:
    return os.path.abspath(site.path), site.line


def _key(edits: Sequence[Edit]) -> list[tuple[Place, int, str]]:
    """Edits as they compare, whichever way their path is written."""
    return [(_line(edit.site), edit.site.column, edit.text) for edit in edits]
