"""The command line: options in, a report out. No logic of its own.

``quick`` reads the plain command lines of hooks and editors, ``app`` all others with typer. Both end in ``commands``.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import convlint
from convlint.support.errors import UsageError

if TYPE_CHECKING:
    from convlint.runtime.worker.client import Worker


def main(worker: Worker | None = None) -> None:
    """Run the command line; ``worker`` is one that was started already."""
    if worker is not None:
        from convlint.cli import session

        session.started.append(worker)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold anything
    try:
        code = _run(sys.argv[1:])
        if not sys.stdout.closed:  # the server closes it
            sys.stdout.flush()
    except UsageError as error:
        print(f"convlint: {error}", file=sys.stderr)
        code = 2
    except BrokenPipeError:  # `convlint ... | head`
        _write_no_more()
        code = 141
    except OSError as error:  # a full disk, mostly
        where = error.filename or "standard output"
        print(f"convlint: {where}: {error.strerror or error}", file=sys.stderr)
        _write_no_more()
        code = 2
    raise SystemExit(code)


def _write_no_more() -> None:
    """Let what is left for standard output go nowhere: Python would fail on it once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _run(arguments: Sequence[str]) -> int:
    if [*arguments] == ["--version"]:
        print(f"convlint {convlint.__version__}")
        return 0
    from convlint.cli import fast_path

    asked = fast_path.parse(arguments)
    if asked is None:
        from convlint.cli import app  # typer takes longer to load than a file to check

        return app.run()
    from convlint.cli import commands

    return commands.check(asked)
