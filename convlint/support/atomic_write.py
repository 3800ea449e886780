"""Files that are replaced as a whole: who reads one sees the old or the new, also where the writer is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def replacing(path: str, *, durable: bool = True) -> Iterator[str]:
    """The path of a new file, to be written, which takes the place of the one at ``path`` in the end.

    A symbolic link stays, and the file that it leads to is replaced; permissions are kept; nothing is left behind
    after a failure, and a hidden ``.convlint-*.tmp`` by who is killed. ``durable`` waits for the disk, so that not even
    a loss of power leaves half a file. Raises OSError.
    """
    target = os.path.realpath(path)
    beside = os.path.join(os.path.dirname(target), f".convlint-{os.urandom(8).hex()}.tmp")
    try:
        yield beside
        if durable:
            handle = os.open(beside, os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        with suppress(FileNotFoundError):  # a new file has the permissions of any new file
            os.chmod(beside, os.stat(target).st_mode & 0o7777)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):  # the first failure is the one to tell
            os.unlink(beside)
        raise
