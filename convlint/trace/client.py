"""The command line's end of the worker: starts it, sends jobs, and waits for answers.

Nothing here imports torch. The worker is a process that has torch loaded and forks a child for each
job; see ``worker.py`` for what a child may and may not do.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import convlint
from convlint import wire
from convlint.model import Claim, Graph, Problem, Proof, Tried
from convlint.targets import Job, Prove, Try

_START = "import sys; sys.path.append(sys.argv[1]); from convlint.trace.worker import main; main()"
_STARTING = 120.0  # seconds that loading torch may take, on top of a job's own time
_ENDING = 5.0


Asked = Job | Prove | Try
KINDS = {"run": Job, "prove": Prove, "try": Try}
"""What a worker does, by the name that travels with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a job gave: a graph, or the proof or the trials that were asked for, and what could not be checked."""

    graph: Graph | None = None
    problems: tuple[Problem, ...] = ()
    proof: Proof | None = None
    tried: tuple[Tried, ...] = ()


class Worker:
    """A process that runs jobs. It starts at once, and loads torch while the caller goes on.

    ``-P`` keeps the working directory off its path until torch is loaded: a file of the user's that
    is called like a module of the standard library does no harm. It is a session of its own, so
    that Ctrl-C reaches the caller alone, and the caller ends it.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        root = str(Path(convlint.__file__).parent.parent)
        self._process = subprocess.Popen(  # noqa: S603 - this Python and our own code
            [sys.executable, "-P", "-c", _START, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._buffer = b""
        self._child: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prove(
        self,
        claim: Claim,
        *,
        timeout: float = 30.0,
        max_memory: int | None = None,
        root: str = ".",
    ) -> Proof:
        """What came of building and running the class of a claim. Never raises for what it does."""
        answer = self.run(Prove(claim, timeout, max_memory, root))
        if answer.proof is not None:
            return answer.proof
        reasons = [problem.message for problem in answer.problems]
        return Proof("unknown", reason="; ".join(reasons))

    def run(self, job: Asked) -> Answer:
        """The answer to one job. Never raises for what the job does; a worker that dies, or does
        not answer in time, is a problem of the answer, and the next job gets a new one.
        """
        if self._process.returncode is not None:
            self._start()
        until = time.monotonic() + job.timeout + _STARTING
        try:
            self._send(job)
            while True:
                message = json.loads(self._line(until))
                if "answer" in message:
                    self._child = None
                    return _on_behalf(wire.decode(Answer, message["answer"]), job)
                self._child = message["child"]
        except TimeoutError:
            return self._lost(job, "the worker does not answer")
        except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
            return self._lost(job, f"the worker died before it answered ({error})")

    def _send(self, job: Asked) -> None:
        assert self._process.stdin is not None
        kind = next(name for name, asked in KINDS.items() if type(job) is asked)
        self._process.stdin.write(json.dumps([kind, wire.encode(job)]).encode() + b"\n")

    def _line(self, until: float) -> bytes:
        """One line from the worker. Raises TimeoutError or EOFError."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            read = os.read(pipe, 1 << 20)
            if not read:
                raise EOFError(_ended(self._process.wait(_ENDING)))
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _lost(self, job: Asked, message: str) -> Answer:
        self.close()
        return _on_behalf(Answer(None, (Problem("worker", message),)), job)

    def close(self) -> None:
        """End the worker and whatever it runs. Nothing of it is left when this returns."""
        if self._process.returncode is None:
            assert self._process.stdin is not None
            with suppress(OSError):
                self._process.stdin.close()  # it kills its child and exits
            if self._child is not None:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_ENDING)
            self._process.kill()
            self._process.wait()
        if self._child is not None:
            with suppress(OSError):
                os.killpg(self._child, signal.SIGKILL)
            self._child = None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _ended(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit code {status}"


def _on_behalf(answer: Answer, job: Asked) -> Answer:
    """The answer with the job's target in its problems."""
    from dataclasses import replace

    problems = tuple(replace(problem, target=job.text) for problem in answer.problems)
    return replace(answer, problems=problems)
