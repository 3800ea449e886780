"""Replace files atomically: a reader sees the old or the new content, even if the writer is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def atomic_replacement(path: str, *, durable: bool = True, follow_links: bool = True) -> Iterator[str]:
    """Context that yields the path of a new file, which replaces the one at ``path`` at the end.

    The file that a symbolic link points to is replaced, the link itself without ``follow_links``, and permissions are
    kept. After an error the new file is
    deleted; a killed process can leave a hidden ``.convlint-*.tmp``. ``durable`` waits for the disk, so that a power
    failure cannot leave half a file. Raises OSError.
    """
    target = os.path.realpath(path) if follow_links else os.path.abspath(path)
    temporary = os.path.join(os.path.dirname(target), f".convlint-{os.urandom(8).hex()}.tmp")
    try:
        yield temporary
        if durable:
            handle = os.open(temporary, os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        with suppress(FileNotFoundError):  # a new file has the default permissions
            os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):  # the first error is the one to report
            os.unlink(temporary)
        raise
