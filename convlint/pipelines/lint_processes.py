"""Lint files in several processes.

They start isolated from the working directory: none of its files is imported, whatever its name is.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import convlint
from convlint.ir import Problem
from convlint.pipelines.file_linter import FileLinter, LintedFile, Program

_START = "import sys; sys.path.append(sys.argv[1]); from convlint.pipelines.lint_processes import serve; serve()"


def lint_in_processes(paths: Sequence[str], program: Program, jobs: int) -> Iterator[LintedFile]:
    """Lint files in ``jobs`` processes, and yield the results in the order of ``paths``.

    A process that crashes is replaced; each file that it had is reported as a problem.
    """
    # Neighbors import each other: a process that lints several of them parses less twice.
    size = max(1, len(paths) // (jobs * 4))
    chunks = [paths[start : start + size] for start in range(0, len(paths), size)]
    processes: list[_LintProcess] = []
    idle: SimpleQueue[_LintProcess | None] = SimpleQueue()
    for _ in range(jobs):
        idle.put(None)

    def lint(chunk: Sequence[str]) -> list[LintedFile]:
        process = idle.get()
        if process is None:
            process = _LintProcess(program)
            processes.append(process)
        results = process.lint(chunk)
        idle.put(process if results is not None else None)
        return [_crashed(path) for path in chunk] if results is None else results

    threads = ThreadPoolExecutor(jobs)
    try:
        for results in threads.map(lint, chunks):
            yield from results
    finally:  # also if the caller stops early
        threads.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.stop()


class _LintProcess:
    """A process with a linter. Requests and results are pickled into its standard input and output."""

    def __init__(self, program: Program) -> None:
        root = str(Path(convlint.__file__).parent.parent)
        self._process = subprocess.Popen(  # noqa: S603 - this Python and our own code
            [sys.executable, "-P", "-c", _START, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches only this process, which stops the others
        )
        self._send((gc.get_threshold(), program))

    def lint(self, paths: Sequence[str]) -> list[LintedFile] | None:
        """Lint files; None if the process has crashed."""
        self._send(list(paths))
        assert self._process.stdout is not None
        try:
            results: list[LintedFile] = pickle.load(self._process.stdout)  # noqa: S301 - from our own process
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            return None
        return results

    def stop(self) -> None:
        self._process.kill()
        with suppress(OSError), self._process:  # closes the pipes, and waits
            pass

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # a crashed process: receiving from it reports the crash
            pickle.dump(value, self._process.stdin)
            self._process.stdin.flush()


def _crashed(path: str) -> LintedFile:
    text = "the process that checked this file has crashed; --jobs 1 shows more"
    return LintedFile((), problems=(Problem("crash", text, path=path),))


def serve() -> None:
    """Lint the files that come through standard input until it ends. What is printed goes to standard error."""
    requests = sys.stdin.buffer
    with os.fdopen(os.dup(1), "wb") as results:
        os.dup2(2, 1)
        with suppress(EOFError):
            threshold, program = pickle.load(requests)  # noqa: S301 - from the process that started this one
            gc.set_threshold(*threshold)
            linter = FileLinter(program)
            while True:
                paths = pickle.load(requests)  # noqa: S301
                pickle.dump([linter.lint(path) for path in paths], results)
                results.flush()
