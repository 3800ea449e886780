from __future__ import annotations

from convlint.rules.base import FileRule


class NotAnalysed(FileRule):
    """The source could not be followed here, and what hangs on it was not checked.

    ## Why is this bad?

    It is no defect. A value that source alone does not tell (it comes from a file, from the
    environment, from a library) is unknown, and nothing is ever reported of what is unknown. This
    rule shows which calls and classes could not be followed and why, for those who wonder about a
    defect that was not found. A number that is unknown keeps nothing from being followed, and is not
    shown. It is off by default.

    ## What to do

    Nothing, or check the model by a run: `convlint check net.py:Net --input 3,224,224` follows what
    really happens.
    """

    code = "CVL902"
    name = "not-analysed"
    severity = "info"
