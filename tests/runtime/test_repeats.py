"""Models without the blocks that repeat others."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from convlint.runtime import consequences
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.repeats import without_repeats

INPUTS = Inputs((torch.rand(1, 4, 8, 8),), {}, "")


class Block(nn.Module):
    """A block with a number of its own, which its forward uses."""

    def __init__(self, into: int = 4, out: int = 4, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(into, out, 3, padding=1)

    def forward(self, x: Tensor) -> Any:
        return self.scale * self.conv(x)


def kept(*blocks: nn.Module) -> list[str]:
    model = nn.Sequential(*blocks)
    without_repeats(model, INPUTS)
    assert model(*INPUTS.args).shape[0] == 1
    return [type(block).__name__ for block in model]


def test_of_equal_blocks_the_first_stays() -> None:
    assert kept(Block(), Block(), Block()) == ["Block", "Identity", "Identity"]
    assert kept(Block(4, 6), Block(6, 6), Block(6, 6)) == ["Block", "Block", "Identity"]


def test_blocks_of_other_sizes_repeat_the_first_if_they_run_the_same_operators() -> None:
    assert kept(Block(), Block(4, 6), Block(6, 6)) == ["Block", "Block", "Identity"]

    class Steps(Block):
        def __init__(self, steps: int) -> None:
            super().__init__()
            self.steps = steps

        def forward(self, x: Tensor) -> Any:
            for _ in range(self.steps):
                x = super().forward(x)
            return x

    assert kept(Steps(1), Steps(2), Steps(2)) == ["Steps", "Steps", "Identity"]


def test_blocks_that_differ_in_anything_but_sizes_and_values_stay() -> None:
    frozen = Block().requires_grad_(False)
    assert kept(Block(), Block(scale=2.0), frozen) == ["Block"] * 3
    hooked = Block()
    hooked.register_forward_hook(lambda *_: None)
    assert kept(Block(), hooked) == ["Block"] * 2


def test_a_block_that_is_called_twice_stays() -> None:
    block = Block()
    model = nn.Sequential(Block(), block, block)
    assert without_repeats(model, INPUTS) is False


def test_a_model_that_needs_its_repeats_is_tried_as_it_is() -> None:
    class Last(nn.Sequential):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x) + self[2].conv.bias[0]  # type: ignore[union-attr, index]

    model = Last(Block(), Block(), Block())
    assert consequences.run(model, INPUTS, ["torch.fx.symbolic_trace"], {}) == {"torch.fx.symbolic_trace": ""}
