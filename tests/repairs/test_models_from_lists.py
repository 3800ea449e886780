"""A model that a function builds from a list of layers: one mistake in its blocks is one error."""

from __future__ import annotations

import pytest

from tests.repairs.small_programs import HEAD, assert_mended, errors, folder, run

__all__ = ["folder"]

MODEL = f"""{HEAD}
class Conv(nn.Module):
    def __init__(self, c1, c2, k=1, s=1):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


class Split(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        c_ = c2 // 2
        self.cv1 = Conv(c1, c_)
        self.cv2 = Conv(c1, c_)
        self.cv3 = Conv(2 * c_, c2)

    def forward(self, x):
        return self.cv3(torch.cat((self.cv1(x), self.cv2(x)), 1))


class Pyramid(nn.Module):
    def __init__(self, c1, c2, k=5):
        super().__init__()
        c_ = c1 // 2
        self.cv1 = Conv(c1, c_)
        self.cv2 = Conv(c_ * 4, c2)
        self.m = nn.MaxPool2d(k, 1, k // 2)

    def forward(self, x):
        x = self.cv1(x)
        y = self.m(x)
        z = self.m(y)
        return self.cv2(torch.cat((x, y, z, self.m(z)), 1))


class Concat(nn.Module):
    def forward(self, x):
        return torch.cat(x, 1)


class Detect(nn.Module):
    def __init__(self, nc, na, ch):
        super().__init__()
        self.nc = nc
        self.no = nc + 5
        self.na = na
        self.m = nn.ModuleList(nn.Conv2d(c, self.no * self.na, 1) for c in ch)

    def forward(self, x):
        for i, m in enumerate(self.m):
            x[i] = m(x[i])
            bs, _, ny, nx = x[i].shape
            x[i] = x[i].view(bs, self.na, self.no, ny, nx)
        return x


LAYERS = [
    (-1, Conv, [16, 3, 2]),
    (-1, Conv, [32, 3, 2]),
    (-1, Split, [32]),
    (-1, Conv, [64, 3, 2]),
    (-1, Split, [64]),
    (-1, Pyramid, [64]),
    (-1, nn.Upsample, [None, 2]),
    ([-1, 2], Concat, []),
    (-1, Split, [48]),
    ([8, 5], Detect, [10, 3]),
]


class Net(nn.Module):
    def __init__(self, ch=3):
        super().__init__()
        self.model, self.sources = build(LAYERS, [ch])

    def forward(self, x):
        outputs = []
        for m, source in zip(self.model, self.sources):
            if source != -1:
                x = [x if j == -1 else outputs[j] for j in source]
            x = m(x)
            outputs.append(x)
        return x


def build(rows, ch):
    layers, sources = [], []
    for i, (f, m, args) in enumerate(rows):
        if m in (Conv, Split, Pyramid):
            c2 = args[0]
            args = [ch[f], *args]
        elif m is Concat:
            c2 = sum(ch[j] for j in f)
        elif m is Detect:
            args = [*args, [ch[j] for j in f]]
        else:
            c2 = ch[f]
        layers.append(m(*args))
        sources.append(f)
        if i == 0:
            ch = []
        ch.append(c2)
    return nn.Sequential(*layers), sources
"""
MISTAKES = {
    "BatchNorm2d(c2)": ("BatchNorm2d(c1)", "c2"),
    "Conv(2 * c_, c2)": ("Conv(c_, c2)", "c2"),  # which is 2 * c_
    "Conv(c_ * 4, c2)": ("Conv(c_ * 3, c2)", "4"),
    "Conv2d(c, self.no * self.na, 1)": ("Conv2d(c, self.nc * self.na, 1)", "self.no"),
    "sum(ch[j] for j in f)": ("max(ch[j] for j in f)", "sum(ch[j] for j in f)"),
}
"""Each right text, the wrong one, and the repair."""


def test_the_model_runs_and_nothing_is_found() -> None:
    assert run(MODEL) is not None
    assert errors(MODEL) == []


@pytest.mark.parametrize("right", MISTAKES)
def test_one_mistake_in_a_block_is_one_error_with_its_repair(right: str) -> None:
    wrong, repair = MISTAKES[right]
    assert_mended(MODEL.replace(right, wrong), wrong, repair)


STAGES = f"""{HEAD}
class Block(nn.Module):
    expansion = 4

    def __init__(self, inputs, width):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width * self.expansion, 1)

    def forward(self, x):
        return self.conv(x)


class Net(nn.Module):
    def __init__(self, width=16, widths=(8, 24, 40)):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.body = self.make(Block, width)
        self.sides = self.make_sides([width * Block.expansion], widths)
        self.more = self.make_sides(widths, [5])
        self.head = nn.Conv2d(widths[0], 5, 1)

    def make(self, block, width):
        return nn.Sequential(block(width, width), block(width * block.expansion, width))

    def make_sides(self, before, after):
        return nn.ModuleList([nn.Conv2d(before[-1], width, 1) for width in after])

    def forward(self, x):
        x = self.body(self.stem(x))
        maps = [side(x) for side in self.sides]
        return self.head(maps[0]) + self.more[0](maps[-1])


net = Net()
net(torch.randn(2, 3, 32, 32))
"""


def test_an_item_of_a_list_that_is_passed_is_repaired_where_it_is_written() -> None:
    assert_mended(STAGES.replace("[width * Block.expansion]", "[width]"), "[width]", "4 * width")


def test_an_item_of_a_list_that_is_passed_gets_the_factor_of_a_class() -> None:
    wrong = STAGES.replace("[width * Block.expansion]", "[width]")
    built = "self.make(Block, width)"
    wrong = wrong.replace(built, f"{built}\n        self.wide = width * Block.expansion")
    assert_mended(wrong, "[width]", "width * Block.expansion")


def test_the_first_item_of_a_list_is_a_repair_of_the_last() -> None:
    assert_mended(STAGES.replace("nn.Conv2d(widths[0], 5", "nn.Conv2d(widths[-1], 5"), "widths[-1]", "widths[0]")
