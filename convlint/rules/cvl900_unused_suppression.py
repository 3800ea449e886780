from __future__ import annotations

from convlint.rules.base import FileRule


class UnusedSuppression(FileRule):
    """A comment suppresses a convlint code on a line where that code is not reported.

    ## Why is this bad?

    The bug was fixed, or the layer was moved, and the comment stayed. It misleads readers, and it hides the next
    bug of that kind on this line.

    Only comments with a code are checked, and only for enabled rules that static analysis decides: a comment for a
    rule that needs a run may be needed there. Codes of other linters, a `# noqa` without a code, prefixes such as
    `CVL3`, and code where the analysis stopped are not checked.

    ## Use instead

    A comment without the code, or no comment.

    ## Fix safety

    The fix is safe: it changes a comment only. Other codes and other words in the comment stay.
    """

    code = "CVL900"
    name = "unused-suppression"
    severity = "warning"
    unnecessary_code = True
