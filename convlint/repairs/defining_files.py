"""The files in which the value of an attribute may be written: of a module, a configuration or a subclass."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from convlint.ir import Site
from convlint.repairs.written_number import Place, imported
from convlint.source_text import call_sites
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import replace

_MOST_FILES = 16  # that are looked through for one attribute


def module_named(texts: SourceTexts, place: Place, owner: ast.expr) -> Place | None:
    """The top level of the module that an expression names: ``constants`` after ``from lib import constants``."""
    name = ast.unparse(owner)
    if not isinstance(owner, ast.Name | ast.Attribute):
        return None
    for node in place.file.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    there = _module(texts, place, node, alias)
                    return None if there is None else replace(there, depth=place.depth)
    return None


def _module(texts: SourceTexts, place: Place, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Place | None:
    if isinstance(node, ast.Import):
        return imported(texts, place.path, ast.ImportFrom(alias.name, [], 0))
    there = imported(texts, place.path, node, alias.name)
    return (
        there if there is not None and there.path.endswith((f"{alias.name}.py", f"{alias.name}/__init__.py")) else None
    )


def files_around(texts: SourceTexts, place: Place, frames: Sequence[Site], *, of_self: bool) -> Iterator[Place]:
    """The file of an expression, those of the calls around it, and those from which these import names.

    What is imported defines no attribute of ``self``, but the file of a subclass may.
    """
    paths = dict.fromkeys([place.path, *(site.path for site in frames[place.depth :])])
    found = {path: place if path == place.path else _top_of(texts, path, place.depth) for path in paths}
    own = [each for each in found.values() if each is not None]
    yield from own
    for here in () if of_self else own:
        for node in here.file.nodes:
            if isinstance(node, ast.ImportFrom) and len(found) < _MOST_FILES:
                there = imported(texts, here.path, node)
                if there is not None and there.path not in found:
                    found[there.path] = there
                    yield replace(there, depth=place.depth)


def origins(texts: SourceTexts, place: Place, node: ast.expr) -> list[Place]:
    """The file that the first name of an expression is imported from; this one if it is not imported."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    name = node.id if isinstance(node, ast.Name) else None
    found = [
        imported(texts, place.path, statement, alias.name)
        for statement in place.file.nodes
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if (alias.asname or alias.name) == name
    ]
    return [replace(there, depth=place.depth) for there in found if there is not None] or [place]


def _top_of(texts: SourceTexts, path: str, depth: int) -> Place | None:
    file = call_sites.parsed_file(path, texts)
    return None if file is None else Place(path, file, file.tree, depth)
