"""Read files that end: no pipes, no devices, and none of absurd size."""

from __future__ import annotations

import errno
import io
import os
import stat

MOST_BYTES = 1 << 26
"""The largest file that is read: 64 MiB."""


def read_regular_file(path: str, most: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes. Raises OSError, whose ``strerror`` says why."""
    try:
        status = os.stat(path)
    except ValueError as error:  # a null character
        raise OSError(errno.EINVAL, str(error), path) from None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device", path)
    if status.st_size > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", path)
    with io.open(path, "rb", opener=_without_waiting) as file:  # noqa: UP020 - a model may have replaced the builtin
        # A file of /proc has no size, may have no end, and may wait for its content.
        content: bytes | None = file.read() if status.st_size else file.read(most + 1)
    if content is None:
        raise OSError(errno.EAGAIN, "it has no content yet", path)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", path)
    return content


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
