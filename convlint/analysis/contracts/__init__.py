"""What works by luck: two numbers of a class that agree today, and need not agree tomorrow."""

from __future__ import annotations

from convlint.analysis.contracts.argument_fixes import argument_fix
from convlint.analysis.contracts.claims import claim
from convlint.analysis.contracts.demands import PRESERVING
from convlint.analysis.contracts.meetings import Meeting, Meetings, differ

__all__ = ["PRESERVING", "Meeting", "Meetings", "argument_fix", "claim", "differ"]
