"""Findings that do not depend on the number of blocks or items that static analysis chose for a list of any length."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from convlint.ir import Finding
from convlint.rules.registry import rule
from convlint.static.exploration.entry_points import ExecutionPath

Key = tuple[str, tuple[str, int, int]]  # of a finding: its code and place
Findings = Mapping[Key, Finding]


class Lengths:
    """Decides which findings of the executions of one entry point hold for lists of other lengths, too.

    Branches often show the same, and each length is an execution: it is tried once for them.
    """

    def __init__(self) -> None:
        self._known: dict[frozenset[tuple[Key, str]], set[Key]] = {}

    def independent(
        self, path: ExecutionPath, here: Findings, found_with: Callable[[int], Findings | None]
    ) -> dict[Key, Finding]:
        """Return the findings ``here`` of a path that do not depend on the number of blocks or items.

        ``found_with`` returns those with another number, None if the class does not accept it.
        """
        shown = frozenset([(key, _text(finding)) for key, finding in here.items()])
        if shown not in self._known:
            self._known[shown] = set(_independent(path, here, found_with))
        return {key: finding for key, finding in here.items() if key in self._known[shown]}


def _independent(
    path: ExecutionPath, here: Findings, found_with: Callable[[int], Findings | None]
) -> dict[Key, Finding]:
    kept = {key: finding for key, finding in here.items() if not _may_follow_from_lengths(finding)}
    stated = {int(text) for finding in here.values() for text in _NUMBER.findall(finding.message)}
    for count in [_LONG, *_COUNTS, *sorted(stated.difference(_COUNTS))]:  # an item for each channel that is expected
        if count == path.execution.count or not 0 < count <= _LONGEST:
            continue
        found = found_with(count)
        if found is None:
            continue
        changed = {key for key in kept if key in found and _text(found[key]) != _text(here[key])}
        for key, finding in here.items():
            family = rule(finding.code).family
            if key not in found and family == "invalid":
                kept.pop(key, None)
            if key in changed and (family == "latent" or path.execution.has_open_inputs):
                kept.pop(key, None)
        if not changed & kept.keys():
            break
    return kept


def _may_follow_from_lengths(finding: Finding) -> bool:
    """Return whether a finding may follow from the equal lengths of lists that callers pass: tensors of several lists
    meet, a layer whose place in its list is not known, and an item of a list in a list. An exception that names no
    number is none of sizes.
    """
    family = rule(finding.code).family
    if family == "latent":
        return bool(_INNER_ITEM.search(finding.message))
    if finding.code == "CVL190" and not _NUMBER.search(finding.message):
        return False
    return family == "invalid" and (finding.code in ("CVL110", "CVL190") or "?" in (finding.module or ""))


def _text(finding: Finding) -> str:
    """Return the message of a finding without the number of layers built at its place, and their positions."""
    return _MORE.sub("", finding.message)


_INNER_ITEM = re.compile(r"\[\d+\]\[\d+\]")
_MORE = re.compile(r" \(and \d+ more [^)]*\)|\.\d+\b")
_LONG = 5  # longer than most code reads: the last item is none of those that it names
_COUNTS = (3, 2, 1, 4, 6, 8)
"""Numbers of blocks and of items to try for an error that depends on them: a class may be right for one of these."""
_LONGEST = 64  # list to try
_NUMBER = re.compile(r"\b\d+\b")
