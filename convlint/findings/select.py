"""Select, merge and sort findings before they are reported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from convlint.ir import SEVERITIES, Finding, Occurrence
from convlint.settings.config import Config
from convlint.support.dataclass import replace

if TYPE_CHECKING:
    from convlint.ir import Claim, Edit


def selected(findings: Iterable[Finding], config: Config) -> Iterator[Finding]:
    """Yield the findings of rules that are selected, also for the finding's file."""
    return (f for f in findings if config.selects(f.code) and config.allows(f))


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Merge the findings of one rule at one place into one that names all modules, and sort them.

    Errors with the same cause are one finding, whichever model or file shows them: at one place, or with one repair.
    Other findings of several models must have the same message as well, because it may be about the model. Errors come
    in the order in which the program executes them, before the other findings in that file.
    """
    found = [*_grouped(findings, lambda f: (f.code, None if _is_cause(f) else f.target, _place(f)))]
    found = [*_grouped(found, lambda f: (f.code, None if _is_cause(f) else f.message, _place(f)))]
    found = [*_grouped(found, lambda f: _repair(f) if _is_cause(f) and f.repairs else (f.code, f.message, _place(f)))]
    return sorted(_without_latent(_decided(found), found), key=_order)


def joined(run: Iterable[Finding], static: Iterable[Finding]) -> list[Finding]:
    """Join the findings of runs and of static analysis; of findings in both, keep that of the run.

    A latent defect of which static analysis has a repair is that, with the modules of the run.
    """
    run, static = _with_repaired_defects(list(run), list(static))
    known = {(finding.code, _place(finding)) for finding in run}
    repaired = _repairs(run)
    others = [f for f in static if (f.code, _place(f)) not in known and _repairs([f]).isdisjoint(repaired)]
    return sorted([*run, *_without_latent(others, run)], key=_order)


def _with_repaired_defects(run: list[Finding], static: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Replace latent findings of runs by those of static analysis about the same defect."""
    groups: dict[int, list[Finding]] = {}
    for finding in run:
        same = next((n for n, other in enumerate(static) if _is_same_defect(finding, other)), None)
        if same is not None:
            groups.setdefault(same, []).append(finding)
    replaced = [finding for group in groups.values() for finding in group]
    known = [
        static[number].with_(
            target=group[0].target, module=group[0].module, instances=_modules(group), occurrences=_occurrences(group)
        )
        for number, group in groups.items()
    ]
    left = [finding for number, finding in enumerate(static) if number not in groups]
    return [*(finding for finding in run if finding not in replaced), *known], left


def _is_same_defect(ran: Finding, static: Finding) -> bool:
    """Return whether a latent finding of a run is about the layers of a defect that static analysis can repair."""
    one, other = ran.claim, static.claim
    if one is None or other is None or not other.edits or not ran.code.startswith(_LATENT):
        return False
    if (os.path.abspath(one.path), one.cls) != (os.path.abspath(other.path), other.cls):
        return False
    return _place(ran) == _place(static) or not _lines(one).isdisjoint(_lines(other))


def _lines(claim: Claim) -> set[object]:
    return {(os.path.abspath(site.path), site.line) for site in claim.sites}


def _without_latent(findings: Iterable[Finding], errors: Iterable[Finding]) -> list[Finding]:
    """Leave out what may fail for other arguments where the repair of an error changes it."""
    repaired = _repairs(errors)
    return [f for f in findings if not (f.code.startswith(_LATENT) and f.repairs and _repair(f) in repaired)]


def _decided(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out a cause with several repairs of which one is the first of another cause: a larger program decides."""
    causes = [finding for finding in findings if _is_cause(finding) and finding.repairs]
    left_out: list[Finding] = []
    for finding in causes:
        others = [_edits(repair.edits) for repair in finding.repairs[1:]]
        if any(_repair(other) in others for other in causes if other is not finding and other not in left_out):
            left_out.append(finding)
    return [finding for finding in findings if finding not in left_out]


def _is_cause(finding: Finding) -> bool:
    """Return whether something does not work: an error, or what fails on a branch only."""
    is_error = finding.severity == "error" and finding.code.startswith(_INVALID)
    return finding.step is not None or (is_error and bool(finding.repairs))


_LAST = sys.maxsize
_INVALID, _LATENT = "CVL1", "CVL2"  # prefixes of codes: what cannot work, and what fails for some arguments


def _repairs(findings: Iterable[Finding]) -> set[object]:
    return {_repair(finding) for finding in findings if _is_cause(finding) and finding.repairs}


def _repair(finding: Finding) -> object:
    return _edits(finding.repairs[0].edits)


def _edits(edits: Iterable[Edit]) -> object:
    return tuple([(edit.site.path, edit.site.line, edit.site.column, edit.text) for edit in edits])


def _grouped(findings: Iterable[Finding], key: Callable[[Finding], object]) -> Iterator[Finding]:
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(key(finding), []).append(finding)
    for group in groups.values():
        first = min(group, key=_clearest) if _is_cause(group[0]) else group[0]
        yield replace(first, instances=_modules([first, *group]), occurrences=_occurrences([first, *group]))


def _clearest(finding: Finding) -> tuple[object, ...]:
    """In a model, a class has the arguments that it is built with; alone, it has those that it is tried with."""
    is_elsewhere = finding.site is None or finding.site.path != finding.program
    severity = SEVERITIES.index(finding.severity)  # a branch may be taken by a call in another file
    return severity, -(finding.module or "").count("."), is_elsewhere, _order(finding)


def _place(finding: Finding) -> object:
    site = finding.site
    return (site.path, site.line, site.column) if site else (finding.target, finding.module, finding.message)


def _modules(group: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([name for f in group for name in (f.module, *f.instances) if name is not None]))


def _occurrences(group: Sequence[Finding]) -> tuple[Occurrence, ...]:
    """Each occurrence once: in the smallest program that builds the module, and not in a class that is followed alone.

    Objects that no attribute names are left out if others have names.
    """
    found = dict.fromkeys(each for finding in group for each in finding.occurrences or _at_the_line(finding))
    named = [each for each in found if "@" not in (each.module or "")] or [*found]
    site = group[0].site
    built = [each for each in named if site is None or (each.path, each.line) != (site.path, site.line)]
    names = {each.module for each in built if each.target is None and each.module}
    return tuple([each for each in built if each.target or not _is_inside(each.module, names)] or named)


def _at_the_line(finding: Finding) -> tuple[Occurrence, ...]:
    site, names = finding.site, finding.instances or (finding.module,)
    return () if site is None else tuple([Occurrence(site.path, site.line, name, finding.target) for name in names])


def _is_inside(module: str | None, names: Collection[str]) -> bool:
    """Return whether a module is one of ``names`` in a larger program, where its path is longer."""
    parts = (module or "").split(".")
    return any(".".join(parts[start:]) in names for start in range(1, len(parts)))


def _order(finding: Finding) -> tuple[bool, str, bool, str, int, int, int, str]:
    """Errors of runs, by model and step; then those of files by step, before the other findings of a file by line."""
    site = finding.site
    path, line, column = (site.path, site.line, site.column) if site else ("", 0, 0)
    if finding.step is not None:
        is_static = finding.target is None
        return (is_static, finding.program, False, finding.target or "", finding.step, line, column, finding.code)
    if _is_cause(finding):  # of a class that no program builds
        return (True, path, False, "", _LAST, line, column, finding.code)
    return (True, path, True, "", 0, line, column, finding.code)
