from __future__ import annotations

from convlint.rules.base import FileRule


class SyntaxError(FileRule):
    """Python cannot parse the file, so nothing in it was checked.

    ## Why is this bad?

    A file that does not parse cannot be imported. Every other file is still checked.

    The file is parsed by the Python that convlint runs on. What is newer than that is an error too:
    run convlint with the Python that your project runs on.

    ## What to do

    Mend the line that is named, or the one before it: a bracket that is not closed is noticed only
    where the text stops to make sense. A file that is no Python, a template for instance, belongs in
    `exclude`.
    """

    code = "CVL901"
    name = "syntax-error"
    severity = "error"
