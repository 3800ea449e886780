"""Where results go: to stdout, or to the file that ``--output-file`` names, which is complete or not there."""

from __future__ import annotations

import os

from convlint.cli.render import encoded, raw
from convlint.source_text import edits
from convlint.support.errors import UsageError


def check(path: str | None) -> None:
    """Refuse a file that cannot be written, before anything runs. Raises UsageError."""
    if path is None:
        return
    folder = os.path.dirname(os.path.realpath(path))
    if not path:
        raise UsageError("--output-file needs the name of a file")
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder; --output-file needs the name of a file")
    if not os.path.isdir(folder):
        raise UsageError(f"{path} cannot be written: there is no folder {folder}")


def put(text: str, path: str | None) -> None:
    """Write results to the file at ``path``, or to stdout for None. Raises UsageError."""
    if path is None:
        raw(text)
        return
    data = encoded(text)
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # /dev/stdout, a pipe
            with open(path, "wb") as file:
                file.write(data)
        else:
            edits.write_atomically(path, data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
