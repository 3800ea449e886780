"""Apply the rules to one file after the other, in this process or in several others."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from convlint.ir import Finding, Problem
from convlint.settings.config import ModelEntry
from convlint.source_text.texts import SourceTexts

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from convlint.static import Project
    from convlint.static.program.project import Parsed

MOST_LINES = 200_000  # of a project whose syntax trees are in memory at once: about half a GB

Program = tuple[str, tuple[ModelEntry, ...], SourceTexts]
"""The root directory of a project, its configured models, and the texts of its files."""


@dataclass(frozen=True, repr=False)
class LintedFile:
    """All findings of one file, whichever rules are selected; ``files`` are the other files that they depend on."""

    findings: Sequence[Finding]
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class FileLinter:
    """Lints one file after the other, and keeps the parsed project in between as long as memory allows.

    ``parsed`` keeps the syntax trees of imported files for further linters.
    """

    def __init__(self, program: Program, parsed: Parsed | None = None) -> None:
        from convlint import static

        self._static = static
        self._program = program
        self._parsed = parsed
        self._project: Project = static.Project(*program, parsed)
        self._max_lines = MOST_LINES

    def lint(self, path: str) -> LintedFile:
        if self._project.lines > self._max_lines:
            self._restart()
        is_first = not self._project.lines
        linted = self._lint(path)
        if is_first:  # one file may import most of a project
            self._max_lines = MOST_LINES + self._project.lines
        return linted

    def _restart(self) -> None:
        if self._parsed is not None:
            self._parsed.clear()
        self._project = self._static.Project(*self._program, self._parsed)
        gc.collect()  # the parts of the old project refer to each other

    def _lint(self, path: str) -> LintedFile:
        *_, texts = self._program
        return lint_text(path, texts.data(path), self._project)


def lint_text(path: str, data: bytes, project: Project) -> LintedFile:
    """Lint one file with this content, and explain its errors. Never raises."""
    from convlint import static

    findings: Sequence[Finding] = ()
    try:
        start = time.perf_counter()
        checked = static.check_file(path, data, project)
        findings = [f.with_(graph=None) if f.graph else f for f in checked.findings]
        if any(finding.graph for finding in checked.findings):
            from convlint.repairs.static_trials import explained  # most files have no error

            same = project.with_texts(project.texts.with_overlays({path: data}))
            findings = explained(path, checked, same, time.perf_counter() - start)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other files are still checked
        import traceback

        text = f"convlint failed in this file: {type(error).__name__}: {error}; please report this"
        problem = Problem("internal", text, path=path, traceback=traceback.format_exc())
        return LintedFile(findings, problems=(problem,))
    return LintedFile(findings, checked.files, checked.problems)


def lint_in_processes(paths: Sequence[str], program: Program, jobs: int) -> Iterator[LintedFile]:
    """Lint files in ``jobs`` processes, and yield the results in the order of ``paths``.

    The processes are spawned, so that they inherit no locks or threads.
    """
    from multiprocessing import get_context
    from multiprocessing.connection import wait

    # Neighbors import each other: a process that lints several of them parses less twice.
    size = max(1, len(paths) // (jobs * 4))
    chunks = [paths[start : start + size] for start in range(0, len(paths), size)]
    waiting = iter(enumerate(chunks))
    done: dict[int, list[LintedFile]] = {}
    running: dict[Connection, int] = {}
    context = get_context("spawn")
    processes = []

    def send_next(connection: Connection) -> None:
        number, chunk = next(waiting, (-1, []))
        if chunk:
            running[connection] = number
        with suppress(OSError):  # a crashed process: receiving from it reports the crash
            connection.send(chunk)

    try:
        for _ in range(min(jobs, len(chunks))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, gc.get_threshold(), program), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            send_next(ours)
        for number in range(len(chunks)):
            while number not in done and running:
                for connection in cast("list[Connection]", wait([*running])):
                    finished = running.pop(connection)
                    try:
                        done[finished] = connection.recv()
                    except (EOFError, OSError):
                        done[finished] = [_crashed(path) for path in chunks[finished]]
                    else:
                        send_next(connection)
            if number not in done:  # all processes have crashed
                done[number] = [_crashed(path) for path in chunks[number]]
            yield from done.pop(number)
    finally:  # also if the caller stops early
        for process in processes:
            process.terminate()
            process.join()


def _crashed(path: str) -> LintedFile:
    text = "the process that checked this file has crashed; --jobs 1 shows more"
    return LintedFile((), problems=(Problem("crash", text, path=path),))


def _serve(connection: Connection, threshold: tuple[int, int, int], program: Program) -> None:
    """Lint the files that come through a connection until an empty list comes."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends this one
    gc.set_threshold(*threshold)  # as in the parent process
    linter = FileLinter(program)
    while paths := connection.recv():
        connection.send([linter.lint(path) for path in paths])
