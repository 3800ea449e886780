"""The nets in ``tests/runtime/nets``: small ones, written as people write theirs, to be rewritten.

Each builds without arguments and runs on one sample of the shape that stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("nets")


@dataclass(frozen=True, slots=True)
class Net:
    """A class, or a function without arguments that returns a model, in ``file`` below ``FOLDER``."""

    file: str
    name: str = "Net"
    input: tuple[int, ...] = (3, 64, 64)

    @property
    def target(self) -> str:
        """As a command names it, from the folder of the nets."""
        return f"{self.file}:{self.name}"


NETS = (
    Net("conv_bn_relu.py"),
    Net("densenet.py"),
    Net("dilated.py"),
    Net("flat_head.py"),
    Net("inception.py"),
    Net("initialised.py"),
    Net("named_imports.py"),
    Net("pluggable.py"),
    Net("registry.py"),
    Net("resnet.py", "basic"),
    Net("resnet.py", "bottleneck"),
    Net("resnet.py", "grouped"),
    Net("script.py"),
    Net("sequential.py"),
    Net("stages.py"),
    Net("tabs.py"),
    Net("torch_only.py"),
    Net("two_modules/net.py"),
    Net("unet.py"),
    Net("vgg.py", "plain"),
    Net("vgg.py", "with_norms"),
    Net("windows.py"),
)
