"""Models that functions build from a class that they pass on, and what only the defaults of a class do."""

from __future__ import annotations

import pytest

from convlint.ir import Finding
from convlint.source_text.texts import SourceTexts
from convlint.static import Project, check_file

HEAD = """\
import functools
import itertools
import types
from enum import Enum

import torch
from torch import nn
from torch.nn import functional as F
from elsewhere import flag, rates


"""


def errors(text: str, severity: str = "error") -> list[Finding]:
    """Return the findings of a severity in a program."""
    data = (HEAD + text).encode()
    found = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data}))).findings
    return [finding for finding in found if finding.severity == severity]


BUILDER = """\
class Block(nn.Module):
    def __init__(self, inner, outer, norm=None):
        super().__init__()
        assert norm is None or isinstance(norm, (types.FunctionType, functools.partial, type))
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.norm = (norm or nn.BatchNorm2d)(outer)
        self.conv2 = nn.Conv2d({width}, outer, 3, padding=1)

    def forward(self, x):
        return self.conv2(self.norm(self.conv1(x)))


class {name}(nn.Module):
    def __init__(self, block, widths, norm=None):
        super().__init__()
        pairs = zip((3, *widths), widths)
        self.stages = nn.Sequential(*[block(inner, outer, norm) for inner, outer in pairs])

    def forward(self, x):
        return self.stages(x)


def build_with_config(cls, variant, pretrained=False, **kwargs):
    model = cls(**kwargs)
    model.variant = variant
    return model


def _create(variant, pretrained=False, **kwargs):
    return build_with_config({name}, variant, pretrained, **kwargs)


def small(pretrained=False, **kwargs):
    arguments = dict(block=Block, widths=(16, 32), norm=functools.partial(nn.GroupNorm, 4))
    return _create("small", pretrained, **dict(arguments, **kwargs))
"""


@pytest.mark.parametrize("name", ["Net", "DLA"])
def test_a_class_that_is_passed_to_a_builder_is_followed(name: str) -> None:
    assert errors(BUILDER.format(name=name, width="outer")) == []
    (found,) = errors(BUILDER.format(name=name, width="16"))
    assert found.code == "CVL102"
    assert found.site is not None
    assert (HEAD + BUILDER).splitlines()[found.site.line - 1].strip().startswith("self.conv2 =")


BRANCHES = """\
class Branches(nn.Module):
    def __init__(self, width, conv=None):
        super().__init__()
        conv = conv or functools.partial(nn.Conv2d, padding=1)
        self.conv = conv(width, 8, 3, stride=2)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, x):
        return torch.cat([self.conv(x), self.pool(x)], 1)
"""
CALLER = """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = Branches(4, {conv})

    def forward(self, x):
        return self.branches(x)
"""


def test_an_error_of_the_defaults_that_every_caller_overrules_is_a_warning() -> None:
    assert [finding.code for finding in errors(BRANCHES)] == ["CVL110"]
    overruled = BRANCHES + CALLER.format(conv="functools.partial(nn.Conv2d, padding=0)")
    assert errors(overruled) == []
    (warning,) = errors(overruled, "warning")
    assert (warning.code, warning.condition) == ("CVL110", "`conv` has the default")
    assert [finding.code for finding in errors(BRANCHES + CALLER.format(conv="None"))] == ["CVL110"]


NET = """\
class Form(str, Enum):
    NCHW = "NCHW"
    NHWC = "NHWC"


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)


HAS_SILU = "silu" in dir(F)


class Interpolated(nn.Module):
    def __init__(self, scale=None):
        super().__init__()
        self.scale = scale

    def forward(self, x, size=None):
        if size is not None:
            return F.interpolate(x, size)
        else:
            return F.interpolate(x, scale_factor=self.scale)


class NormAct(nn.BatchNorm2d):
    def forward(self, x):
        return F.relu(F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias))


class Net(nn.Module):
    def __init__(self, form="NCHW", depth=None):
        super().__init__()
        self.form = Form(form)
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        {built}
        self.head = nn.Conv2d({channels}, 8, 1)

    def forward(self, x):
        x = self.stem(x)
        {forward}
        return self.head(x)
"""
FOLLOWED = {
    "a member of an enumeration": (
        "self.pool = nn.MaxPool2d(2) if self.form == Form.NCHW else None",
        "x = self.pool(x)",
    ),
    "the value of a member": ("self.a = nn.Identity() if self.form.value == 'NCHW' else 0", "x = self.a(x)"),
    "a function with a gradient of its own": ("pass", "x = Swish.apply(x)"),
    "a function that a library has": ("self.act = nn.SiLU() if HAS_SILU else load()", "x = self.act(x)"),
    "a repeated width": ("widths = tuple(itertools.repeat(16, 2)); self.a = nn.Conv2d(*widths, 1)", "x = self.a(x)"),
    "a module or None": (
        "if flag():\n            self.drop = nn.Dropout()\n        else:\n            self.drop = None",
        "x = x if self.drop is None else self.drop(x)",
    ),
    "two branches that return": ("self.up = Interpolated()", "x = self.up(x, size=rates(x))"),
    "a norm with an activation": ("self.norm = NormAct(16)", "x = self.norm(x)"),
    "the first rows of none": ("pass", "x = torch.cat([x[:, :, :0], x], 2)"),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_stands_between_two_convolutions_is_followed(name: str) -> None:
    built, forward = FOLLOWED[name]
    assert errors(NET.format(built=built, forward=forward, channels=16)) == []
    (found,) = errors(NET.format(built=built, forward=forward, channels=24))
    assert found.code == "CVL102"


def test_a_norm_derived_from_batch_norm_is_a_layer() -> None:
    source = NET.format(built="self.norm = NormAct(24)", forward="x = self.norm(x)", channels=16)
    (found,) = errors(source)
    assert found.code == "CVL103"
    assert found.site is not None
    assert "NormAct(24)" in (HEAD + source).splitlines()[found.site.line - 1]


STAGE = """\
class Stage(nn.Module):
    def __init__(self, inner, outer, depth):
        super().__init__()
        self.blocks = nn.Sequential(*[nn.Conv2d(inner if i == 0 else {rest}, outer, 3) for i in range(depth)])

    def forward(self, x):
        return self.blocks(x)
"""


def test_blocks_that_a_number_without_default_repeats_are_followed() -> None:
    right = STAGE.format(rest="outer")
    assert errors(right) == errors(right, "warning") == []
    wrong = STAGE.format(rest="inner")
    assert [finding.code for finding in errors(wrong, "warning")] == ["CVL203"]


OPTIONAL = """
from typing import Optional

from torch import nn
from elsewhere import Weights


class Net(nn.Module):
    def __init__(self, scale, num_classes=1000):
        super().__init__()
        width = int(24 * scale)
        self.first = nn.Conv2d(3, num_classes, 3)
        self.last = nn.Conv2d(width, num_classes, 1)

    def forward(self, x):
        return self.last(self.first(x))


def build(scale, weights, **options):
    if weights is not None:
        options["num_classes"] = len(weights.categories)
    return Net(scale, **options)


def net(*, {parameter} = None, **options):
    return build(1.0, weights, **options)
"""


@pytest.mark.parametrize(
    ("parameter", "is_certain"),
    [
        ("weights: Optional[Weights]", True),
        ("weights: Weights | None", True),
        ("weights: Optional[list[int]]", False),  # the parts of a model may have to be given
        ("weights", False),
    ],
)
def test_an_object_that_may_be_none_as_declared_is_none_where_no_call_passes_it(
    parameter: str, is_certain: bool
) -> None:
    text = OPTIONAL.replace("{parameter}", parameter).encode()
    checked = check_file("net.py", text, Project(".", (), SourceTexts({"net.py": text})))
    assert any(finding.severity == "error" for finding in checked.findings) == is_certain
