"""Write results to stdout or to ``--output-file``, which is written completely or not at all."""

from __future__ import annotations

import os

from convlint.cli.render import encode, write_stdout
from convlint.source_text import edits
from convlint.support.errors import UsageError


def require_writable(path: str | None) -> None:
    """Raise UsageError for a file that cannot be written; called before anything runs."""
    if path is None:
        return
    folder = os.path.dirname(os.path.realpath(path))
    if not path:
        raise UsageError("--output-file requires a file name")
    if os.path.isdir(path):
        raise UsageError(f"{path} is a directory; --output-file requires a file name")
    if not os.path.isdir(folder):
        raise UsageError(f"{path} cannot be written: directory {folder} does not exist")


def write(text: str, path: str | None) -> None:
    """Write results to the file at ``path``, or to stdout for None. Raises UsageError."""
    if path is None:
        write_stdout(text)
        return
    data = encode(text)
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # /dev/stdout, a pipe
            with open(path, "wb") as file:
                file.write(data)
        else:
            edits.write_atomically(path, data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
