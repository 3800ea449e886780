"""Classes whose failures are the business of their caller, or that nothing shows to be repaired by one edit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from convlint import static
from convlint.ir import Finding
from convlint.latent.suspicion import open_classes
from convlint.pipelines.file_linter import lint_text
from convlint.static.exploration.explore import Exploration

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\nfrom elsewhere import Gate\n\n"

CLASSES = {
    "a width that a recursion passes, for tensors that it passes as well": """
class Join(nn.Module):
    def __init__(self, total, out):
        super().__init__()
        self.conv = nn.Conv2d(total, out, 1)
    def forward(self, xs):
        return self.conv(torch.cat(xs, 1))

class Tree(nn.Module):
    def __init__(self, depth, inp, out, total=0):
        super().__init__()
        total = total or 2 * out
        if depth == 1:
            self.left = nn.Conv2d(inp, out, 3, padding=1)
            self.right = nn.Conv2d(out, out, 3, padding=1)
            self.join = Join(total, out)
        else:
            self.left = Tree(depth - 1, inp, out)
            self.right = Tree(depth - 1, out, out, total=total + out)
        self.depth = depth
    def forward(self, x, kept=()):
        a = self.left(x)
        return self.join([self.right(a), a, *kept]) if self.depth == 1 else self.right(a, (*kept, a))
""",
    "a width that has to be that of the encoder with a name": """
def narrow():
    return nn.Sequential(nn.Conv2d(3, 16, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def wide():
    return nn.Sequential(nn.Conv2d(3, 64, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

class Named(nn.Module):
    def __init__(self, encoder="narrow", encoder_dim=16, latent_dim=8):
        super().__init__()
        known = {"narrow": {"build": narrow}, "wide": {"build": wide}}
        self.encoder = known[encoder]["build"]()
        self.fc = nn.Linear(encoder_dim, latent_dim)
    def forward(self, x):
        return self.fc(self.encoder(x))
""",
    "a class that calls another one with an argument that it does not have": """
class Mixer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 1)
    def forward(self, x):
        return self.conv(x)

class Outdated(nn.Module):
    def __init__(self, in_channels, out_channels, spare_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(in_channels)
        self.mix = Mixer(out_channels, heads=4)
    def forward(self, x):
        return self.mix(self.norm(self.conv(x)))
""",
    "a class that reads an attribute before it has one": """
class Unready(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(in_channels)
        self.last = nn.Conv2d(out_channels, self.args.classes, 1)
    def forward(self, x):
        return self.last(self.norm(self.conv(x)))
""",
    "a sum behind a module that is not known": """
class Projected(nn.Module):
    def __init__(self, in_dim, out_dim, hidden_dim):
        super().__init__()
        self.norm = nn.LayerNorm(out_dim)
        self.fc1 = nn.Linear(in_dim, hidden_dim)
        self.gate = Gate()
        self.fc2 = nn.Linear(hidden_dim, out_dim)
    def forward(self, x):
        return self.fc2(self.gate(self.fc1(self.norm(x)))) + x
""",
    "branches of a list, of which a call takes as many as it has inputs": """
class Dense(nn.Module):
    def __init__(self, in_channels: list[int], out_channels: int):
        super().__init__()
        self.skips = nn.ModuleList([nn.Conv1d(c, out_channels, 1) for c in in_channels])
        self.body = nn.Conv1d(in_channels[-1], out_channels, 3, padding=1)
    def forward(self, x, history=None):
        history = [x] if history is None else [*history, x]
        return self.body(x) + sum(skip(y) for skip, y in zip(self.skips, history))
""",
    "groups of a function": """
class Normed(nn.Module):
    def __init__(self, in_channels, out_channels, group_size=32):
        super().__init__()
        self.groups = out_channels // group_size
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.last = nn.Conv2d(out_channels, in_channels, 3, padding=1)
    def forward(self, x):
        return F.group_norm(self.last(self.conv(x)), self.groups)
""",
    "a depthwise layer of another width": """
class Fusion(nn.Module):
    def __init__(self, high_channels, low_channels, out_channels):
        super().__init__()
        self.dw = nn.Conv2d(low_channels, out_channels, 3, padding=1, groups=out_channels)
        self.low = nn.Conv2d(out_channels, out_channels, 1)
        self.high = nn.Conv2d(high_channels, out_channels, 1)
    def forward(self, x_high, x_low):
        x_low = F.interpolate(x_low, scale_factor=4)
        return F.relu(self.low(self.dw(x_low)) + self.high(x_high))
""",
    "vectors through a list of widths": """
class Head(nn.Module):
    def __init__(self, config, dims: list[int], num_clusters: list[int], use_norm: bool):
        super().__init__()
        layers = []
        last = dims[0]
        for dim in dims[1:]:
            layers.append(nn.Linear(last, dim))
            if use_norm:
                layers.append(nn.BatchNorm1d(dim, eps=config.eps))
            layers.append(nn.ReLU())
            last = dim
        self.head = nn.Sequential(*layers)
        for i, k in enumerate(num_clusters):
            self.add_module("prototypes" + str(i), nn.Linear(dims[-1], k))
        self.count = len(num_clusters)
    def forward(self, batch):
        batch = F.normalize(self.head(batch), dim=1)
        return [getattr(self, "prototypes" + str(i))(batch) for i in range(self.count)]
""",
    "pairs of widths": """
class Separable(nn.Module):
    def __init__(self, c1, c2, c3):
        super().__init__()
        c1_in, c1_out = c1
        c2_in, c2_out = c2
        c3_in, c3_out = c3
        self.expand = nn.Conv2d(c1_in, c1_out, 1)
        self.dw = nn.Conv2d(c2_in, c2_out, 3, groups=c2_in)
        self.project = nn.Conv2d(c3_in, c3_out, 1)
    def forward(self, x):
        return self.project(self.dw(self.expand(x)))
""",
    "a map of one channel, of as many as the output has by default": """
class Restored(nn.Module):
    def __init__(self, in_chans=1, out_chans=1, chans=32):
        super().__init__()
        self.in_chans = in_chans
        self.out_chans = out_chans
        self.first = nn.Conv2d(self.in_chans, chans, 3, padding=1)
        self.last = nn.Conv2d(chans, self.out_chans, 1)
    def forward(self, image):
        return self.last(self.first(image.unsqueeze(1))).squeeze(1)
""",
    "frames of an input: with fewer dimensions than it has, the convolution has no batch": """
class Refine(nn.Module):
    def __init__(self, level, levels=5, div_flow=20.0):
        super().__init__()
        width = [386, 258, 194, 130, 130][level]
        self.mult = [div_flow / 2 ** (levels - i) for i in range(levels)][level]
        self.net = nn.Sequential(nn.Conv2d(width, 32, 3, padding=1), nn.Conv2d(32, 2, 3, padding=1))
        self.warp = Gate()
    def forward(self, feats, flow):
        x = torch.cat([feats[:, 0], self.warp(feats[:, 1], flow, 1.0 / self.mult), flow], dim=1)
        return flow + self.net(x)
""",
}


@pytest.mark.parametrize("name", CLASSES)
def test_no_width_is_blamed(tmp_path: Path, name: str) -> None:
    assert _messages(tmp_path, CLASSES[name]) == []


def test_a_mistake_in_a_part_is_reported_at_the_part_alone(tmp_path: Path) -> None:
    part = """
class Encoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Conv2d(2, dim + dim // 2, 3, padding=1)
        self.b = nn.Conv2d(2, dim // 2, 3, padding=1)
        self.out = nn.Conv2d(2 * dim, dim, 1)
    def forward(self, x):
        return self.out(torch.cat([self.a(x), self.b(x)], 1))

class Update(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encoder = Encoder(width)
    def forward(self, x):
        return self.encoder(x)
"""
    (message,) = _messages(tmp_path, part)
    assert "Encoder fails unless they are equal" in message


def test_an_index_beyond_a_table_is_no_argument_that_works(tmp_path: Path) -> None:
    table = """
class Scale(nn.Module):
    def __init__(self, level, ratio=2.0):
        super().__init__()
        width = [64, 96, 128][level]
        self.conv = nn.Conv2d(int(16 * ratio), width, 3, bias=False)
        self.norm = nn.BatchNorm2d(127)
    def forward(self, x):
        return self.norm(self.conv(x))
"""
    (message,) = _messages(tmp_path, table)
    assert "`Scale` fails for all arguments" in message


def test_a_class_that_python_refuses_is_not_followed_again(tmp_path: Path) -> None:
    """The work that is left for a file goes to its other classes."""
    searched = []

    def search(
        _: static.Project, explorations: Sequence[Exploration], findings: Sequence[Finding]
    ) -> Sequence[Finding]:
        searched.extend(open_classes(explorations))
        return findings

    text = CLASSES["a class that calls another one with an argument that it does not have"]
    static.check_file("net.py", (HEAD + text).encode(), static.Project(str(tmp_path)), search=search)
    assert not any(each.exploration.entry_point.value.qualname == "Outdated" for each in searched)


def _messages(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "net.py"
    file.write_text(HEAD + text)
    found = lint_text(str(file), file.read_bytes(), static.Project(str(tmp_path))).findings
    return [finding.message for finding in found if finding.severity != "info"]
