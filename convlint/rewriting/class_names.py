"""Names of new classes without "Conv", where a project selects convolutions by the names of their classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from convlint.ir import Edit
from convlint.rewriting import related_files
from convlint.rewriting.base import Draft, EditedCall, Helper, HelperText, NamedEdit
from convlint.support.dataclass import dataclass, replace

_NAME_OF_CLASS = re.compile(r"__class__\.__name__|type\(\w+\)\.__name__|\._get_name\(\)")
_CONV = re.compile(r"""["']Conv(\dd)?["']""")


def without_conv(drafts: Iterable[Draft], edited: EditedCall) -> Iterator[Draft]:
    """The drafts with other names, where ``name.find("Conv") != -1`` would take the new layer for a convolution."""
    texts = related_files.texts(edited).values()
    by_name = any(_CONV.search(text) and _NAME_OF_CLASS.search(text) for text in texts)
    for draft in drafts:
        yield _renamed(draft) if by_name else draft


def _renamed(draft: Draft) -> Draft:
    names = {helper.name: helper.name.replace("Conv", "") for helper in draft.helpers if helper.name[:1].isupper()}
    names = {old: new for old, new in names.items() if old != new}
    edits: list[Edit] = []
    for edit in draft.edits:
        new = names.get(edit.name) if isinstance(edit, NamedEdit) else None
        if isinstance(edit, NamedEdit) and new is not None:
            edits.append(NamedEdit(edit.site, edit.renamed(new).text, new, edit.start))
        else:
            edits.append(edit)
    helpers = draft.helpers
    for old, new in names.items():
        helpers = tuple(_helper(helper, old, new) for helper in helpers)
    return replace(draft, edits=tuple(edits), helpers=helpers)


def _helper(helper: Helper, old: str, new: str) -> Helper:
    name = new if helper.name == old else helper.name
    if helper.writer is None:
        return Helper(name, helper.text.replace(old, new))
    return Helper.written(name, _Renamed(helper.writer, old, new), helper.parameters)


@dataclass(frozen=True, slots=True)
class _Renamed:
    """Writes the text of a helper with another name for a class."""

    writer: HelperText
    old: str
    new: str

    def __call__(self, parameters: frozenset[str]) -> str:
        return self.writer(parameters).replace(self.old, self.new)
