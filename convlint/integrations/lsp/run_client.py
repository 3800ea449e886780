"""Run models in a separate process: start it, wait for it without blocking, and end it with the server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

import convlint
from convlint.integrations.lsp.run_process import RunRequest, RunResponse
from convlint.ir import Problem, serialize
from convlint.support.dataclass import fields, replace

T = TypeVar("T")
_START = "import sys; sys.path.append(sys.argv[1]); from convlint.integrations.lsp.run_process import main; main()"
_SHUTDOWN_TIMEOUT = 5.0  # seconds for a run to end its own processes


async def run(request: RunRequest) -> RunResponse:
    """Run models in the folder of their project, and return the result with absolute paths, or problems."""
    async with _process(request) as process:
        assert process.stdout is not None
        output = await process.stdout.read()
    try:
        response: RunResponse = serialize.decode(RunResponse, json.loads(output))
        return _with_absolute_paths(response, request.root)
    except (ValueError, TypeError, KeyError):
        text = f"the run ended without a result ({_exit_status(process)})"
        return RunResponse(problems=(Problem("crash", text, target=", ".join(request.targets)),))


@asynccontextmanager
async def _process(request: RunRequest) -> AsyncIterator[Process]:
    """Context with the process of a run, which is ended on exit."""
    command = [sys.executable, "-P", "-c", _START, str(Path(convlint.__file__).parent.parent)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=request.root, stdin=PIPE, stdout=PIPE, start_new_session=True
    )  # in a session of its own, Ctrl-C in a terminal ends only the server, which then ends the run
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(serialize.encode(request)).encode() + b"\n")
        with suppress(ConnectionError):  # it has ended already, which is reported as a missing result
            await process.stdin.drain()
        yield process
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _SHUTDOWN_TIMEOUT)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _exit_status(process: Process) -> str:
    status = process.returncode or 0
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"


def _with_absolute_paths(value: T, root: str) -> T:
    """Return a response, or a part of one, with absolute paths; the run has another working directory."""
    if isinstance(value, tuple):
        return cast("T", tuple([_with_absolute_paths(item, root) for item in value]))
    if not fields(value) or isinstance(value, type):
        return value
    parts = {field.name: _with_absolute_paths(getattr(value, field.name), root) for field in fields(value)}
    if parts.get("path"):
        parts["path"] = os.path.join(root, parts["path"])
    return replace(value, **parts)
