"""The configuration and the models that a command line names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from convlint.pipelines.requests import CheckRequest
from convlint.settings import config
from convlint.support.errors import UsageError, defines

if TYPE_CHECKING:
    from convlint.settings.targets import Target


def load_config(request: CheckRequest) -> config.Config:
    """The configuration of the project with the options of the command line over it. Raises UsageError."""
    return (config.Config() if request.isolated else config.discover()).overridden(
        select=request.select,
        ignore=request.ignore,
        extend_select=request.extend_select,
        exclude=request.exclude,
        fail_on=request.fail_on,
    )


def parse_model_or_path(text: str, after: Sequence[str] = (), before: Iterable[str] = ()) -> Target | None:
    """The model that a target names; None if it is a file or directory. Raises UsageError.

    ``after`` are the files before it on the command line, and ``before`` targets that follow it.
    """
    if os.path.lexists(text):
        return None
    path = text
    for word in before:
        path += f" {word}"
        if len(file := path.partition(":")[0]) > len(text) and os.path.lexists(file):
            raise UsageError(f"{text}: no such file or directory; a path with spaces is written in quotes: '{path}'")
    name = text.removeprefix(":")
    if after and name.isidentifier() and defines(after[-1], name):
        raise UsageError(f"{text}: no such file or directory; did you mean {after[-1]}:{name}?")
    from convlint.settings.targets import parse_target

    target = parse_target(text)
    return target if target.name is not None else None


def parse_model(text: str, verb: str) -> Target:
    """The model that a target names; ``verb`` is what the command does with it. Raises UsageError for a file."""
    from convlint.settings.targets import parse_target

    target = parse_target(text)
    if target.name is None:
        raise UsageError(f"{text} does not name a model; {_suggestion(text, verb)}")
    return target


def _suggestion(path: str, verb: str) -> str:
    """Suggest the first model that static analysis finds in a file."""
    if os.path.isfile(path):
        from convlint.static.project_models import detect

        found = sorted(detect([path], os.getcwd()), key=lambda model: bool(model.missing))
        if found:
            return f"did you mean {found[0].target}?"
    file = f"{path.rstrip('/')}/net.py" if os.path.isdir(path) else path
    return f"write {file}:Name to {verb} the model Name in it"
