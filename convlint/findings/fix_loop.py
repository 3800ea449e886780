"""The loop that applies fixes until nothing is left to fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from convlint.ir import Edit, Finding, Fix
from convlint.source_text import edits, lines

MOST_ROUNDS = 10

Texts = Mapping[str, bytes]
"""Files by the path that findings call them by."""

Find = Callable[[Texts], Sequence[Finding]]
"""What is found in files that have these contents."""


@dataclass(frozen=True, slots=True)
class Step:
    """One round. ``texts`` are all files, ``applied`` the findings that were fixed, ``dropped`` those
    whose fix would leave a file that Python cannot parse, or cannot be written in the file's encoding.
    """

    texts: dict[str, bytes]
    applied: tuple[Finding, ...]
    dropped: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """What the fixes made of some files.

    ``texts`` has the new contents of the files that changed, and only of those. ``applied`` are the
    findings that were fixed, in the order in which that was done, ``dropped`` those of the last
    round (see Step), ``remaining`` all that is still found. ``settled`` is False where fixes were
    still at work after the last round.
    """

    texts: dict[str, bytes]
    applied: tuple[Finding, ...]
    dropped: tuple[Finding, ...]
    remaining: tuple[Finding, ...]
    rounds: int
    settled: bool


def fixed(texts: Texts, find: Find, *, unsafe: bool = False, most: int = MOST_ROUNDS) -> Fixed:
    """Fix what ``find`` finds in ``texts``, look again, and so on until there is nothing to fix.

    Only files in ``texts`` are changed: a fix that also edits another file is not made. ``find`` is
    called with all of ``texts`` in their present form, at most ``most + 1`` times. Safe fixes are
    made, with ``unsafe`` the unsafe ones too, those for display never. Nothing is written to disk.
    """
    now = dict(texts)
    applied: list[Finding] = []
    for rounds in range(most + 1):
        found = find(now)
        step = once(now, found, unsafe=unsafe)
        if not step.applied or rounds == most:
            break
        now = step.texts
        applied += step.applied
    changed = {path: data for path, data in now.items() if data != texts[path]}
    return Fixed(changed, tuple(applied), step.dropped, tuple(found), rounds, not step.applied)


def once(texts: Texts, found: Iterable[Finding], *, unsafe: bool = False) -> Step:
    """One round: the fixes of ``found`` that can be made together. For findings that cannot be found
    anew in changed text, as those of a model that was run.
    """
    fixes: dict[Fix, list[Finding]] = {}
    for finding in found:
        if (fix := finding.fix) is not None and _may_be_made(fix, texts, unsafe):
            fixes.setdefault(fix, []).append(finding)
    chosen = edits.together(list(fixes))
    now, made = dict(texts), chosen
    try:
        now |= _edited(texts, chosen)
    except edits.EditError:  # one at a time, then: those that do no harm are made
        made = []
        for fix in chosen:
            try:
                now |= _edited(texts, [*made, fix])
            except edits.EditError:
                continue
            made.append(fix)
    dropped = [fix for fix in chosen if fix not in made]
    return Step(now, _all(fixes, made), _all(fixes, dropped))


def _may_be_made(fix: Fix, texts: Texts, unsafe: bool) -> bool:
    allowed = ("safe", "unsafe") if unsafe else ("safe",)
    known = all(edit.site.path in texts for edit in fix.edits)
    return fix.applicability in allowed and bool(fix.edits) and known


def _edited(texts: Texts, fixes: Iterable[Fix]) -> dict[str, bytes]:
    """The files that ``fixes`` change. Raises EditError where one could not be parsed afterwards."""
    by_path: dict[str, list[Edit]] = {}
    for fix in fixes:
        for edit in fix.edits:
            by_path.setdefault(edit.site.path, []).append(edit)
    after = {path: edits.apply(texts[path], of_one) for path, of_one in by_path.items()}
    for path, data in after.items():
        if lines.parsed(data) is None:
            raise edits.EditError(f"{path} could not be parsed any more")
    return after


def _all(fixes: Mapping[Fix, list[Finding]], chosen: Iterable[Fix]) -> tuple[Finding, ...]:
    return tuple(finding for fix in chosen for finding in fixes[fix])
