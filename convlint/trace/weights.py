"""A checkpoint of the original, converted for its rewritten model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from convlint.model import Version


def loaded(model: nn.Module, version: Version) -> Mapping[str, float]:
    raise NotImplementedError
