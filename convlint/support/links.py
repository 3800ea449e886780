"""Links out of a folder that a stranger may have filled."""

from __future__ import annotations

import os


def leads_out(path: str) -> bool:
    """Return whether a file is a link out of the working directory.

    convlint writes through such a link only if the user has named it.
    """
    here = os.path.join(os.path.realpath(os.getcwd()), "")
    return os.path.islink(path) and not os.path.realpath(path).startswith(here)


def refusal(path: str) -> str:
    """The message about such a link."""
    return f"{path} cannot be written: it is a link to {os.path.realpath(path)}"
