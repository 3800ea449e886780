"""Messages about targets that name nothing, each with what to write instead."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from convlint.support.errors import nearest_file

_NAME = r"[^\W\d]\w*"
_MODULE = re.compile(rf"{_NAME}(\.{_NAME})*")
_OTHER_SEPARATOR = re.compile(rf"(?P<file>.+\.py)\W{{1,2}}(?P<name>{_NAME})")
SHAPE = re.compile(r"\(?\d+(,\s*\d+)+\)?|\d+(x\d+)+")
_CODE = re.compile(r"[A-Za-z]{3}\d{1,3}")
_ADDRESS = re.compile(r"[a-z][a-z+.-]*://\S+")
_ARGUMENT = re.compile(rf"{_NAME}=\S+")


def is_address(text: str) -> bool:
    """Return True for the address of something on a network."""
    return _ADDRESS.fullmatch(text) is not None


def misread(text: str, is_path: Callable[[str], bool]) -> str:
    """The message about a target that names neither a file or directory that exists nor a model."""
    head, colon, rest = text.partition(":")
    if is_address(text):
        return f"{text}: not a target; convlint does not download files, pass the path of a local one"
    if SHAPE.fullmatch(text):
        return f"{text}: not a target; a shape is passed as --input {text}"
    if text.isdecimal():
        return f"{text}: not a target; the numbers of a shape are separated by commas, as in --input 3,224,224"
    if _ARGUMENT.fullmatch(text):
        return f"{text}: not a target; arguments of a class are written in parentheses, as in 'net.py:Net({text})'"
    if _CODE.fullmatch(text):
        return f"{text}: not a target; codes are separated by commas, as in `--select CVL301,{text}`"
    if colon and rest.lstrip(":") != rest and _MODULE.fullmatch(rest.lstrip(":")):
        return f"{text}: a model is written with one colon, {head}:{rest.lstrip(':')}"
    if match := _OTHER_SEPARATOR.fullmatch(text):
        return f"{text}: a model is written with a colon, {match['file']}:{match['name']}"
    if colon and (is_path(head) or _MODULE.fullmatch(head)):
        if not rest.strip():
            return f"{text!r} has no name after the colon; write {head}:Name"
        if set(rest) & set("*?["):
            return f"{text}: a pattern of models is for `convlint sweep '{text}'`"
        return f"{text}: {rest!r} is neither a name nor a call of one, such as Net or Net(64)"
    if _MODULE.fullmatch(text):
        return f"{text}: no such file or directory; {_of_dotted(text)}"
    return f"{text}: not a target; write path.py:Name or package.module:Name"


def _of_dotted(text: str) -> str:
    """Advice for a dotted name: it may be a module that is a file here, a name in a module, or a misspelled file."""
    path = _as_path(text)
    if os.path.isfile(f"{path}.py"):
        return f"did you mean {path}.py?"
    outer, _, name = text.rpartition(".")
    is_file = name.lower() == "py"
    if not is_file and os.path.isfile(f"{_as_path(outer)}.py"):
        return f"a model in a file is written {_as_path(outer)}.py:{name}"
    if outer and not is_file and any(_has_module(folder, outer) for folder in _package_folders(text)):
        return f"a model in a module is written {outer}:{name}"
    if near := nearest_file(text):
        return near.removeprefix("; ")
    return f"a model in a module is written {text}:Name"


def _as_path(module: str) -> str:
    return module.replace(".", os.sep)


def _package_folders(text: str) -> Iterator[str]:
    """The folders that may contain the top package of a dotted name. Nothing is imported."""
    from importlib.util import find_spec

    yield "."
    try:
        spec = find_spec(text.partition(".")[0])
    except (ImportError, ValueError):
        return
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield os.path.dirname(folder)


def _has_module(folder: str, module: str) -> bool:
    path = os.path.join(folder, _as_path(module))
    return os.path.isfile(f"{path}.py") or os.path.isfile(os.path.join(path, "__init__.py"))
