"""Who judges files: one after the other in this process, or several at once in others."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convlint.ir import Finding, Problem
from convlint.settings.config import ModelEntry
from convlint.source_text.texts import SourceTexts

if TYPE_CHECKING:
    from convlint.static import Project
    from convlint.static.program.project import Parsed

MOST_LINES = 200_000
"""Lines of a project whose syntax trees are kept at once, with what was followed in them: about half a GB."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All that was found in one file, whatever is selected, and the other files that this hangs on."""

    findings: Sequence[Finding]
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class Judge:
    """Judges one file after the other, and keeps what was read of the project on the way, as far as there is room.

    What is still needed then is read again; there is more room where a single file leads to most of it.
    """

    def __init__(
        self,
        root: str,
        entries: tuple[ModelEntry, ...],
        texts: SourceTexts,
        parsed: Parsed | None = None,
    ) -> None:
        from convlint import static

        self._source = static
        self._texts = texts
        self._about = (root, entries, texts, parsed)
        self._project: Project = static.Project(*self._about)
        self._room = MOST_LINES

    def judge(self, path: str) -> Judged:
        if self._project.lines > self._room:
            self._start_afresh()
        is_first = not self._project.lines
        judged = self._judged(path)
        if is_first:
            self._room = MOST_LINES + self._project.lines
        return judged

    def _start_afresh(self) -> None:
        *_, parsed = self._about
        if parsed is not None:
            parsed.clear()
        self._project = self._source.Project(*self._about)
        gc.collect()  # the parts of the old one hold each other

    def _judged(self, path: str) -> Judged:
        try:
            checked = self._source.check_file(path, self._texts.data(path), self._project)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other files are still checked
            text = (
                f"convlint failed in this file: {type(error).__name__}: {error}; please report this"
            )
            import traceback

            shown = traceback.format_exc()
            return Judged((), problems=(Problem("internal", text, path=path, traceback=shown),))
        return Judged(checked.findings, checked.files, checked.problems)


_judge: list[Judge] = []  # in a process of its own: the one that judges there


def in_processes(paths: Sequence[str], about: tuple[Any, ...], jobs: int) -> Iterator[Judged]:
    """The same in several processes, in the same order. They start afresh, so that no lock or thread is inherited."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, get_context

    # Neighbours import each other: a process that has several reads less twice.
    chunk = max(1, len(paths) // (jobs * 4))
    given = (gc.get_threshold(), about)
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _appoint, given)
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


def _appoint(threshold: tuple[int, int, int], about: tuple[Any, ...]) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that is asked to end ends these
    gc.set_threshold(*threshold)  # as it is in the process that asks
    _judge.append(Judge(*about))


def _judge_there(path: str) -> Judged:
    return _judge[0].judge(path)
