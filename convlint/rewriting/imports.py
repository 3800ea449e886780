"""Imports between the files of a project."""

from __future__ import annotations

import ast
import os

from convlint.ir import Edit, Site
from convlint.rewriting.project import Project
from convlint.source_text.call_sites import ParsedFile

_MOST_PACKAGES = 3  # folders above a file in which an absolute import is looked up


def path_of(node: ast.ImportFrom, path: str, project: Project) -> str | None:
    """The file of the project from which a statement in the file ``path`` imports."""
    folders = [os.path.dirname(os.path.abspath(path))]
    while len(folders) <= max(_MOST_PACKAGES, node.level):
        folders.append(os.path.dirname(folders[-1]))
    for folder in [folders[node.level - 1]] if node.level else folders:
        place = os.path.join(folder, *(node.module or "__init__").split("."))
        for found in (f"{place}.py", os.path.join(place, "__init__.py")):
            if os.path.isfile(found) and project.owns(found):
                return found
    return None


def with_name(node: ast.ImportFrom, path: str, file: ParsedFile, name: str) -> Edit:
    """The edit that imports one more name with a statement, after the last name that it has."""
    last = node.names[-1]
    line, column = last.end_lineno or last.lineno, last.end_col_offset or 0
    text = file.lines[line - 1]
    column = len(text.encode()[:column].decode())
    alone = not text[: last.col_offset].strip()
    start = text[: len(text) - len(text.lstrip())]
    return Edit(Site(path, line, column + 1, line, column + 1), f",\n{start}{name}" if alone else f", {name}")


def files_of(file: ParsedFile, path: str, project: Project) -> list[str]:
    """The files of the project that a file imports, with paths like its own."""
    found = []
    for node in file.nodes:
        for module, level in _imported_modules(node):
            statement = ast.ImportFrom(module or None, [], level)
            if (place := path_of(statement, path, project)) is not None:
                found.append(place if os.path.isabs(path) else os.path.relpath(place))
    return list(dict.fromkeys(found))


def _imported_modules(node: ast.AST) -> list[tuple[str, int]]:
    """The modules that a statement imports, or may import, each with the number of dots before it."""
    if isinstance(node, ast.Import):
        return [(alias.name, 0) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        parts = [(f"{module}.{alias.name}".strip("."), node.level) for alias in node.names if alias.name != "*"]
        return [(module, node.level), *parts]
    return []
