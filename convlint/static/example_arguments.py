"""Arguments for a model that takes one object, such as a configuration: what its file and the project have for it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator

from convlint.settings.data_files import SUFFIXES, DataError, read_data
from convlint.static.program.parse import positional, walk
from convlint.static.program.source_module import SourceModule

_CONFIGURATION = re.compile(r"conf|cfg|arg|opt|hparam|setting|param", re.IGNORECASE)
_FOLDER = re.compile(r"^(conf|config|configs|cfg|cfgs|experiments|options|params)$", re.IGNORECASE)
_MOST_FILES = 20
_MOST_PARTS = 8  # of one file


def texts(module: SourceModule, scope: ast.AST, parameter: ast.arg, root: str, read: Iterable[str]) -> Iterator[str]:
    """Yield arguments as a target writes them: ``Config()``, ``get_args([])``, ``CFG``, ``@configs/small.yaml:model``.

    Args:
        module: the file of the model.
        scope: the class or function that has the parameter.
        parameter: the one that is required.
        root: the folder of the project, from which paths of data files start.
        read: the data files that the program reads, which come before others of the project.
    """
    if isinstance(parameter.annotation, ast.Name) and parameter.annotation.id in module.bindings:
        yield f"{parameter.annotation.id}()"
    for name, bindings in module.bindings.items():
        node = bindings[-1]
        if not _CONFIGURATION.search(name):
            continue
        if isinstance(node, ast.FunctionDef):
            count = len(positional(node.args)) - len(node.args.defaults)
            yield from ([f"{name}()"] if count == 0 else [f"{name}([])"] if count == 1 else [])
        elif isinstance(node, ast.ClassDef):
            yield f"{name}()"
        elif isinstance(node, ast.Assign):
            yield name
    wanted = _attributes(scope, parameter.arg)
    files = dict.fromkeys([*read, *_data_files(root)])
    for path in [*files][: _MOST_FILES if wanted else 0]:
        yield from _parts(path, root, wanted)


def _attributes(scope: ast.AST, name: str) -> set[str]:
    """The items and attributes that are read of a parameter."""
    found = set()
    for node in walk(scope):
        match node:
            case ast.Attribute(value=ast.Name(id=of), attr=key) if of == name and key not in ("get", "items", "keys"):
                found.add(key)
            case ast.Subscript(value=ast.Name(id=of), slice=ast.Constant(value=str(key))) if of == name:
                found.add(key)
    return found


def _data_files(root: str) -> Iterator[str]:
    """Yield the data files in the folders for configurations at the top of a project."""
    for folder in filter(_FOLDER.match, sorted(os.listdir(root))):
        for path, _, names in os.walk(os.path.join(root, folder)):  # yields nothing for a folder that cannot be read
            yield from (os.path.join(path, name) for name in sorted(names) if name.endswith(SUFFIXES))
            break


def _parts(path: str, root: str, wanted: set[str]) -> Iterator[str]:
    """Yield references to the mappings of a data file that have what is read of a parameter, the outer ones first."""
    try:
        pending = [("", read_data(path))]
    except DataError:
        return  # ``check`` reports what the program reads itself
    file, found = os.path.relpath(path, root), 0
    while pending and found < _MOST_PARTS:
        keys, value = pending.pop(0)
        if not isinstance(value, dict):
            continue
        if wanted <= value.keys():
            found += 1
            yield f"@{file}:{keys}" if keys else f"@{file}"
        pending += [(f"{keys}.{key}" if keys else key, part) for key, part in value.items() if _is_key(key)]


def _is_key(key: object) -> bool:
    return isinstance(key, str) and key.isidentifier()
