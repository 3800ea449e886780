"""Names that parameters for numbers of channels have."""

from __future__ import annotations

import re

_WIDTH = (
    r"(\w*_)?(channels?|planes|inplanes|outplanes|width|widths|features|filters|hidden|dims?|chs?)"
    r"(_\d+)?|growth(_rate)?|n[cgd]?f|(in|out|c)_?(ch|dim|c)?|c(in|out)|inp|oup|d_model|num_classes|classes"
)


def is_width_name(name: str) -> bool:
    """Check whether a parameter has the name of a number of channels: ``in_channels``, ``planes``, ``ngf``."""
    return re.fullmatch(_WIDTH, name) is not None
