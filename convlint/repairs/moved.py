"""Places of an edited program in the texts before the edits."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.ir import Edit, Site
from convlint.support.dataclass import replace


def before(site: Site, edits: Sequence[Edit]) -> Site:
    """A span of the edited texts as it was before ``edits``: these move the columns of their lines, and no lines."""
    column, end_column = site.column, site.end_column
    for edit in sorted(edits, key=lambda each: (each.site.line, each.site.column)):  # all that move the next are undone
        if edit.site.path == site.path:
            by = len(edit.text) - (edit.site.end_column - edit.site.column)
            last = edit.site.column + len(edit.text)
            if edit.site.line == site.line and column >= last:
                column -= by
            if edit.site.line == site.end_line and end_column >= last:
                end_column -= by
    if (column, end_column) == (site.column, site.end_column):
        return site
    return replace(site, column=column, end_column=end_column)
