"""The files of a project that may read or initialise the layers of a call."""

from __future__ import annotations

import os

from convlint.ir import Site
from convlint.rewriting import imports
from convlint.rewriting.base import EditedCall
from convlint.source_text import call_sites


def texts(edited: EditedCall) -> dict[str, str]:
    """The texts of the file of a call, of the files that call it, and of those that these import, by their paths."""
    here, project = edited.call.site.path, edited.project
    found = {here: "".join(edited.call.file.lines)}
    seen = {os.path.realpath(here)}
    for path in dict.fromkeys((here, *edited.callers)):
        file = edited.call.file if path == here else call_sites.parsed_file(path, project.texts)
        for other in (path, *(imports.files_of(file, path, project) if file else ())):
            if os.path.realpath(other) not in seen and project.refusal(Site(other, 1, 1, 1, 1)) is None:
                found[other] = project.texts.text(other)
            seen.add(os.path.realpath(other))
    return found
