"""What works by luck: two numbers of a class that agree today, and need not agree tomorrow."""

from __future__ import annotations

from convlint.latent.candidates import claim
from convlint.latent.demands import PRESERVING
from convlint.latent.meeting import Meeting, Meetings, differ
from convlint.latent.spans import argument_fix

__all__ = ["PRESERVING", "Meeting", "Meetings", "argument_fix", "claim", "differ"]
