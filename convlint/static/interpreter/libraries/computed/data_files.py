"""yaml, json, toml and open: files of the project that the program reads as data, and texts in the program.

A file is read if its path is known and inside the project; nothing in it is executed.
"""

from __future__ import annotations

import os

from convlint.settings.data_files import SUFFIXES, DataError, parse_data, read_data
from convlint.static.domain.values import UNKNOWN, FilePath, OpenFile, Value, is_small
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction


def place_of(call: Call, path: str) -> str | None:
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
    path = str(path) if type(path) is FilePath else path
    if type(path) is not str or not path.endswith(SUFFIXES):
        return UNKNOWN
    place = place_of(call, path)
    try:
        value = UNKNOWN if place is None else read_data(place)
    except DataError:
        return UNKNOWN
    return value if is_small(value) else UNKNOWN


def _reader(suffix: str) -> NativeFunction:
    """Return a function of a text, or of an open file."""

    def function(call: Call) -> Value:
        if not call.args or type(call.args[0]) is not str:
            value = read(call) if call.args and type(call.args[0]) is OpenFile else UNKNOWN
        else:
            try:
                value = parse_data(call.args[0], suffix)
            except (ValueError, RecursionError):
                return UNKNOWN
        hook = call.kwargs.get("object_hook")
        if not is_small(value):
            return UNKNOWN
        return value if hook is None else _hooked(call, value, hook)

    return function


def _hooked(call: Call, value: Value, hook: Value) -> Value:
    """Return a value with what ``object_hook`` makes of each dict in it, the inner ones first."""
    if type(value) is list:
        return [_hooked(call, item, hook) for item in value]
    if type(value) is not dict:
        return value
    content = {key: _hooked(call, item, hook) for key, item in value.items()}
    return call.interpreter.call(hook, call.with_args([content], {}))


FUNCTIONS: dict[str, NativeFunction] = {
    **dict.fromkeys(("yaml.safe_load", "yaml.load", "yaml.full_load"), _reader(".yaml")),
    **dict.fromkeys(("json.load", "json.loads"), _reader(".json")),
    **dict.fromkeys(("toml.loads", "tomllib.loads", "tomli.loads", "tomllib.load", "tomli.load"), _reader(".toml")),
    "toml.load": read,
}
CONSTANTS: dict[str, float] = {}
