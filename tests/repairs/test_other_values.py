"""A forward that reads the wrong value, or does not call one of its layers: the repair is there, not at a number."""

from __future__ import annotations

import pytest

from tests.repairs.small_programs import HEAD, assert_mended, errors, folder, run

__all__ = ["folder"]

RESIDUAL = f"""{HEAD}

class Block(nn.Module):
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.down = nn.Conv2d(inplanes, planes, 1, stride)

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + self.down(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = Block(3, 16, 2)
        self.b = Block(16, 32, 2)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        y = self.a(x)
        y = self.b(y)
        return self.fc(y.mean((2, 3)))


net = Net()
net(torch.rand(1, 3, 32, 32))
"""
UNET = f"""{HEAD}
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, c=16):
        super().__init__()
        self.enc1 = nn.Conv2d(3, c, 3, padding=1)
        self.enc2 = nn.Conv2d(c, 2 * c, 3, padding=1)
        self.mid = nn.Conv2d(2 * c, 4 * c, 3, padding=1)
        self.up2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, 2)
        self.dec2 = nn.Conv2d(4 * c, 2 * c, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(2 * c, c, 2, 2)
        self.dec1 = nn.Conv2d(2 * c, c, 3, padding=1)
        self.out = nn.Conv2d(c, 2, 1)

    def forward(self, x):
        e1 = F.relu(self.enc1(x))
        e2 = F.relu(self.enc2(F.max_pool2d(e1, 2)))
        m = F.relu(self.mid(F.max_pool2d(e2, 2)))
        d2 = self.up2(m)
        d2 = F.relu(self.dec2(torch.cat([d2, e2], dim=1)))
        d1 = self.up1(d2)
        d1 = F.relu(self.dec1(torch.cat([d1, e1], dim=1)))
        return self.out(d1)


net = Net()
net(torch.rand(1, 3, 64, 64))
"""
PYRAMID = f"""{HEAD}
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, dims=(32, 64, 128), out=48):
        super().__init__()
        self.s1 = nn.Conv2d(3, dims[0], 3, 2, 1)
        self.s2 = nn.Conv2d(dims[0], dims[1], 3, 2, 1)
        self.s3 = nn.Conv2d(dims[1], dims[2], 3, 2, 1)
        self.l1 = nn.Conv2d(dims[0], out, 1)
        self.l2 = nn.Conv2d(dims[1], out, 1)
        self.l3 = nn.Conv2d(dims[2], out, 1)

    def forward(self, x):
        c1 = self.s1(x)
        c2 = self.s2(c1)
        c3 = self.s3(c2)
        p3 = self.l3(c3)
        p2 = self.l2(c2) + F.interpolate(p3, scale_factor=2)
        p1 = self.l1(c1) + F.interpolate(p2, scale_factor=2)
        return p1, p2, p3


model = Net()
model(torch.rand(1, 3, 64, 64))
"""
BRANCHES = f"""{HEAD}

class Net(nn.Module):
    def __init__(self, c1=16, c2=24):
        super().__init__()
        self.b1 = nn.Conv2d(3, c1, 1)
        self.b2 = nn.Conv2d(3, c2, 3, padding=1)
        self.b3 = nn.Conv2d(c2, c2, 3, padding=1)
        self.out = nn.Conv2d(c1 + c2, 8, 1)

    def forward(self, x):
        a = self.b1(x)
        b = self.b2(x)
        c = self.b3(b)
        return self.out(torch.cat([a, c], 1))


net = Net()
net(torch.rand(1, 3, 16, 16))
"""
ATTENTION = f"""{HEAD}

class Attention(nn.Module):
    def __init__(self, c, r=4):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Linear(c, c // r), nn.ReLU(), nn.Linear(c // r, c), nn.Sigmoid())

    def forward(self, x):
        b, c, _, _ = x.shape
        y = self.pool(x).view(b, c)
        y = self.fc(y)
        return x * y.view(b, c, 1, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3)
        self.att = Attention(32)

    def forward(self, x):
        return self.att(self.conv(x))


net = Net()
net(torch.rand(2, 3, 16, 16))
"""

MISTAKES = [
    (RESIDUAL, "self.conv2(out)", "self.conv2(x)", "out"),
    (RESIDUAL, "y = self.b(y)", "y = self.b(x)", "y"),
    (RESIDUAL, "self.fc(y.mean", "self.fc(x.mean", "y"),
    (RESIDUAL, "out + self.down(x)", "out + x", "self.down(x)"),
    (ATTENTION, "y = self.fc(y)", "y = self.fc(x)", "y"),
    (BRANCHES, "torch.cat([a, c], 1)", "torch.cat([a, a], 1)", "c"),
    (UNET, "torch.cat([d2, e2], dim=1)", "torch.cat([d2, e1], dim=1)", "e2"),
    (PYRAMID, "self.l2(c2)", "self.l2(c3)", "c2"),
]


@pytest.mark.parametrize("source", [RESIDUAL, UNET, PYRAMID, BRANCHES, ATTENTION])
def test_the_program_runs_and_nothing_is_found(source: str) -> None:
    assert run(source) is not None
    assert errors(source) == []


@pytest.mark.parametrize(("source", "right", "wrong", "repair"), MISTAKES, ids=[each[2] for each in MISTAKES])
def test_the_repair_reads_the_right_value(source: str, right: str, wrong: str, repair: str) -> None:
    assert_mended(source.replace(right, wrong), wrong, repair)


@pytest.mark.parametrize(
    ("source", "right", "wrong", "repair"),
    [
        (RESIDUAL, "nn.Conv2d(planes, planes, 3, 1, 1", "nn.Conv2d(inplanes, planes, 3, 1, 1", "planes"),
        (UNET, "nn.Conv2d(2 * c, c, 3", "nn.Conv2d(c, c, 3", "2 * c"),
        (PYRAMID, "nn.Conv2d(dims[1], out, 1)", "nn.Conv2d(out, out, 1)", "dims[1]"),
    ],
)
def test_a_wrong_number_is_repaired_where_it_is_written(source: str, right: str, wrong: str, repair: str) -> None:
    assert_mended(source.replace(right, wrong), wrong, repair)


def test_a_class_alone_reads_what_nothing_reads() -> None:
    block, _, _ = RESIDUAL.replace("self.conv2(out)", "self.conv2(x)").partition("class Net")
    assert_mended(
        f"{block}\nclass Net(Block):\n    def __init__(self, a=3, b=16):\n        super().__init__(a, b)\n",
        "self.conv2(x)",
        "out",
    )
