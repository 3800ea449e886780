"""Lists of unknown length, and numbers that only count: followed, and reported only if no length is right."""

from __future__ import annotations

import pytest

from convlint.source_text.texts import SourceTexts
from convlint.static import CheckedFile, Project, check_file

HEAD = "import torch\nfrom torch import Tensor, nn\n\n"


def check(text: str) -> CheckedFile:
    data = (HEAD + text).encode()
    return check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))


def errors(text: str) -> list[str]:
    return [finding.code for finding in check(text).findings if finding.severity == "error"]


CHAIN = """
class Net(nn.Module):
    def __init__(self, widths):
        super().__init__()
        layers, last = [], 3
        {loop}
            layers += [nn.Conv2d(last, width, 3), nn.BatchNorm2d(width)]
            last = width
        self.layers = nn.Sequential(*layers)
        self.middle = nn.Conv2d(widths[-1], 24, 1)
        self.head = nn.Conv2d({channels}, 2, 1)

    def forward(self, x):
        return self.head(self.middle(self.layers(x)))
"""
LOOPS = (
    "for width in widths:",
    "for position, width in enumerate(widths):",
    "for position in range(len(widths)):\n            width = widths[position]",
    "for width, depth in zip(widths, [1, 2, 3]):",
    "for width in [widths[0], *widths[1:]]:",
    "for width in list(reversed(widths[::-1])):",
)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_list_of_widths_is_followed(loop: str) -> None:
    text = CHAIN.format(loop=loop, channels=24)
    (coverage,) = check(text).coverage
    assert coverage.is_complete
    assert coverage.layers > 4
    assert errors(text) == []
    assert errors(CHAIN.format(loop=loop, channels=32)) == ["CVL102"]


HEADS = """
class Head(nn.Module):
    def __init__(self, channels=(8, 16, 32)):
        super().__init__()
        self.laterals = nn.ModuleList([nn.Conv2d(width, 64, 1) for width in channels])
        self.out = nn.Conv2d({channels}, 4, 1)

    def forward(self, features{annotation}):
        return {forward}
"""
FORWARDS = (
    "[self.out(lateral(feature)) for lateral, feature in zip(self.laterals, features)]",
    "self.out(torch.stack([self.laterals[n](features[n]) for n in range(len(features))]).sum(0))",
    "self.out(self.laterals[-1](features[-1]))",
)


@pytest.mark.parametrize("forward", FORWARDS)
def test_a_list_of_inputs_is_followed(forward: str) -> None:
    right = HEADS.format(annotation=": list[Tensor]", forward=forward, channels=64)
    (coverage,) = check(right).coverage
    assert coverage.is_complete
    assert errors(right) == []
    assert errors(HEADS.format(annotation=": list[Tensor]", forward=forward, channels=48)) == ["CVL102"]


def test_the_use_of_an_input_shows_that_it_is_a_list() -> None:
    assert errors(HEADS.format(annotation="", forward=FORWARDS[0], channels=48)) == ["CVL102"]


COUNTED = """
class Net(nn.Module):
    def __init__(self, {parameter}):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d({width}, 8, 1) for {each}])
        self.head = nn.Conv2d(32, 8, 1)

    def forward(self, {input}):
        return self.head(torch.cat([{result}], 1))
"""
COUNTS = {
    "blocks": ("number", "3", "_ in range(number)", "x", "conv(x) for conv in self.convs"),
    "widths": ("widths", "width", "width in widths", "x", "conv(x) for conv in self.convs"),
    "inputs": ("", "3", "_ in range(5)", "xs: list[Tensor]", "self.convs[0](x) for x in xs"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_an_error_for_some_lengths_is_none(name: str) -> None:
    """Four blocks, widths or inputs give the 32 channels that the last layer expects."""
    parameter, width, each, inputs, result = COUNTS[name]
    text = COUNTED.format(parameter=parameter, width=width, each=each, input=inputs, result=result)
    assert errors(text) == []
    assert (errors(text.replace("32", "33")) == ["CVL102"]) is (name != "inputs")


def test_the_length_that_the_class_accepts_is_taken() -> None:
    text = """
class Net(nn.Module):
    def __init__(self, widths):
        super().__init__()
        if len(widths) != 3:
            raise ValueError(widths)
        self.convs = nn.Sequential(*[nn.Conv2d(8, 8, 1) for width in widths])
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        return self.head(self.convs(x))
"""
    assert errors(text) == ["CVL102"]


def test_shifted_widths_are_numbers() -> None:
    text = """
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Conv2d(3, width << 1, 1)
        self.last = nn.Conv2d({}, 2, 1)

    def forward(self, x):
        return self.last(self.first(x))
"""
    assert errors(text.format("2 * width")) == []
    assert errors(text.format("3 * width")) == ["CVL102"]


UPSAMPLER = """
class Up(nn.Module):
    def __init__(self, scale, width=16):
        super().__init__()
        layers = []
        if (scale & (scale - 1)) == 0:
            for _ in range(int(math.log(scale, 2))):
                layers += [nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2)]
        elif scale == 3:
            layers += [nn.Conv2d(width, 9 * width, 3, 1, 1), nn.PixelShuffle(3)]
        self.up = nn.Sequential(*layers)
        self.last = nn.Conv2d({}, 3, 1)

    def forward(self, x):
        return self.last(self.up(x))
"""


def test_a_number_of_doublings_is_followed() -> None:
    assert errors("import math\n" + UPSAMPLER.format("width")) == []
    assert errors("import math\n" + UPSAMPLER.format("2 * width")) == ["CVL102"]


def test_a_list_is_as_long_as_its_items_are_read() -> None:
    text = """
class Decoder(nn.Module):
    def __init__(self, channels, count=4):
        super().__init__()
        widths = list(channels[1:])
        self.convs = nn.ModuleList([nn.Conv2d(widths[n], 16, 1) for n in range(count)])
        self.head = nn.Conv2d({}, 2, 1)

    def forward(self, features):
        return self.head(sum([conv(feature) for conv, feature in zip(self.convs, features)]))
"""
    (coverage,) = check(text.format(16)).coverage
    assert (coverage.layers, coverage.followed) == (5, 5)
    assert errors(text.format(16)) == []
    assert errors(text.format(24)) == ["CVL102"]


def test_the_parts_of_an_input_are_followed_as_lists() -> None:
    text = """
class Pyramid(nn.Module):
    def __init__(self, channels, width=16):
        super().__init__()
        self.inner = nn.ModuleList([nn.Conv2d(each, width, 1) for each in channels])
        self.outer = nn.ModuleList([nn.Conv2d({}, width, 3, padding=1) for _ in channels])

    def forward(self, features):
        names, maps = list(features.keys()), list(features.values())
        results = [outer(inner(x)) for inner, outer, x in zip(self.inner, self.outer, maps)]
        return dict(zip(names, results))
"""
    (coverage,) = check(text.format("width")).coverage
    assert coverage.is_complete
    assert errors(text.format("width")) == []
    assert errors(text.format("2 * width")) == ["CVL102"]


STAGE = """
class Stage(nn.Module):
    def __init__(self, spec):
        super().__init__()
        blocks = []
        for i in range(spec["depth"]):
            c = spec["inp"] if i == 0 else spec["out"]
            blocks += [nn.Conv2d(c, spec["out"], 3, padding=1, bias=False), nn.GroupNorm(1, spec["{norm}"])]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)
"""


def test_a_mistake_in_every_block_is_one_whatever_their_number() -> None:
    assert [finding.code for finding in check(STAGE.format(norm="inp")).findings] == ["CVL201"]
    assert check(STAGE.format(norm="out")).findings == ()


def test_the_lists_of_a_list_may_have_different_lengths() -> None:
    text = """
class Net(nn.Module):
    def __init__(self, widths: list[list[int]]):
        super().__init__()
        stem, body = widths[0], widths[1]
        self.stem = nn.Sequential(nn.Conv2d(3, stem[0], 1), nn.Conv2d(stem[0], stem[1], 1))
        self.body = nn.Sequential(nn.Conv2d(stem[-1], body[0], 1), nn.Conv2d(body[0], body[1], 1))
        self.head = nn.Conv2d(body[1], body[2], 1)

    def forward(self, x):
        return self.head(self.body(self.stem(x)))
"""
    assert [finding.code for finding in check(text).findings if finding.code < "CVL3"] == []


def test_a_list_that_is_repeated_for_each_block_is_as_long_as_there_are_blocks() -> None:
    text = """
class Stage(nn.Module):
    def __init__(self, width, blocks, stride=2):
        super().__init__()
        strides = [stride] + [1] * (blocks - 1)
        self.layers = nn.Sequential(*[nn.Conv2d(width, width, 3, stride) for stride in strides])
        self.head = nn.Conv2d({}, 2, 1)

    def forward(self, x):
        return self.head(self.layers(x))
"""
    assert check(text.format("width")).coverage[0].is_complete
    assert errors(text.format("width")) == []
    assert errors(text.format("width + 1")) == ["CVL102"]


@pytest.mark.parametrize(
    "read", ["args.width if hasattr(args, 'width') else 16", "16 if not hasattr(args, 'width') else args.width"]
)
def test_an_attribute_that_an_argument_may_have_is_followed_both_ways(read: str) -> None:
    text = """
class Net(nn.Module):
    def __init__(self, args):
        super().__init__()
        width = {}
        self.stem = nn.Conv2d(3, width, 3)
        self.head = nn.Conv2d({}, 2, 1)

    def forward(self, x):
        return self.head(self.stem(x))
"""
    assert check(text.format(read, "width")).coverage[0].is_complete
    assert errors(text.format(read, "width")) == []
    assert {finding.code for finding in check(text.format(read, "24")).findings} & {"CVL102", "CVL203"}


def test_a_number_times_an_array_is_an_array_of_numbers() -> None:
    text = """
import numpy as np

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        widths = (width * np.power(2, np.arange(3))).astype(int)
        self.layers = nn.Sequential(nn.Conv2d(3, widths[0], 3), nn.Conv2d(int(widths[0]), int(widths[1]), 3))
        self.head = nn.Conv2d(int(widths[{}]), 2, 1)

    def forward(self, x):
        return self.head(self.layers(x))
"""
    assert errors(text.format(1)) == []
    assert errors(text.format(2)) == ["CVL102"]


RESIZED = """
def resize(image, size=None, scale=None):
    return nn.functional.interpolate(image, size, scale)
class Net(nn.Module):
    def __init__(self, count, scale=2):
        super().__init__()
        self.pool = nn.MaxPool2d(scale) if scale > 1 else None
        self.blocks = nn.Sequential(*[nn.Conv2d(8, 8, 1) for _ in range(count)])
    def forward(self, x, skip):
        x = self.blocks(x)
        return x if self.pool is None else resize(ARGUMENTS)
"""


def test_arguments_that_no_input_fits_are_an_error_also_where_the_shape_of_the_input_is_not_known() -> None:
    assert errors(RESIZED.replace("ARGUMENTS", "skip")) == ["CVL190"]
    assert errors(RESIZED.replace("ARGUMENTS", "skip, 2 * x.shape[2:]")) == []
