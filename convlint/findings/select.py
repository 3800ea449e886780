"""Select, merge and sort findings before they are reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from convlint.ir import Finding
from convlint.settings.config import Config


def selected(findings: Iterable[Finding], config: Config) -> Iterator[Finding]:
    """Yield the findings of rules that are selected, also for the finding's file."""
    return (f for f in findings if config.selects(f.code) and config.allows(f))


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Merge the findings of one rule at one place of one model into one that names all modules; sorted by place."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.target, _place(finding)), []).append(finding)
    return sorted([replace(group[0], instances=_modules(group)) for group in groups.values()], key=_order)


def joined(run: Iterable[Finding], static: Iterable[Finding]) -> list[Finding]:
    """Join the findings of runs and of static analysis; of findings in both, keep that of the run."""
    run = list(run)
    known = {(finding.code, _place(finding)) for finding in run}
    return sorted([*run, *(f for f in static if (f.code, _place(f)) not in known)], key=_order)


def _place(finding: Finding) -> object:
    site = finding.site
    return (site.path, site.line, site.column) if site else (finding.module, finding.message)


def _modules(group: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([name for f in group for name in (f.module, *f.instances) if name is not None]))


def _order(finding: Finding) -> tuple[str, int, int, str]:
    site = finding.site
    return (site.path, site.line, site.column, finding.code) if site else ("", 0, 0, finding.code)
