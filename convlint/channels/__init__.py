"""Who disagrees with whom about channels, and which end is to blame.

``ends`` reads from a graph which numbers must be equal, ``vote`` finds the fewest places in the
source that explain why some are not, and ``words`` says it. Rules ask for ``disagreements``.
"""

from __future__ import annotations

from convlint.channels.refused import Refusal, home
from convlint.channels.sizes import Vote
from convlint.channels.vote import Disagreement, disagreements, refusals
from convlint.channels.words import findings

__all__ = [
    "Disagreement",
    "Refusal",
    "Vote",
    "disagreements",
    "findings",
    "home",
    "refusals",
]
