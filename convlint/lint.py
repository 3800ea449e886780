"""Source mode: files -> what the rules find in their text -> what settings and comments leave of it.

Nothing is imported or run, and torch is not loaded.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convlint.cache import Cache
from convlint.config import Config, ModelEntry
from convlint.files import unreadable
from convlint.model import Finding, Problem
from convlint.sifting import merged, selected

if TYPE_CHECKING:
    from convlint.baseline import Baseline
    from convlint.prove import Runs
    from convlint.source import Project
    from convlint.source.project import Parsed

MOST_LINES = 200_000
"""Lines of a project whose syntax trees are kept at once, with what was followed in them: about half a GB."""
FEWEST_FOR_JOBS = 16
"""Files below which further processes take longer to start than they save."""

Texts = Mapping[str, bytes]
"""The contents of files, by the paths that findings call them by."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All that was found in one file, whatever is selected, and the other files that this hangs on."""

    findings: Sequence[Finding]
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


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
        self, texts: Texts, proves: Runs | None = None, beside: Texts | None = None
    ) -> list[Finding]:
        """What is found in files with these contents: selected, not silenced, not in the baseline.

        ``proves`` builds and runs the classes of suspicions, as they stand on the disk; None: nothing is run.
        ``beside`` are contents of further files, which are not judged, but may be imported.
        """
        wanted = {path: data for path, data in texts.items() if not _is_skipped(data)}
        known = {os.path.abspath(path): data for path, data in {**(beside or {}), **texts}.items()}
        judged = self._judged(wanted, known)
        self.problems = tuple(problem for one in judged.values() for problem in one.problems)
        standing = _by_file(finding for one in judged.values() for finding in one.findings)
        found = merged(
            finding
            for path, data in wanted.items()
            for finding in told(
                *(path, data, judged[path].findings, self._config, proves),
                standing.get(os.path.abspath(path), ()),
            )
        )
        return found if self._baseline is None else self._baseline.unknown(found)

    def _judged(self, wanted: Texts, texts: Texts) -> dict[str, Judged]:
        """Every file's judgement, from the cache where it is known; ``texts`` has absolute paths."""
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

    def _judge(self, paths: Sequence[str], texts: Texts) -> list[Judged]:
        if not paths:
            return []
        about = (self._config.root, self._entries(texts), texts)
        if self._jobs < 2 or len(paths) < FEWEST_FOR_JOBS:
            with _without_collector():
                bench = _Bench(*about, self._parsed)
                return [bench.judge(path) for path in self._told(paths)]
        judged = _in_processes(paths, about, min(self._jobs, len(paths)))
        return [one for _, one in zip(self._told(paths), judged, strict=True)]

    def _told(self, paths: Sequence[str]) -> Iterator[str]:
        for done, path in enumerate(paths):
            if self._progress is not None:
                self._progress(done, len(paths))
            yield path

    def _entries(self, texts: Texts) -> tuple[ModelEntry, ...]:
        """The configured models whose file is among those that are checked."""
        entries = self._config.models
        return tuple(
            e for e in entries if e.target.path and os.path.abspath(e.target.path) in texts
        )


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


# --- what is found in a file


class _Bench:
    """Judges one file after the other, and keeps what was read of the project on the way, as far as there is room.

    What is still needed then is read again; there is more room where a single file leads to most of it.
    """

    def __init__(
        self,
        root: str,
        entries: tuple[ModelEntry, ...],
        texts: Texts,
        parsed: Parsed | None = None,
    ) -> None:
        from convlint import source  # noqa: PLC0415 - not needed where all is known already

        self._source = source
        self._texts = texts
        self._about = (root, entries, texts, parsed)
        self._project: Project = source.Project(*self._about)
        self._room = MOST_LINES

    def judge(self, path: str) -> Judged:
        if self._project.lines > self._room:
            self._start_afresh()
        is_first = not self._project.lines
        judged = self._judged(path)
        if is_first:
            self._room = max(MOST_LINES, 2 * self._project.lines)
        return judged

    def _start_afresh(self) -> None:
        *_, parsed = self._about
        if parsed is not None:
            parsed.clear()
        self._project = self._source.Project(*self._about)
        gc.collect()  # the parts of the old one hold each other

    def _judged(self, path: str) -> Judged:
        data = self._texts[os.path.abspath(path)]
        try:
            checked = self._source.check_file(path, data, self._project)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other files are still checked
            text = (
                f"convlint failed in this file: {type(error).__name__}: {error}; please report this"
            )
            import traceback  # noqa: PLC0415 - loaded when needed

            shown = traceback.format_exc()
            return Judged((), problems=(Problem("internal", text, path=path, traceback=shown),))
        return Judged(checked.findings, checked.files, checked.problems)


_bench: list[_Bench] = []  # in a process of its own: the one that judges there


def _in_processes(paths: Sequence[str], about: tuple[Any, ...], jobs: int) -> Iterator[Judged]:
    """The same in several processes, in the same order. They start afresh, so that no lock or thread is inherited."""
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - loaded when needed
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415 - loaded when needed
    from multiprocessing import active_children, get_context  # noqa: PLC0415 - loaded when needed

    # Neighbours import each other: a process that has several reads less twice.
    chunk = max(1, len(paths) // (jobs * 4))
    given = (gc.get_threshold(), about)
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _open_bench, given)
    left = list(reversed(paths))
    try:
        for judged in pool.map(_judge_there, paths, chunksize=chunk):
            left.pop()
            yield judged
    except BrokenProcessPool:
        text = "a process that reads files has crashed, and this file was not checked; --jobs 1 shows more"
        yield from (Judged((), problems=(Problem("crash", text, path=p),)) for p in reversed(left))
    except (KeyboardInterrupt, GeneratorExit):  # the latter where it was raised by who reads this
        for child in active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _open_bench(threshold: tuple[int, int, int], about: tuple[Any, ...]) -> None:
    import signal  # noqa: PLC0415 - loaded when needed

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that is asked to end ends these
    gc.set_threshold(*threshold)  # as it is in the process that asks
    _bench.append(_Bench(*about))


def _judge_there(path: str) -> Judged:
    return _bench[0].judge(path)


# --- what is told of it


def _is_skipped(data: bytes) -> bool:
    if b"skip-file" not in data.lower():
        return False
    from convlint import suppress  # noqa: PLC0415 - not needed in files without comments of ours

    return suppress.is_skipped(data)


def told(
    path: str,
    data: bytes,
    found: Sequence[Finding],
    config: Config,
    proves: Runs | None = None,
    standing: Sequence[Finding] | None = None,
) -> Iterator[Finding]:
    """What is selected, no comment silences and no proof refutes; and comments that silence nothing (CVL900).

    ``found`` came of judging this file, and may stand in others that it builds on. ``standing`` is what
    stands in this file, whichever was judged; by default nothing but what was found stands in it.
    """
    chosen = [f for f in selected(found, config) if not _is_silenced_elsewhere(f, path)]
    plain = data.lower()
    if b"noqa" in plain or b"convlint:" in plain:
        from convlint import suppress  # noqa: PLC0415 - not needed in files without comments of ours

        if b"cvl" in plain and config.selects(UNUSED):
            there = found if standing is None else standing
            chosen += selected(_unused(path, data, there, config), config)
        chosen = [f for f in chosen if not (_is_in(f, path) and suppress.silences(data, f))]
    if any(finding.claim for finding in chosen):
        from convlint.prove import prove  # noqa: PLC0415 - not needed where nothing is claimed

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


def _is_silenced_elsewhere(finding: Finding, path: str) -> bool:
    """Whether a finding that stands in another file than the one that was judged is silenced there."""
    if _is_in(finding, path):
        return False
    from convlint import suppress  # noqa: PLC0415 - not needed in files without comments of ours

    return suppress.is_suppressed(finding)


UNUSED = "CVL900"


def _unused(path: str, data: bytes, found: Sequence[Finding], config: Config) -> Iterator[Finding]:
    from convlint import suppress  # noqa: PLC0415 - not needed in files without comments of ours
    from convlint.catalogue import rule, rules  # noqa: PLC0415 - the same

    judged = {
        code
        for code, one in rules().items()
        if "source" in one.decided_by and config.selects(code) and config.allows_in(path, code)
    }
    for comment in suppress.unused(path, data, found, judged):
        names = ", ".join(comment.codes)
        text = f"`{comment.text}`: there is no {names} here to silence"
        yield rule(UNUSED).finding(text, comment.site, fix=comment.fix)
