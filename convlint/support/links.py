"""Links out of a folder that a stranger may have filled."""

from __future__ import annotations

import os


def leads_out(path: str) -> bool:
    """Return whether a file of the working directory is elsewhere: it is a link, or is in a folder that is one.

    A path outside the working directory was written by the user, so that only the file itself must not be a link.
    """
    here = os.path.join(os.path.realpath(os.getcwd()), "")
    if os.path.realpath(path).startswith(here):
        return False
    return os.path.islink(path) or os.path.abspath(path).startswith(here)


def refusal(path: str) -> str:
    """The message about such a file."""
    link = "it is a link to" if os.path.islink(path) else "its folder is a link, and the file is"
    return f"{path} cannot be written: {link} {os.path.realpath(path)}"
