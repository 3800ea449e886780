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
from dataclasses import replace
from pathlib import Path

import convlint
from convlint import wire
from convlint.model import Edit, Finding, Problem, Related, Site
from convlint.server.runner import Answer, Asked, Offer, Ran

_START = "import sys; sys.path.append(sys.argv[1]); from convlint.server.runner import main; main()"
_ENDING = 5.0  # seconds that a run has to end what it started


async def ask(asked: Asked) -> Answer:
    """What came of a run, its paths absolute. Never raises for what the run does; cancelled, it is ended.

    The models run in the folder of their project, as they do for who types the command there.
    """
    async with _process(asked) as process:
        assert process.stdout is not None
        said = await process.stdout.read()
    try:
        return _placed(wire.decode(Answer, json.loads(said)), asked.root)
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
        process.stdin.write(json.dumps(wire.encode(asked)).encode() + b"\n")
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


# --- paths


def _placed(answer: Answer, root: str) -> Answer:
    """The answer with absolute paths: the run was in another folder than the server is."""

    def at(site: Site) -> Site:
        return replace(site, path=os.path.join(root, site.path))

    def edit(one: Edit) -> Edit:
        return replace(one, site=at(one.site))

    def finding(one: Finding) -> Finding:
        fix = one.fix and replace(one.fix, edits=tuple(map(edit, one.fix.edits)))
        related = tuple(Related(r.message, at(r.site)) for r in one.related)
        return one.with_(site=one.site and at(one.site), related=related, fix=fix)

    def ran(one: Ran) -> Ran:
        return replace(one, built=tuple(replace(b, site=at(b.site)) for b in one.built))

    def offer(one: Offer) -> Offer:
        return replace(one, edits=tuple(map(edit, one.edits)))

    def problem(one: Problem) -> Problem:
        return replace(one, path=one.path and os.path.join(root, one.path))

    return replace(
        answer,
        findings=tuple(map(finding, answer.findings)),
        models=tuple(map(ran, answer.models)),
        problems=tuple(map(problem, answer.problems)),
        offers=tuple(map(offer, answer.offers)),
    )
