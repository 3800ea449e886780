from __future__ import annotations

from convlint.rules.base import FileRule


class NotAnalysed(FileRule):
    """Static analysis stopped here, and code that depends on this value was not checked.

    ## Why is this bad?

    It is not a bug. A value that static analysis cannot determine (from a file, the environment, or a library) is
    unknown, and convlint reports nothing about unknown values. This rule lists the places where the analysis stopped:
    calls of functions and modules that are not known, layers with an unknown number of channels, loops over unknown
    values. Each names the first unknown value that caused it, with its line. The rule is off by default; the coverage
    line of a report, `coverage` in JSON and `--min-coverage` sum it up.

    ## Use instead

    A run of the model, which records what really happens: `convlint check net.py:Net --input 3,224,224`. No change
    is needed.
    """

    code = "CVL902"
    name = "not-analysed"
    severity = "info"
