"""What works by luck: two numbers of a class that agree today, and need not agree tomorrow."""

from __future__ import annotations

from convlint.analysis.contracts.argument_fixes import argument_fix
from convlint.analysis.contracts.claims import claim
from convlint.analysis.contracts.meetings import Meeting, Meetings, differ

__all__ = ["Meeting", "Meetings", "argument_fix", "claim", "differ"]
