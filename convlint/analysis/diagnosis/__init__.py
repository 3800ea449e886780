"""Layers that disagree about a number of channels, and the place in the source to blame.

``votes`` reads from a graph which numbers have to be equal, ``blame`` finds the fewest places in the source that
explain the disagreements, and ``messages`` turns them into findings.
"""

from __future__ import annotations

from convlint.analysis.diagnosis.blame import Disagreement, ballots, disagreements, limit, refusals
from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.messages import about_layers, findings
from convlint.analysis.diagnosis.refused import Refusal, home
from convlint.analysis.diagnosis.unknown_sizes import without_consequences

__all__ = [
    "Disagreement",
    "Refusal",
    "Vote",
    "about_layers",
    "ballots",
    "disagreements",
    "findings",
    "home",
    "limit",
    "refusals",
    "without_consequences",
]
