"""Errors in command lines, settings and arguments."""

from __future__ import annotations

NOTEBOOK = ".ipynb"


class UsageError(ValueError):
    """An invalid command line, setting or argument; the message is one line that says what to write instead."""


def check_choice(value: str, choices: tuple[str, ...], name: str) -> None:
    """Raise UsageError, which names the nearest valid value, unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise UsageError(f"{name} {value!r} is unknown{nearest(value, choices)}")


def nearest(value: str, choices: tuple[str, ...]) -> str:
    """Return ``; did you mean 'int64'?``, or the list of all choices if none is similar."""
    from difflib import get_close_matches

    begun = [choice for choice in choices if value and choice.startswith(value)]
    parts = [choice for choice in choices if value in choice.split("-")]  # `relu` of `norm-relu`
    close = begun or parts or get_close_matches(value, choices, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; choose from {', '.join(choices)}"


def notebook_advice(path: str) -> str:
    """State that notebooks are not read, and how to make a file of their code."""
    import os

    script = f"{os.path.splitext(os.path.basename(path))[0]}.py"
    return f"notebooks are not read; write the code to {script} with `jupyter nbconvert --to script {path}`"


def nearest_file(path: str) -> str:
    """Return ``; did you mean src?`` for a path that does not exist, or "" if its folder has no similar one."""
    import os
    from difflib import get_close_matches

    folder, name = os.path.split(path.rstrip("/"))
    try:
        there = {os.path.splitext(other)[0]: other for other in os.listdir(folder or ".")}
    except OSError:
        return ""
    close = get_close_matches(os.path.splitext(name)[0], there, n=1, cutoff=0.6)
    return f"; did you mean {os.path.join(folder, there[close[0]])}?" if close else ""
