"""Import files with contents other than those on disk, for example after a fix."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from typing import Any

from convlint.runtime.code_sites import sites_of_run
from convlint.runtime.isolation import patched
from convlint.source_text.texts import SourceTexts


@contextmanager
def files_replaced(texts: Mapping[str, str]) -> Iterator[None]:
    """Context in which imports of these files read the texts given here instead.

    ``texts`` maps paths to file contents, bytes decoded as latin-1. All other files are read from disk. Nothing is
    copied or written, and bytecode caches of the replaced files are ignored.
    """
    data_by_path = {path: text.encode("latin-1") for path, text in texts.items()}
    contents = {os.path.realpath(path): data for path, data in data_by_path.items()}
    get_data, path_stats = SourceFileLoader.get_data, SourceFileLoader.path_stats

    def get_data_here(loader: SourceFileLoader, path: str) -> bytes:
        data = contents.get(os.path.realpath(path))
        return get_data(loader, path) if data is None else data

    def path_stats_here(loader: SourceFileLoader, path: str) -> Mapping[str, Any]:
        if os.path.realpath(path) in contents:
            raise OSError("no compiled file belongs to this text")
        return path_stats(loader, path)

    with (
        patched(SourceFileLoader, "get_data", get_data_here),
        patched(SourceFileLoader, "path_stats", path_stats_here),
        _in_tracebacks(data_by_path),
        sites_of_run(texts=SourceTexts(data_by_path)),
    ):
        yield


@contextmanager
def _in_tracebacks(contents: Mapping[str, bytes]) -> Iterator[None]:
    """Context in which Python's tracebacks quote these contents."""
    texts = SourceTexts(contents)
    paths = {*contents, *map(os.path.abspath, contents)}
    before = {path: linecache.cache.get(path) for path in paths}
    for path in paths:
        # Python does not compare an entry without a time with the file on disk.
        linecache.cache[path] = (len(texts.text(path)), None, texts.lines(path), path)
    try:
        yield
    finally:
        for path, entry in before.items():
            linecache.cache.pop(path, None)
            if entry is not None:
                linecache.cache[path] = entry
