"""Source mode: files -> what the rules find in their text -> what settings and comments leave of it.

Nothing is imported or run, and torch is not loaded.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convlint.findings.select import merged, selected
from convlint.ir import Finding, Problem
from convlint.pipelines.cache import Cache
from convlint.pipelines.lint_pool import Judge, Judged, in_processes
from convlint.settings.config import Config, ModelEntry
from convlint.settings.discovery import unreadable
from convlint.source_text.texts import SourceTexts

if TYPE_CHECKING:
    from convlint.findings.baseline import Baseline
    from convlint.findings.confirm import Runs
    from convlint.static.program.project import Parsed

FEWEST_FOR_JOBS = 16
"""Files below which further processes take longer to start than they save."""


def read(paths: Iterable[str]) -> tuple[dict[str, bytes], list[Problem]]:
    """The contents of files, and which could not be read."""
    texts: dict[str, bytes] = {}
    problems = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                texts[path] = file.read()
        except OSError as error:
            problems.append(unreadable(path, error))
    return texts, problems


class Linter:
    """Judges files, and keeps what it found: a file is judged again when something that matters changed.

    ``jobs`` is the number of processes; ``progress`` is called with the files that were judged, and with all of
    them, before each. ``parsed`` keeps the trees of imported files from one call of ``find`` to the next, which is
    for who calls it again and again. ``problems`` are those of the last call.
    """

    def __init__(
        self,
        config: Config,
        cache_folder: str | None = None,
        baseline: Baseline | None = None,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
        parsed: Parsed | None = None,
    ) -> None:
        self._config = config
        self._cache = Cache(cache_folder, (config.root, config.models))
        self._baseline = baseline
        self._jobs = jobs
        self._progress = progress
        self._parsed = parsed
        self.problems: tuple[Problem, ...] = ()

    def find(
        self,
        files: Mapping[str, bytes],
        proves: Runs | None = None,
        texts: SourceTexts | None = None,
    ) -> list[Finding]:
        """What is found in files with these contents: selected, not silenced, not in the baseline.

        ``proves`` builds and runs the classes of suspicions, as they stand on the disk; None: nothing is run.
        ``texts`` gives the files that these import; None reads them from disk.
        """
        texts = (texts or SourceTexts()).with_overlays(files)
        wanted = {path: data for path, data in files.items() if not _is_skipped(data)}
        judged = self._judged(wanted, texts)
        self.problems = tuple(problem for one in judged.values() for problem in one.problems)
        standing = _by_file(finding for one in judged.values() for finding in one.findings)
        found = merged(
            finding
            for path, data in wanted.items()
            for finding in told(
                *(path, data, judged[path].findings, self._config, texts, proves),
                standing.get(os.path.abspath(path), ()),
            )
        )
        return found if self._baseline is None else self._baseline.unknown(found, texts)

    def _judged(self, wanted: Mapping[str, bytes], texts: SourceTexts) -> dict[str, Judged]:
        """Every file's judgement, from the cache where it is known."""
        judged = {}
        self._cache.look_again()
        for path, data in wanted.items():
            known = self._cache.get(path, data, texts)
            if known is not None:
                judged[path] = Judged(known)
        unknown = [path for path in wanted if path not in judged]
        for path, one in zip(unknown, self._judge(unknown, texts), strict=True):
            judged[path] = one
            if not one.problems:
                self._cache.put(path, wanted[path], texts, one.files, one.findings)
        self._cache.save()
        return judged

    def _judge(self, paths: Sequence[str], texts: SourceTexts) -> list[Judged]:
        if not paths:
            return []
        about = (self._config.root, self._entries(texts), texts)
        if self._jobs < 2 or len(paths) < FEWEST_FOR_JOBS:
            with _without_collector():
                judge = Judge(*about, self._parsed)
                return [judge.judge(path) for path in self._told(paths)]
        judged = in_processes(paths, about, min(self._jobs, len(paths)))
        return [one for _, one in zip(self._told(paths), judged, strict=True)]

    def _told(self, paths: Sequence[str]) -> Iterator[str]:
        for done, path in enumerate(paths):
            if self._progress is not None:
                self._progress(done, len(paths))
            yield path

    def _entries(self, texts: SourceTexts) -> tuple[ModelEntry, ...]:
        """The configured models whose file is among those that are checked."""
        entries = self._config.models
        return tuple(e for e in entries if e.target.path and texts.has_overlay(e.target.path))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing is collected while files are judged: their syntax trees are kept for each other in any
    case, and looking through them again and again took a third of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


# --- what is told of it


def _is_skipped(data: bytes) -> bool:
    if b"skip-file" not in data.lower():
        return False
    from convlint.findings import suppressions

    return suppressions.is_skipped(data)


def told(
    path: str,
    data: bytes,
    found: Sequence[Finding],
    config: Config,
    texts: SourceTexts,
    proves: Runs | None = None,
    standing: Sequence[Finding] | None = None,
) -> Iterator[Finding]:
    """What is selected, no comment silences and no proof refutes; and comments that silence nothing (CVL900).

    ``found`` came of judging this file, and may stand in others that it builds on. ``standing`` is what
    stands in this file, whichever was judged; by default nothing but what was found stands in it.
    """
    chosen = [f for f in selected(found, config) if not _is_silenced_elsewhere(f, path, texts)]
    plain = data.lower()
    if b"noqa" in plain or b"convlint:" in plain:
        from convlint.findings import suppressions

        if b"cvl" in plain and config.selects(UNUSED):
            there = found if standing is None else standing
            chosen += selected(_unused(path, data, there, config), config)
        chosen = [f for f in chosen if not (_is_in(f, path) and suppressions.silences(data, f))]
    if any(finding.claim for finding in chosen):
        from convlint.findings.confirm import prove

        chosen = prove(chosen, proves)
    yield from chosen


def _by_file(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    by_file: dict[str, list[Finding]] = {}
    for finding in found:
        if finding.site is not None:
            by_file.setdefault(os.path.abspath(finding.site.path), []).append(finding)
    return by_file


def _is_in(finding: Finding, path: str) -> bool:
    return finding.site is None or os.path.abspath(finding.site.path) == os.path.abspath(path)


def _is_silenced_elsewhere(finding: Finding, path: str, texts: SourceTexts) -> bool:
    """Whether a finding that stands in another file than the one that was judged is silenced there."""
    if _is_in(finding, path):
        return False
    from convlint.findings import suppressions

    return suppressions.is_suppressed(finding, texts)


UNUSED = "CVL900"


def _unused(path: str, data: bytes, found: Sequence[Finding], config: Config) -> Iterator[Finding]:
    from convlint.findings import suppressions
    from convlint.rules.registry import rule, rules

    judged = {
        code
        for code, one in rules().items()
        if "source" in one.decided_by and config.selects(code) and config.allows_in(path, code)
    }
    for comment in suppressions.unused(path, data, found, judged):
        text = f"unused suppression: no {', '.join(comment.codes)} on this line"
        yield rule(UNUSED).finding(text, comment.site, fix=comment.fix)
