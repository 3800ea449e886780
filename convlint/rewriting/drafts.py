"""Drafts made in the files of a project: their new text, and the diff of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convlint.ir import Edit
from convlint.rewriting.base import Draft
from convlint.rewriting.project import Project
from convlint.source_text import edits, lines


@dataclass(frozen=True, slots=True)
class Written:
    """Each changed file before and after, and the edits between the two."""

    edits: tuple[Edit, ...]
    files: Mapping[str, tuple[bytes, bytes]]

    @property
    def diff(self) -> str:
        """As ``git apply`` takes it."""
        files = sorted(self.files.items())
        return "".join(edits.diff(path, before, after) for path, (before, after) in files)

    @property
    def texts(self) -> dict[str, str]:
        """The new texts, bytes as latin-1."""
        return {path: after.decode("latin-1") for path, (_, after) in self.files.items()}


def written(drafts: Sequence[Draft], project: Project) -> Written | str:
    """The project with these drafts made together, or why they cannot be."""
    from convlint.rewriting import helpers  # loads libcst

    by_path: dict[str, list[Draft]] = {}
    for draft in drafts:
        if not draft.edits:
            continue  # of a live model, which has no text
        by_path.setdefault(draft.edits[0].site.path, []).append(draft)
    every: list[Edit] = []
    files: dict[str, tuple[bytes, bytes]] = {}
    for path, here in by_path.items():
        try:
            before = project.texts.data(path)
            made = helpers.edits(path, lines.decode(before)[0], here)
            after = edits.apply(before, made)
        except (OSError, ValueError, SyntaxError, LookupError) as error:
            return f"{path} cannot be edited: {error}"
        if lines.parse(after) is None:
            return f"{path} could not be parsed any more"
        files[path] = before, after
        every += made
    return Written(tuple(every), files)
