"""pathlib and importlib.resources: paths, kept as Python's own path objects, and the texts of the files they name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from convlint.settings.data_files import SUFFIXES
from convlint.static.domain.values import LONGEST, UNKNOWN, Bound, FilePath, Library, OpenFile, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.libraries.computed import data_files
from convlint.static.interpreter.pymodel.native import NativeFunction
from convlint.static.program.source_module import SourceModule
from convlint.support.regular_file import read_regular_file

_READABLE = (*SUFFIXES, ".cfg", ".txt")
_MOST_BYTES = 1 << 20
_PARTS = ("parent", "name", "stem", "suffix")


if TYPE_CHECKING:
    from pathlib import PurePosixPath


def attribute(path: FilePath, name: str) -> Value:
    """Return the attribute of a path: a part of it, or one of its methods."""
    if name in _PARTS:
        return _value(getattr(_pure(path), name))
    if name in ("parents", "parts"):
        return tuple([_value(each) for each in getattr(_pure(path), name)])
    return Bound(Library(f"pathlib.Path.{name}"), path)


def _path(call: Call) -> Value:
    if call.kwargs or not all(type(part) in (str, FilePath) and len(str(part)) < LONGEST for part in call.args):
        return UNKNOWN
    return _value(_pure(*call.args))


def _pure(*parts: Value) -> PurePosixPath:
    from pathlib import PurePosixPath  # few programs have paths

    return PurePosixPath(*map(str, parts))


def _value(result: object) -> Value:
    return result if isinstance(result, str | bool) else FilePath(str(result))


def _itself(call: Call) -> Value:
    return call.args[0]


def _other(method: str) -> NativeFunction:
    def function(call: Call) -> Value:
        return _value(getattr(_pure(call.args[0]), method)(*map(str, call.args[1:])))

    return function


def _open(call: Call) -> Value:
    return OpenFile(str(call.args[0])) if call.argument(1, "mode", "r") in ("r", "rb", "rt") else UNKNOWN


def exists(call: Call) -> Value:
    """Return True for a path that is a file of the project; any other may exist where the program runs."""
    return data_files.place_of(call, str(call.args[0])) is not None or UNKNOWN


def _text(call: Call) -> Value:
    source = call.args[0]
    path = source.path if type(source) is OpenFile else str(source)
    place = data_files.place_of(call, path) if path.endswith(_READABLE) else None
    if place is None:
        return UNKNOWN
    try:
        return read_regular_file(place, _MOST_BYTES).decode()
    except OSError:
        return UNKNOWN


def _lines(call: Call) -> Value:
    text = _text(call)
    return text.splitlines(keepends=True) if type(text) is str and text.count("\n") < LONGEST else UNKNOWN


def _files(call: Call) -> Value:
    """``importlib.resources.files(package)``: the folder of a package of the project."""
    package = call.args[0]
    if type(package) is str:
        module = call.interpreter.project.find(package, call.scope.module)
    else:
        module = package if type(package) is SourceModule else None
    return UNKNOWN if module is None else FilePath(os.path.dirname(os.path.abspath(module.path)))


def _of_package(method: NativeFunction) -> NativeFunction:
    def function(call: Call) -> Value:
        folder = _files(call)
        if type(folder) is not FilePath or type(call.args[1]) is not str:
            return UNKNOWN
        return method(call.with_args([FilePath(os.path.join(folder.text, call.args[1]))], {}))

    return function


_METHODS: dict[str, NativeFunction] = {
    **dict.fromkeys(("resolve", "absolute", "expanduser"), _itself),
    **{name: _other(name) for name in ("joinpath", "with_name", "with_suffix", "as_posix", "is_absolute")},
    "open": _open,
    **dict.fromkeys(("read_text", "read_bytes"), _text),
    **dict.fromkeys(("exists", "is_file"), exists),
}
FUNCTIONS: dict[str, NativeFunction] = {
    **dict.fromkeys(("pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"), _path),
    **{f"pathlib.Path.{name}": method for name, method in _METHODS.items()},
    "pathlib.File.read": _text,
    "pathlib.File.readlines": _lines,
    "importlib.resources.files": _files,
    **dict.fromkeys((f"importlib.resources.open_{kind}" for kind in ("text", "binary")), _of_package(_open)),
    **dict.fromkeys((f"importlib.resources.read_{kind}" for kind in ("text", "binary")), _of_package(_text)),
}
CONSTANTS: dict[str, float] = {}
