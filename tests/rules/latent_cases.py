"""Classes in the styles that people write: half are wrong for arguments that they claim to accept,
half are correct and look alike.

The texts build nothing when they are imported: whoever judges them has the source alone. Each is
proved with real PyTorch in ``test_latent_cases.py``.
"""

from __future__ import annotations

from tests.rules import latent_bad, latent_bad_blocks, latent_good, latent_good_nets
from tests.rules.latent_case import Case

BAD: tuple[Case, ...] = (*latent_bad.CASES, *latent_bad_blocks.CASES)
GOOD: tuple[Case, ...] = (*latent_good.CASES, *latent_good_nets.CASES)
CASES: tuple[Case, ...] = (*BAD, *GOOD)
