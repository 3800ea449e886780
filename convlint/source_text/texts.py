"""The texts of source files: what is on disk, and what a caller puts in its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from convlint.source_text import lines
from convlint.support.regular_file import read_regular_file

_NO_OVERLAYS: Mapping[str, bytes] = MappingProxyType({})


class SourceTexts:
    """The source files that one command, one editor request or one API call works with.

    A file is read when it is first needed, and only once. ``overlays`` maps paths to contents that replace those on
    disk: standard input, an unsaved document, a file after its fixes. Relative and absolute paths of a file mean the
    same overlay. Two objects share nothing, so that each thread can have its own.
    """

    def __init__(self, overlays: Mapping[str, bytes] = _NO_OVERLAYS) -> None:
        self._overlays = {os.path.abspath(path): data for path, data in overlays.items()}
        self._data: dict[str, bytes] = {}
        self._texts: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}

    def with_overlays(self, overlays: Mapping[str, bytes]) -> SourceTexts:
        """Create texts with further overlays; all other files are read from disk again."""
        texts = SourceTexts(overlays)
        texts._overlays = self._overlays | texts._overlays
        return texts

    def has_overlay(self, path: str) -> bool:
        """Check whether the content of a file is given by an overlay."""
        return bool(self._overlays) and os.path.abspath(path) in self._overlays

    def data(self, path: str) -> bytes:
        """Return the content of a file. Raises OSError."""
        data = self._data.get(path)
        if data is None:
            data = self._overlays.get(os.path.abspath(path))
            data = self._data[path] = read_regular_file(path) if data is None else data
        return data

    def text(self, path: str) -> str:
        r"""Return the text of a file, or of a notebook cell.

        Every line ends in ``\n``. A file that cannot be read or decoded has an empty text.
        """
        text = self._texts.get(path)
        if text is None:
            text = self._texts[path] = self._decoded(path)
        return text

    def lines(self, path: str) -> list[str]:
        """Return the lines of ``text(path)``, each with its end."""
        source = self._lines.get(path)
        if source is None:
            source = self._lines[path] = lines.split(self.text(path))
        return source

    def line(self, path: str, number: int) -> str:
        """Return one line, counted from 1; an empty text if the file has no such line."""
        source = self.lines(path)
        return source[number - 1] if 0 < number <= len(source) else ""

    def _decoded(self, path: str) -> str:
        try:
            text, _ = lines.decode(self.data(path))
        except OSError:
            return _registered(path)
        except (SyntaxError, UnicodeDecodeError, LookupError):
            return ""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text if not text or text.endswith("\n") else f"{text}\n"


def _registered(path: str) -> str:
    """The text of code without a file, which IPython and others register with Python's ``linecache``."""
    import linecache

    return "".join(linecache.getlines(path)) if path in linecache.cache else ""
