"""A project's text as it would be: files are imported with other contents than those on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from typing import Any

from convlint.source_text import lines


@contextmanager
def files_replaced(texts: Mapping[str, str]) -> Iterator[None]:
    """Context in which an import of one of these files reads the text given here, bytes as latin-1.

    Everything else lies where it lies: a project's data, its packages, its folder. Nothing is copied and
    nothing written; compiled files that are kept beside the source are not looked at.
    """
    contents = {os.path.realpath(path): text.encode("latin-1") for path, text in texts.items()}
    get_data, path_stats = SourceFileLoader.get_data, SourceFileLoader.path_stats

    def get_data_here(loader: Any, path: str) -> bytes:
        data = contents.get(os.path.realpath(path))
        return get_data(loader, path) if data is None else data

    def path_stats_here(loader: Any, path: str) -> Any:
        if os.path.realpath(path) in contents:
            raise OSError("no compiled file belongs to this text")
        return path_stats(loader, path)

    SourceFileLoader.get_data = get_data_here  # type: ignore[method-assign,assignment]
    SourceFileLoader.path_stats = path_stats_here  # type: ignore[method-assign,assignment]
    by_path = {path: text.encode("latin-1") for path, text in texts.items()}
    absolute = {os.path.abspath(path): data for path, data in by_path.items()}
    try:
        with lines.standing_for({**by_path, **absolute}):
            yield
    finally:
        SourceFileLoader.get_data = get_data  # type: ignore[method-assign]
        SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]
