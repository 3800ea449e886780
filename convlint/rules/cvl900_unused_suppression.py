from __future__ import annotations

from convlint.rules.base import FileRule


class UnusedSuppression(FileRule):
    """A comment silences a code of convlint on a line where that code is not found.

    ## Why is this bad?

    The defect was mended, or the layer was moved, and the comment stayed. It tells readers of a
    defect that is not there, and silences the next one that somebody makes on this line.

    Only comments that name a code are judged, and only by a rule that was selected and can be
    decided from source alone: a comment for a rule that needs a run may well be needed there.
    Nothing is said of codes of other linters, of a `# noqa` without a code, of prefixes such as
    `CVL3`, and of classes and functions in which the source could not be followed.

    ## What to do

    Take the code out of the comment, or delete the comment.

    ## Fix safety

    The fix is safe: it changes a comment only. Other codes and other words in the comment stay.
    """

    code = "CVL900"
    name = "unused-suppression"
    severity = "warning"
    unnecessary_code = True
