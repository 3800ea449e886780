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
