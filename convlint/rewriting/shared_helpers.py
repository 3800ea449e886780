"""Helpers that several edited files need: defined in one of them, from which the others import already."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence

from convlint.rewriting import imports, libcst_file
from convlint.rewriting.base import Draft, Helper, NamedEdit, merged_helpers
from convlint.rewriting.project import Project
from convlint.source_text import call_sites
from convlint.support.dataclass import replace

Drafts = Mapping[str, Sequence[Draft]]


def defined_once(by_path: Drafts, project: Project) -> dict[str, list[Draft]]:
    """The drafts of each file: helpers that a file needs as well as one that it imports from are imported too."""
    result = {path: list(drafts) for path, drafts in by_path.items()}
    for path in by_path:
        for statement, source in _imported(path, by_path, project):
            needed, there = merged_helpers(result[path]), merged_helpers(result[source])
            common = {key: helper for key, helper in needed.items() if key in there}
            if common and not {helper.name for helper in needed.values()} & (
                _taken(path, project) | _taken(source, project)
            ):
                result[path] = _importing(result[path], common, statement, path, project)
                result[source].append(Draft((), tuple(common.values())))
    return result


def _imported(path: str, by_path: Drafts, project: Project) -> Iterator[tuple[ast.ImportFrom, str]]:
    """The statements that import something at the top level of a file from another one of ``by_path``."""
    others = {os.path.realpath(other): other for other in by_path if other != path}
    file = call_sites.parsed_file(path, project.texts) if others else None
    for node in file.tree.body if file else ():
        if isinstance(node, ast.ImportFrom) and node.names[0].name != "*":
            found = imports.path_of(node, path, project)
            if found is not None and os.path.realpath(found) in others:
                yield node, others[os.path.realpath(found)]


def _taken(path: str, project: Project) -> set[str]:
    return libcst_file.parse(project.texts.text(path)).taken


def _importing(
    drafts: Sequence[Draft], common: Mapping[object, Helper], statement: ast.ImportFrom, path: str, project: Project
) -> list[Draft]:
    """The drafts without these helpers, and one that imports those of them that the file uses."""
    left = [replace(draft, helpers=tuple(h for h in draft.helpers if h.key not in common)) for draft in drafts]
    called = {edit.name for draft in drafts for edit in draft.edits if isinstance(edit, NamedEdit)}
    texts = "".join(helper.text for draft in left for helper in draft.helpers)
    names = [helper.name for helper in common.values() if helper.name in called or f"{helper.name}(" in texts]
    file = call_sites.parsed_file(path, project.texts)
    assert file is not None
    return [*left, Draft(tuple(imports.with_name(statement, path, file, name) for name in names))]
