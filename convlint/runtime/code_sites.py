"""Source locations of running code: which expression an instruction belongs to, and whose code it is."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import CodeType

import torch

import convlint
from convlint.source_text.site import Site
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass, field

_TORCH = os.path.dirname(torch.__file__) + os.sep
_CONVLINT = os.path.dirname(convlint.__file__) + os.sep
_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

Instant = tuple[CodeType, int]  # a code object and the offset of the instruction that it executes

# By the id of the code, because its hash takes time in proportion to its length. The code is kept, so that no other
# object gets its id.
FOREIGN: dict[int, tuple[bool, CodeType]] = {}


@dataclass
class _Run:
    """The source files of a run: the folder that paths are relative to, texts, and the sites that are known."""

    folder: str = field(default_factory=os.getcwd)
    texts: SourceTexts = field(default_factory=SourceTexts)
    sites: dict[tuple[int, int], tuple[Site, CodeType]] = field(default_factory=dict)


_run: ContextVar[_Run] = ContextVar("run")


@contextmanager
def sites_of_run(folder: str | None = None, texts: SourceTexts | None = None) -> Iterator[None]:
    """Context in which paths are shown relative to ``folder``, even if a model changes the working directory.

    None keeps the folder of the context around it. ``texts`` has the source of the code that runs; None reads it from
    disk.
    """
    token = _run.set(_Run(folder or _current().folder, texts or SourceTexts()))
    try:
        yield
    finally:
        _run.reset(token)


def _current() -> _Run:
    return _run.get(None) or _Run()


def report_path(path: str) -> str:
    """A path for reports: relative to the working directory if it is inside it."""
    below = os.path.join(_current().folder, "")
    absolute = os.path.abspath(path)
    return absolute[len(below) :] if absolute.startswith(below) else path


def source_line(path: str, number: int) -> str:
    """A line of the source of running code; an empty text if there is none."""
    return _current().texts.line(path, number)


def is_convlint(code: CodeType) -> bool:
    """Return whether code is convlint's."""
    return code.co_filename.startswith(_CONVLINT)


def is_foreign(code: CodeType) -> bool:
    """Return whether code belongs to torch, convlint or Python's standard library, and so not to the user."""
    return (FOREIGN.get(id(code)) or judged(code))[0]


def judged(code: CodeType) -> tuple[bool, CodeType]:
    """Find out whether code is foreign, for ``FOREIGN``."""
    path = code.co_filename
    foreign = path.startswith((_TORCH, _CONVLINT, "<frozen", "<string>"))
    foreign |= path.startswith(_LIBRARY) and not is_installed(path)
    FOREIGN[id(code)] = found = (foreign, code)
    return found


def is_installed(path: str) -> bool:
    """Return whether a file belongs to an installed package."""
    return any(folder in path for folder in _INSTALLED)


def instants(error: BaseException | None) -> Iterator[Instant]:
    """The instructions that an exception has passed, the outermost first."""
    step = error.__traceback__ if error else None
    while step is not None:
        yield step.tb_frame.f_code, step.tb_lasti
        step = step.tb_next


def site_of(instant: Instant) -> Site:
    """The source range of the expression that an instruction belongs to; see ``report_path`` for its path."""
    code, offset = instant
    sites = _current().sites
    key = (id(code), offset)
    if key not in sites:
        sites[key] = (_read_site(code, offset), code)
    return sites[key][0]


def _read_site(code: CodeType, offset: int) -> Site:
    line, end_line, column, end_column = _positions(code)[offset // 2]
    path = code.co_filename
    line = line or code.co_firstlineno
    end_line = end_line or line
    return Site(
        path=report_path(path),
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
    text = source_line(path, line)
    if text.isascii():
        return column + 1
    return len(text.encode()[:column].decode(errors="replace")) + 1
