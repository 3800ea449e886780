"""The documents that are open in the editor, and may not be saved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from lsprotocol.types import TextDocumentContentChangeEvent, TextDocumentContentChangePartial
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import PositionCodec

from convlint.integrations.lsp.positions import place
from convlint.settings import discovery
from convlint.source_text import lines
from convlint.support.regular_file import read_regular_file

_BOM = b"\xef\xbb\xbf"


def path_of(uri: str) -> str:
    """Return the path of a document; an unsaved one, such as ``untitled:NAME``, gets one in the working directory."""
    path = to_fs_path(uri)  # Neovim's ``file://`` of an unsaved document has no name
    if path and os.path.basename(path):
        return os.path.abspath(path)
    return os.path.abspath(f"<{urlsplit(uri).path.rpartition('/')[2] or 'untitled'}>")


def uri_of(path: str) -> str:
    """Return the URI of a file that is not open."""
    uri: str | None = from_fs_path(os.path.abspath(path))
    assert uri is not None
    return uri


def is_python(uri: str, language: str) -> bool:
    """Return whether to check a document: a Python file or an unsaved text, but not a notebook cell."""
    return urlsplit(uri).scheme in ("file", "untitled") and (language == "python" or uri.endswith(".py"))


class Document:
    """An open document. ``version`` is the editor's; ``lines`` is a new list after every change."""

    def __init__(self, uri: str, text: str, version: int | None) -> None:
        self.uri = uri
        self.path = path_of(uri)
        self.version = version
        self._set(text)

    def _set(self, text: str) -> None:
        self.text = text
        self.lines = lines.split(text)
        self.data = lines.encode(text)

    @property
    def display_path(self) -> str:
        return discovery.display_path(self.path)

    def change(
        self, changes: Iterable[TextDocumentContentChangeEvent], version: int | None, codec: PositionCodec
    ) -> None:
        """Apply changes in order, each to the result of the one before."""
        for change in changes:
            if isinstance(change, TextDocumentContentChangePartial):
                start = self._offset(*place(self.lines, change.range.start, codec))
                end = self._offset(*place(self.lines, change.range.end, codec))
                self._set(self.text[:start] + change.text + self.text[max(start, end) :])
            else:
                self._set(change.text)
        self.version = version

    def _offset(self, line: int, column: int) -> int:
        return sum(map(len, self.lines[: line - 1])) + column - 1

    @property
    def is_saved(self) -> bool:
        """Return whether the file on disk has this text."""
        try:
            return read_regular_file(self.path).removeprefix(_BOM) == self.data.removeprefix(_BOM)
        except OSError:
            return False


class Documents:
    """All open documents, by their paths."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._open.values()))

    def by_path(self, path: str) -> Document | None:
        return self._open.get(os.path.abspath(path))

    def by_uri(self, uri: str) -> Document | None:
        return self._open.get(path_of(uri))

    def open(self, document: Document) -> None:
        self._open[document.path] = document

    def close(self, uri: str) -> Document | None:
        return self._open.pop(path_of(uri), None)

    def uri(self, path: str) -> str:
        """Return the URI of a file: that of the editor if the file is open."""
        document = self.by_path(path)
        return document.uri if document else uri_of(path)

    def lines(self, path: str) -> list[str]:
        """Return the lines of a file in the editor, or on disk if it is not open."""
        document = self.by_path(path)
        if document is not None:
            return document.lines
        try:
            return lines.split(lines.decode(read_regular_file(path))[0])
        except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
            return []  # sites in it move to the first line
