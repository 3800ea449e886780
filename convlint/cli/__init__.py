"""The command line: parse the arguments, run a command, print its report.

``fast_path`` parses plain ``check`` and ``suggest`` commands, ``app`` all others with typer; both by
``pipelines.requests``, the table of options. Each command is a module here with a function ``run``.
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
    """Run the command line and exit. ``worker`` is a worker process that has been started already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold undecodable bytes
    try:
        code = _run(sys.argv[1:], worker)
        if not sys.stdout.closed:  # the language server closes it
            sys.stdout.flush()
    except UsageError as error:
        _complain(str(error))
        code = 2
    except BrokenPipeError:  # `convlint ... | head`
        _discard_stdout()
        code = 141
    except OSError as error:  # usually a full disk
        _complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
        _discard_stdout()
        code = 2
    raise SystemExit(code)


def _complain(text: str) -> None:
    from convlint.outputs.parts.terminal import message

    print(message(f"convlint: {text}"), file=sys.stderr)


def _discard_stdout() -> None:
    """Redirect standard output to nowhere: Python flushes it once more at exit, which would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _run(arguments: Sequence[str], worker: Worker | None) -> int:
    if [*arguments] == ["--version"]:
        print(f"convlint {convlint.__version__}")
        return 0
    from convlint.cli import fast_path

    request = fast_path.parse(arguments)
    if request is None:
        from convlint.cli import app  # loading typer takes longer than checking a file

        return app.run(worker)
    from convlint.pipelines.requests import SuggestRequest

    if isinstance(request, SuggestRequest):
        from convlint.cli import suggest

        return suggest.run(request, worker)
    from convlint.cli import check

    return check.run(request, worker)
