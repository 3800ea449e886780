"""Exceptions as facts: failures of the model under test, and problems that keep convlint from testing it."""

from __future__ import annotations

import os
import re
import traceback
from typing import Literal

from convlint.ir import Failure, Problem
from convlint.runtime import code_sites
from convlint.source_text.site import Site
from convlint.support.dataclass import replace

_MESSAGE_LIMIT = 2000  # characters of a message
_TRACEBACK_LIMIT = 100_000  # characters of a traceback, which contains the message


class ProblemError(Exception):
    """Something that cannot be checked. ``problem`` is what a report says about it."""

    def __init__(self, kind: str, message: str, place: str | Site | None = None, line: int | None = None) -> None:
        super().__init__(message)
        path, line = (place.path, place.line) if isinstance(place, Site) else (place, line)
        self._problem = Problem(kind, message, path and code_sites.report_path(path), line)

    @property
    def problem(self) -> Problem:
        """The problem, with the traceback of the exception that caused it."""
        if self.__cause__ is None:
            return self._problem
        return replace(self._problem, traceback="".join(traceback.format_exception(self.__cause__)))


def failure_of(error: BaseException, phase: Literal["constructor", "forward"], module: str = "") -> Failure:
    """The class and message of an exception, and the deepest line of the user's code that it passed."""
    frames = [instant for instant in code_sites.instants(error) if not code_sites.is_foreign(instant[0])]
    own = [frame for frame in frames if not code_sites.is_installed(frame[0].co_filename)] or frames
    chain = tuple(code_sites.site_of(frame) for frame in reversed(frames))
    site = _in_torchscript(error) or (code_sites.site_of(own[-1]) if own else None)
    whole = "".join(traceback.format_exception(error))[:_TRACEBACK_LIMIT]
    return Failure(phase, " ".join(type(error).__name__.split()), one_line(error), site, module, chain, whole)


_TORCHSCRIPT = "Traceback of TorchScript"
_PLACE = re.compile(r'^  File "(.+)", line (\d+), in (.+)$', re.MULTILINE)


def _in_torchscript(error: BaseException) -> Site | None:
    """The deepest line of the user's code in the traceback that TorchScript puts into the message of an error."""
    text = _text(error)
    places = _PLACE.findall(text[text.rindex(_TORCHSCRIPT) :]) if _TORCHSCRIPT in text else []
    for path, line, function in reversed(places):
        if os.path.isfile(path) and not code_sites.is_installed(path):
            number = int(line)
            return Site(code_sites.report_path(path), number, 1, number, 1, function)
    return None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # a user's __str__ may raise anything
        return ""


def one_line(error: BaseException) -> str:
    """The message of an exception on one line, shortened; its class if it has no message or ``str`` fails."""
    try:
        text = str(error)
        if _TORCHSCRIPT in text:
            text = text.strip().splitlines()[-1]
        line = " ".join(text[:_MESSAGE_LIMIT].split()) or type(error).__name__
        return line if len(text) <= _MESSAGE_LIMIT else f"{line} ..."
    except BaseException as broken:  # a user's __str__ may raise anything
        return f"{type(error).__name__} (its message cannot be shown: {type(broken).__name__})"
