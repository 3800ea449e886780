"""Layers between the two convolutions of a depthwise separable one: operators, costs and text."""

from __future__ import annotations

from collections.abc import Mapping

from convlint.ir import IntermediateLayers
from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Between:
    """Layers between two convolutions.

    ``computed`` counts the maps from the first convolution to the second, ``saved`` those of them that autograd saves,
    ``params`` the parameters of each channel.
    """

    operators: tuple[str, ...]
    activation: str = ""  # a class of torch.nn
    computed: int = 3
    saved: int = 3
    params: int = 2

    @property
    def in_words(self) -> str:
        """For the title of a suggestion."""
        activation = f" and {self.activation}" if self.activation else ""
        return f", BatchNorm{activation} between" if self.operators else ""


FORMS: Mapping[IntermediateLayers, Between] = {
    "none": Between((), computed=1, saved=1, params=0),
    "norm": Between(("batch_norm",), computed=2, saved=2),
    "norm-relu": Between(("batch_norm", "relu"), "ReLU", saved=2),  # its output, which the convolution reads too
    "norm-prelu": Between(("batch_norm", "prelu"), "PReLU", params=3),
    "norm-relu6": Between(("batch_norm", "hardtanh"), "ReLU6"),
    "norm-leaky-relu": Between(("batch_norm", "leaky_relu"), "LeakyReLU"),
    "norm-silu": Between(("batch_norm", "silu"), "SiLU"),
    "norm-hardswish": Between(("batch_norm", "hardswish"), "Hardswish"),
    "norm-gelu": Between(("batch_norm", "gelu"), "GELU"),
    "norm-elu": Between(("batch_norm", "elu"), "ELU"),
    "norm-mish": Between(("batch_norm", "mish"), "Mish"),
}
SAVE_LESS_IN_PLACE = ("leaky_relu", "elu")  # these then save their output instead of their input


def form_of(operators: tuple[str, ...]) -> IntermediateLayers | None:
    """The name of these operators; None if there is none."""
    return next((name for name, between in FORMS.items() if between.operators == operators), None)
