"""The process in which user code runs: torch loaded once, one forked child for each job.

Jobs come as lines of JSON on stdin, answers go back as lines of JSON on what was stdout; never
pickle, for user code ran here. What a child prints goes to stderr. The worker itself runs no user
code and no operation of torch, so that a fork of it is whole; it watches the child's time and
memory, and kills all that the child leaves behind.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import re
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from convlint import wire
from convlint.model import Problem
from convlint.targets import Job
from convlint.trace.client import Answer

_TICK = 0.05  # seconds between two looks at the child's memory
_LAST_WORDS = 0.3  # seconds that a child which is out of time has to say which line it is in
_SUBREAPER, _PARENT_DEATH = 36, 1  # of prctl(2)


def main() -> NoReturn:
    """Run jobs until stdin ends."""
    jobs, answers = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    _prctl(_SUBREAPER, 1)
    os.environ["TORCHDYNAMO_DISABLE"] = "1"  # compiled parts run as the Python they were made from
    gc.disable()  # nothing that an import makes is garbage
    try:
        from convlint.trace import session
    except ImportError as error:
        session, missing = None, Problem("no-torch", _no_torch(error))
    gc.freeze()
    gc.enable()
    for line in _lines(jobs):
        job = wire.decode(Job, json.loads(line))
        if session is None:
            _write(answers, {"answer": wire.encode(Answer(None, (missing,)))})
        else:
            _Child(job, session.run_job, jobs, answers).run()
    os._exit(0)


def _no_torch(error: ImportError) -> str:
    if error.name == "torch":
        return "PyTorch is not installed for this Python: pip install 'convlint[torch]'"
    return f"PyTorch cannot be imported: {error}"


def _lines(pipe: int) -> Any:
    """Complete lines from a pipe, read without a buffer that would hide what waits in it."""
    pending = b""
    while read := os.read(pipe, 1 << 16):
        *lines, pending = (pending + read).split(b"\n")
        yield from lines


def _write(pipe: int, message: Any) -> None:
    data = memoryview(json.dumps(message).encode() + b"\n")
    while data:
        data = data[os.write(pipe, data) :]


def _prctl(option: int, value: int) -> None:
    """prctl(2), which only Linux has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


class _Child:
    """One job in a process of its own."""

    def __init__(self, job: Job, run_job: Any, jobs: int, answers: int) -> None:
        self._job = job
        self._run_job = run_job
        self._jobs = jobs
        self._answers = answers
        self._limit = job.max_memory or int(0.8 * _available_memory())
        self._phase = "import"
        self._read, self._written = os.pipe()
        self._dump = tempfile.TemporaryFile()  # noqa: SIM115 - closed by run()

    # --- in the worker

    def run(self) -> None:
        """Fork, wait for the answer, pass it on, and leave nothing running."""
        pid = os.fork()
        if pid == 0:
            self._be_the_child()
        os.close(self._written)
        _write(self._answers, {"child": pid})
        try:
            answer = self._watch(pid)
        finally:
            self._end(pid)
            os.close(self._read)
        if isinstance(answer, Problem):
            _write(self._answers, {"answer": wire.encode(Answer(None, (self._placed(answer),)))})
        else:
            os.write(self._answers, answer + b"\n") ...
