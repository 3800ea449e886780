"""The server's end of a run: a process that is asked, waited for without blocking, and ended with the server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

import convlint
from convlint.integrations.lsp.run_process import Answer, Asked
from convlint.ir import Problem, serialize

T = TypeVar("T")
_START = "import sys; sys.path.append(sys.argv[1]); from convlint.integrations.lsp.run_process import main; main()"
_ENDING = 5.0  # seconds that a run has to end what it started


async def ask(asked: Asked) -> Answer:
    """What came of a run, its paths absolute. Never raises for what the run does; cancelled, it is ended.

    The models run in the folder of their project, as they do for who types the command there.
    """
    async with _process(asked) as process:
        assert process.stdout is not None
        said = await process.stdout.read()
    try:
        answer: Answer = serialize.decode(Answer, json.loads(said))
        return _placed(answer, asked.root)
    except (ValueError, TypeError, KeyError):
        text = f"the run ended before it answered ({_ended(process)})"
        return Answer(problems=(Problem("crash", text, target=", ".join(asked.targets)),))


@asynccontextmanager
async def _process(asked: Asked) -> AsyncIterator[Process]:
    """A process that was asked, and of which nothing is left afterwards. It is a session of its own: Ctrl-C in a
    terminal ends the server alone, which ends it.
    """
    root = str(Path(convlint.__file__).parent.parent)
    command = [sys.executable, "-P", "-c", _START, root]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=asked.root, stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(serialize.encode(asked)).encode() + b"\n")
        with suppress(
            ConnectionError
        ):  # it has ended already: there is no answer, and that is told
            await process.stdin.drain()
        yield process
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _ENDING)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _ended(process: Process) -> str:
    status = process.returncode or 0
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"


def _placed(value: T, root: str) -> T:
    """An answer, or a part of one, with absolute paths: the run was in another folder than the server is."""
    if isinstance(value, tuple):
        return cast("T", tuple([_placed(one, root) for one in value]))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    parts = {one.name: _placed(getattr(value, one.name), root) for one in fields(value)}
    if parts.get("path"):
        parts["path"] = os.path.join(root, parts["path"])
    return replace(value, **parts)
