"""Whose doing it is that a job raised: the code of the model, or convlint's own."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from types import TracebackType

from convlint.ir import Problem, Site
from convlint.runtime import code_sites
from convlint.runtime.failures import one_line

_LIBRARY = sysconfig.get_path("stdlib")


def problem(error: BaseException, during: str) -> Problem:
    """The problem that an exception is, which came out of a job. ``during`` says what ran."""
    if isinstance(error, SystemExit):
        return Problem("exit", f"the code of the model called sys.exit({_shown(error.code)})")
    whole = "".join(traceback.format_exception(error))
    kind = type(error).__name__
    if not isinstance(error, Exception):
        text = f"{during} raised {kind}, which ends a program: {one_line(error)}"
        return Problem("exit", text, traceback=whole)
    if sys.modules.get("sys") is not sys:
        text = f"{during} emptied sys.modules: Python cannot go on"
        return Problem("broken-module", text, traceback=whole)
    site = _of_the_model(error.__traceback__)
    if site is None:
        text = f"convlint itself failed: {kind}: {one_line(error)}; please report this"
        return Problem("internal", text, traceback=whole)
    text = f"{site.function} raised {kind} where convlint looked at the model: {one_line(error)}"
    return Problem("broken-module", text, site.path, site.line, traceback=whole)


def _of_the_model(step: TracebackType | None) -> Site | None:
    """The innermost line, if it is the user's; what torch and Python's library call for it is between."""
    site: Site | None = None
    while step is not None:
        code = step.tb_frame.f_code
        if code_sites.is_convlint(code):
            site = None
        elif not code_sites.is_foreign(code) and not code.co_filename.startswith(_LIBRARY):
            site = code_sites.site_of((code, step.tb_lasti))
        step = step.tb_next
    return site


def _shown(value: object) -> str:
    try:
        return repr(value)
    except BaseException as broken:
        return f"a {type(value).__name__} whose repr raises {type(broken).__name__}"
