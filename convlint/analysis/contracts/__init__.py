"""Numbers of a class that are equal for the arguments used today and need not be for others that it accepts."""

from __future__ import annotations

from convlint.analysis.contracts.argument_fixes import argument_fix
from convlint.analysis.contracts.claims import claim
from convlint.analysis.contracts.comparisons import Comparison, Comparisons, differ

__all__ = ["Comparison", "Comparisons", "argument_fix", "claim", "differ"]
