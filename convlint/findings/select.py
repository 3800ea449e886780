"""Select, merge and sort findings before they are reported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from convlint.ir import SEVERITIES, Finding, Occurrence
from convlint.settings.config import Config


def selected(findings: Iterable[Finding], config: Config) -> Iterator[Finding]:
    """Yield the findings of rules that are selected, also for the finding's file."""
    return (f for f in findings if config.selects(f.code) and config.allows(f))


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Merge the findings of one rule at one place into one that names all modules, and sort them.

    Errors with the same cause are one finding, whichever model or file shows them. Other findings of several models
    must have the same message as well, because it may be about the model. Errors come in the order in which the program
    executes them, before the other findings in that file.
    """
    in_models = _grouped(findings, lambda f: (f.code, None if _is_cause(f) else f.target, _place(f)))
    return sorted(_grouped(in_models, lambda f: (f.code, None if _is_cause(f) else f.message, _place(f))), key=_order)


def joined(run: Iterable[Finding], static: Iterable[Finding]) -> list[Finding]:
    """Join the findings of runs and of static analysis; of findings in both, keep that of the run."""
    run = list(run)
    known = {(finding.code, _place(finding)) for finding in run}
    return sorted([*run, *(f for f in static if (f.code, _place(f)) not in known)], key=_order)


def _is_cause(finding: Finding) -> bool:
    return finding.step is not None


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
    found = dict.fromkeys(occurrence for finding in group for occurrence in finding.occurrences)
    named = [each for each in found if "@" not in (each.module or "")] or [*found]
    site = group[0].site
    built = [each for each in named if site is None or (each.path, each.line) != (site.path, site.line)]
    names = {each.module for each in built if each.target is None and each.module}
    return tuple([each for each in built if each.target or not _is_inside(each.module, names)] or named)


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
    return (True, path, True, "", 0, line, column, finding.code)
