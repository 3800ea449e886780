"""Source locations of running code: which expression an instruction belongs to, and whose code it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import CodeType

import torch

import convlint
from convlint.source_text import lines
from convlint.source_text.site import Site

_TORCH = os.path.dirname(torch.__file__) + os.sep
_CONVLINT = os.path.dirname(convlint.__file__) + os.sep

Instant = tuple[CodeType, int]  # a code object and the offset of the instruction that it executes

# Caches by the id of the code, because its hash takes time in proportion to its length. They hold the code, so that no
# other object gets its id.
_foreign: dict[int, tuple[bool, CodeType]] = {}
_sites: dict[tuple[int, int, str], tuple[Site, CodeType]] = {}
_folder: ContextVar[str] = ContextVar("folder")


@contextmanager
def paths_relative_to(folder: str) -> Iterator[None]:
    """Context in which paths are shown relative to ``folder``, even if a model changes the working directory."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def shown_path(path: str) -> str:
    """A path as reports show it: relative to the working directory where it lies below it."""
    below = os.path.join(_base(), "")
    absolute = os.path.abspath(path)
    return absolute[len(below) :] if absolute.startswith(below) else path


def _base() -> str:
    return _folder.get(None) or os.getcwd()


def is_convlint(code: CodeType) -> bool:
    """Whether code is convlint's."""
    return code.co_filename.startswith(_CONVLINT)


def is_foreign(code: CodeType) -> bool:
    """Whether code belongs to torch, convlint or the interpreter, and so not to the user."""
    cached = _foreign.get(id(code))
    if cached is None:
        path = code.co_filename
        foreign = path.startswith((_TORCH, _CONVLINT, "<frozen", "<string>"))
        cached = _foreign[id(code)] = (foreign or path.endswith("contextlib.py"), code)
    return cached[0]


def site_of(instant: Instant) -> Site:
    """The source range of the expression that an instruction belongs to; see ``shown_path`` for its path."""
    code, offset = instant
    key = (id(code), offset, _base())
    if key not in _sites:
        _sites[key] = (_read_site(code, offset), code)
    return _sites[key][0]


def _read_site(code: CodeType, offset: int) -> Site:
    line, end_line, column, end_column = _positions(code)[offset // 2]
    path = code.co_filename
    line = line or code.co_firstlineno
    end_line = end_line or line
    return Site(
        path=shown_path(path),
        line=line,
        column=_character(path, line, column),
        end_line=end_line,
        end_column=_character(path, end_line, end_column),
        function=code.co_qualname,
    )


@cache
def _positions(code: CodeType) -> list[tuple[int | None, int | None, int | None, int | None]]:
    return list(code.co_positions())


def _character(path: str, line: int, column: int | None) -> int:
    """The column in characters, from 1, of an offset in UTF-8 bytes, from 0."""
    if column is None:
        return 1
    text = lines.at(path, line)
    if text.isascii():
        return column + 1
    return len(text.encode()[:column].decode(errors="replace")) + 1
