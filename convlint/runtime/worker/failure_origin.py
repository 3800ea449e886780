"""Attribute an exception of a job to the model or to convlint."""

from __future__ import annotations

import sys
import traceback

from convlint.ir import Problem, Site
from convlint.runtime import code_sites
from convlint.runtime.failures import one_line


def problem(error: BaseException, during: str) -> Problem:
    """Describe an exception of a job as a problem. ``during`` names the phase and the target."""
    if isinstance(error, SystemExit):
        text = f"the code of the model called sys.exit({_repr(error.code)})"
        if _is_of_an_import(error):
            text += ' while it was imported; what runs a program belongs below `if __name__ == "__main__":`'
        return Problem("exit", text)
    whole = "".join(traceback.format_exception(error))
    kind = type(error).__name__
    if not isinstance(error, Exception):
        text = f"{during} raised {kind}, which exits Python: {one_line(error)}"
        return Problem("exit", text, traceback=whole)
    if sys.modules.get("sys") is not sys:
        return Problem("broken-module", f"{during} emptied sys.modules: Python cannot continue", traceback=whole)
    site = _of_the_model(error)
    if site is None:
        text = f"convlint itself failed: {kind}: {one_line(error)}; please report this"
        return Problem("internal", text, traceback=whole)
    text = f"{site.function} raised {kind} while convlint inspected the model: {one_line(error)}"
    return Problem("broken-module", text, site.path, site.line, traceback=whole)


def _of_the_model(error: BaseException) -> Site | None:
    """The innermost frame outside torch and the standard library, if it is the user's and not convlint's."""
    site: Site | None = None
    for code, offset in code_sites.instants(error):
        if code_sites.is_convlint(code):
            site = None
        elif not code_sites.is_foreign(code):
            site = code_sites.site_of((code, offset))
    return site


def _is_of_an_import(error: BaseException) -> bool:
    """Return True for an exception of the statements of a module of the user."""
    codes = [code for code, _ in code_sites.instants(error)]
    own = [code for code in codes if not code_sites.is_convlint(code) and not code_sites.is_foreign(code)]
    return any(code.co_name == "<module>" for code in own)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except BaseException as broken:
        return f"a {type(value).__name__} whose repr raises {type(broken).__name__}"
