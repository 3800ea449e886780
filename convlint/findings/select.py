"""Which findings are reported, and how: selected, one for each place, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from convlint.ir import Finding
from convlint.settings.config import Config


def selected(found: Iterable[Finding], config: Config) -> Iterator[Finding]:
    """Those whose rule is selected, also for their file."""
    return (f for f in found if config.selects(f.code) and config.allows(f))


def merged(found: Iterable[Finding]) -> list[Finding]:
    """One finding for each code, place and model, which names all modules built there; by place."""
    groups: dict[object, list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.code, finding.target, _where(finding)), []).append(finding)
    whole = [replace(group[0], instances=_modules(group)) for group in groups.values()]
    return sorted(whole, key=_order)


def joined(ran: Iterable[Finding], read: Iterable[Finding]) -> list[Finding]:
    """What was found by running and by reading: what both found is told once, as the run tells it."""
    ran = list(ran)
    known = {(finding.code, _where(finding)) for finding in ran}
    return sorted([*ran, *(f for f in read if (f.code, _where(f)) not in known)], key=_order)


def _where(finding: Finding) -> object:
    site = finding.site
    return (site.path, site.line, site.column) if site else (finding.module, finding.message)


def _modules(group: Sequence[Finding]) -> tuple[str, ...]:
    names = [name for f in group for name in (f.module, *f.instances) if name is not None]
    return tuple(dict.fromkeys(names))


def _order(finding: Finding) -> tuple[str, int, int, str]:
    site = finding.site
    return (site.path, site.line, site.column, finding.code) if site else ("", 0, 0, finding.code)
