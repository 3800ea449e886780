"""Who disagrees with whom about channels, and which end is to blame.

``ends`` reads from a graph which numbers must be equal, ``vote`` finds the fewest places in the
source that explain why some are not, and ``words`` says it. Rules ask for ``disagreements``.
"""

from __future__ import annotations

from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.messages import findings
from convlint.analysis.diagnosis.refused import Refusal, home
from convlint.analysis.diagnosis.vote import Disagreement, disagreements, refusals

__all__ = [
    "Disagreement",
    "Refusal",
    "Vote",
    "disagreements",
    "findings",
    "home",
    "refusals",
]
