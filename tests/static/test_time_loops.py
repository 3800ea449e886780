"""Loops over a size of the input, as over the frames of a clip or the steps of a sequence."""

from __future__ import annotations

import pytest

from convlint.source_text.texts import SourceTexts
from convlint.static import CheckedFile, Project, check_file

CELL = """
import torch
from torch import nn


class Cell(nn.Module):
    def __init__(self, in_channels, hidden):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden, 2 * hidden, 3, padding=1)

    def forward(self, x, h):
        gate, new = self.conv(torch.cat([x, h], 1)).chunk(2, 1)
        return h + gate.sigmoid() * new.tanh()


class Net(nn.Module):
    def __init__(self, hidden={hidden}):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.cell = Cell(16, 24)
        self.head = nn.Conv3d({head}, 2, 1)

    def forward(self, clip):
        b, t, c, h, w = clip.shape
        x = self.stem(clip.reshape(b * t, c, h, w))
        x = x.view(b, t, 16, *x.shape[2:])
        state, frames = torch.zeros(b, 24, *x.shape[3:]), []
{loop}
        return self.head({read}.transpose(1, 2))
"""
LOOPS = {
    "for n in range(t):\n            state = self.cell(x[:, n], state)\n            frames.append(state)": (
        "torch.stack(frames, 1)"
    ),
    "for n in range(t):\n            state = self.cell(x[:, n], state)\n            frames += [state]": (
        "torch.stack(frames, dim=1)"
    ),
    "for n, frame in enumerate(x.transpose(0, 1)):\n            state = self.cell(frame, state)": "state[:, None]",
    "for frame in x.transpose(0, 1):\n            state = self.cell(frame, state)": "state.unsqueeze(1)",
    "for n in reversed(range(t - 1)):\n            state = self.cell(x[:, n], state)": "state.unsqueeze(1)",
    "frames = [self.cell(x[:, n], state) for n in range(t)]": "torch.stack(frames, 1)",
}


def check(loop: str, read: str, hidden: int = 24, head: int = 24) -> CheckedFile:
    data = CELL.format(loop=f"        {loop}", read=read, hidden=hidden, head=head).encode()
    return check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))


def errors(checked: CheckedFile) -> list[str]:
    return [finding.code for finding in checked.findings if finding.severity == "error"]


def fails_in_torch(loop: str, read: str, head: int) -> bool:
    import torch

    names: dict[str, type] = {}
    exec(CELL.format(loop=f"        {loop}", read=read, hidden=24, head=head), names)  # noqa: S102 - a text of this file
    try:
        names["Net"]()(torch.zeros(2, 3, 3, 16, 16))
    except RuntimeError:
        return True
    return False


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("head", [24, 16])
def test_what_a_loop_over_frames_leaves_is_known(loop: str, head: int) -> None:
    checked = check(loop, LOOPS[loop], head=head)
    assert bool(errors(checked)) == fails_in_torch(loop, LOOPS[loop], head)
    assert all(coverage.is_complete for coverage in checked.coverage if coverage.name == "Net")


GROWING = (
    "for n in range(t):\n            state = torch.cat([state, x[:, n]], 1)",
    "for n in range(t):\n            frames += [state]\n            state = torch.cat(frames, 1)",
    "for n in range(t):\n            frames.append(state)\n            state = torch.cat(frames, 1)",
    "for n in range(t):\n            state, y = torch.cat([state, x[:, n]], 1), state\n        state = y",
    "d = {}\n        for n in range(t):\n            d[n] = state\n            state = torch.cat(list(d.values()), 1)",
    "for n in range(t):\n            if n:\n                state = torch.cat([state, x[:, n]], 1)",
)


@pytest.mark.parametrize("loop", GROWING)
def test_what_grows_in_a_loop_is_unknown(loop: str) -> None:
    assert errors(check(loop, "state[:, None]", head=123)) == []
