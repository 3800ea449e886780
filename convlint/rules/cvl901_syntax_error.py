from __future__ import annotations

from convlint.rules.base import FileRule


class SyntaxError(FileRule):
    """Python cannot parse the file, so it was not checked.

    ## Why is this bad?

    A file that does not parse cannot be imported. Every other file is still checked.

    The file is parsed by the Python that runs convlint. Newer syntax is an error too: run convlint with the Python
    version of your project.

    ## Use instead

    Valid syntax in the reported line or the one before it: an unclosed bracket is noticed only where the text stops
    making sense. Add a file that is not Python, for example a template, to `exclude`.
    """

    code = "CVL901"
    name = "syntax-error"
