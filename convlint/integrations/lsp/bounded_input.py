"""Standard input of the language server, which ends with one clear line where it is not the protocol."""

from __future__ import annotations

import re
from typing import BinaryIO

from convlint.support.errors import UsageError
from convlint.support.regular_file import MOST_BYTES

_MOST_HEADER_BYTES = 1 << 16
_MOST_MESSAGE_BYTES = 4 * MOST_BYTES
"""A message may contain the largest file that is read, with its escapes."""
_CONTENT_LENGTH = re.compile(rb"Content-Length: (\d+)\r\n")


class BoundedInput:
    """Reads lines of headers and bodies of messages as pygls requests them, and neither without end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._header_bytes = 0

    def readline(self) -> bytes:
        """Read a line of a header. Raises UsageError if the header is too long, or announces a message that is."""
        line = self._stream.readline(_MOST_HEADER_BYTES)
        self._header_bytes += len(line)
        if self._header_bytes >= _MOST_HEADER_BYTES:
            raise UsageError("standard input is not the Language Server Protocol; an editor starts `convlint server`")
        announced = _CONTENT_LENGTH.fullmatch(line)
        if announced is not None and (len(announced[1]) > 18 or int(announced[1]) > _MOST_MESSAGE_BYTES):
            raise UsageError(f"standard input announces a message of more than {_MOST_MESSAGE_BYTES:,} bytes")
        return line

    def read(self, size: int) -> bytes:
        """Read the body of a message, after its header."""
        self._header_bytes = 0
        return self._stream.read(size)
