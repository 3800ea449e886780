"""yaml, json, toml and open: files of the project that the program reads as data, and texts in the program.

A file is read if its path is known and inside the project; nothing in it is executed.
"""

from __future__ import annotations

import os

from convlint.settings.data_files import SUFFIXES, DataError, parse_data, read_data
from convlint.static.domain.values import UNKNOWN, OpenFile, Value, is_small
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction


def _path(call: Call, path: str) -> str | None:
    """Return the file that a path means in the project's folder or in that of the program's file, if only one is."""
    project = call.interpreter.project
    _, scope = call.scope.called_from or (None, call.scope)
    own = os.path.abspath(scope.module.path)
    places = {os.path.realpath(os.path.join(folder, path)) for folder in (project.root, os.path.dirname(own))}
    root = os.path.join(os.path.realpath(project.root), "")
    found = [place for place in places if place.startswith(root) and os.path.isfile(place)]
    project.imports.add_uses(own, sorted(place for place in places if place.startswith(root)))
    return found[0] if len(found) == 1 else None


def read(call: Call) -> Value:
    """Return the content of an open file, or of a file by its path."""
    source = call.args[0]
    path = source.path if type(source) is OpenFile else source
    if type(path) is not str or not path.endswith(SUFFIXES):
        return UNKNOWN
    place = _path(call, path)
    try:
        value = UNKNOWN if place is None else read_data(place)
    except DataError:
        return UNKNOWN
    return value if is_small(value) else UNKNOWN


def _reader(suffix: str) -> NativeFunction:
    """Return a function of a text, or of an open file."""

    def function(call: Call) -> Value:
        if not call.args or type(call.args[0]) is not str:
            return read(call) if call.args and type(call.args[0]) is OpenFile else UNKNOWN
        try:
            value = parse_data(call.args[0], suffix)
        except (ValueError, RecursionError):
            return UNKNOWN
        return value if is_small(value) else UNKNOWN

    return function


FUNCTIONS: dict[str, NativeFunction] = {
    **dict.fromkeys(("yaml.safe_load", "yaml.load", "yaml.full_load"), _reader(".yaml")),
    **dict.fromkeys(("json.load", "json.loads"), _reader(".json")),
    **dict.fromkeys(("toml.loads", "tomllib.loads", "tomli.loads", "tomllib.load", "tomli.load"), _reader(".toml")),
    "toml.load": read,
}
CONSTANTS: dict[str, float] = {}
