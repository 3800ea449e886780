"""Application of drafts to the files of a project, and the diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlint.ir import Edit
from convlint.rewriting.base import Draft
from convlint.rewriting.project import Project
from convlint.source_text import edits, lines
from convlint.support.dataclass import dataclass, replace


@dataclass(frozen=True, slots=True)
class EditedFiles:
    """Edits, and the content of each edited file before and after them."""

    edits: tuple[Edit, ...]
    files: Mapping[str, tuple[bytes, bytes]]

    @property
    def diff(self) -> str:
        return "".join(edits.diff(path, before, after) for path, (before, after) in sorted(self.files.items()))

    @property
    def texts(self) -> dict[str, str]:
        """The new contents, with bytes decoded as latin-1."""
        return {path: after.decode("latin-1") for path, (_, after) in self.files.items()}


def apply_drafts(drafts: Sequence[Draft], project: Project) -> EditedFiles | str:
    """Apply drafts to the project together; a string is the reason why that is not possible."""
    from convlint.rewriting import helpers, shared_helpers  # these load libcst

    by_path: dict[str, list[Draft]] = {}
    for draft in drafts:
        paths = dict.fromkeys(edit.site.path for edit in draft.edits)  # none for a live model
        for path in paths:
            part = tuple(edit for edit in draft.edits if edit.site.path == path)
            # The first edit is that of the call, whose file needs the helpers.
            here = draft if path == draft.edits[0].site.path else Draft(())
            by_path.setdefault(path, []).append(replace(here, edits=part))
    every: list[Edit] = []
    files: dict[str, tuple[bytes, bytes]] = {}
    for path, together in shared_helpers.defined_once(by_path, project).items():
        try:
            before = project.texts.data(path)
            file_edits = helpers.edits(path, lines.decode(before)[0], together)
            after = edits.apply(before, file_edits)
        except (OSError, ValueError, SyntaxError, LookupError) as error:
            return f"{path} cannot be edited: {error}"
        if lines.parse(after) is None:
            return f"{path} could not be parsed after the edits"
        files[path] = before, after
        every += file_edits
    return EditedFiles(tuple(every), files)
