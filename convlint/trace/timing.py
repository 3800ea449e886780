"""How long the original and the rewritten take."""

from __future__ import annotations

from torch import nn

from convlint.model import Timing, Version
from convlint.trace.inputs import Inputs


def timings(model: nn.Module, inputs: Inputs, version: Version) -> tuple[Timing, ...]:
    raise NotImplementedError
