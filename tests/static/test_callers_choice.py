"""What a caller chooses: parameters that a class passes on to its base, attributes of an object, types, the path."""

from __future__ import annotations

import pytest

from convlint.static import Project
from convlint.static.exploration.entry_points import find_entry_points
from convlint.static.exploration.explore import exploration, explored
from convlint.static.report import findings
from tests.static.test_coverage import coverage, net
from tests.static.test_unknown_lengths import HEAD, check, errors

HEADS = """
class Head(nn.Module):
    def __init__(self, in_channels, channels, *, classes=10, dropout=0.1):
        super().__init__()
        self.in_channels, self.channels = in_channels, channels
        self.last = nn.Conv2d(channels, classes, 1)

class Middle(Head):
    def __init__(self, name, *args, **kwargs):
        super().__init__(*args, **kwargs)

class Net(Middle):
    def __init__(self, depth=2, **kwargs):
        super().__init__("net", {given}**kwargs)
        self.first = nn.Conv2d(self.in_channels, self.channels, 3)
        self.second = nn.Conv2d({reads}, self.channels, 3)

    def forward(self, x):
        return self.last(self.second(self.first(x)))
"""


@pytest.mark.parametrize("given", ["", "16, ", "channels=32, "])
def test_parameters_that_are_passed_on_to_a_base_are_parameters(given: str) -> None:
    text = HEADS.format(given=given, reads="self.channels")
    assert {each.name: each.is_complete for each in check(text).coverage}["Net"]
    assert errors(text) == []


def test_a_mistake_behind_parameters_of_a_base_is_found() -> None:
    found = check(HEADS.format(given="", reads="self.in_channels")).findings
    assert [(finding.code, finding.site.line) for finding in found if finding.site] == [("CVL203", 19)]
    assert errors(HEADS.format(given="", reads="self.channels + 1")) == ["CVL102"]


def test_arguments_that_a_constructor_also_reads_itself_are_not_known() -> None:
    text = HEADS.format(given="", reads="kwargs.get('width', 9)")
    assert errors(text) == []


NAMES = """
def option(args, name, default):
    if hasattr(args, name):
        return getattr(args, name)
    if name in {{a.lower(): a for a in args.__dir__()}}:
        return 0
    return default

class Options:
    def __init__(self, **entries):
        self.__dict__.update(entries)

class Net(nn.Module):
    def __init__(self, {args}):
        super().__init__()
        self.first = nn.Conv2d(3, option(args, "width", 16), 3)
        self.last = nn.Conv2d({reads}, 2, 1)

    def forward(self, x):
        return self.last(self.first(x))
"""


@pytest.mark.parametrize("args", ["args", "args: Options"])
def test_an_object_of_a_caller_has_the_attributes_that_are_asked_for(args: str) -> None:
    text = NAMES.format(args=args, reads="option(args, 'width', 16)")
    assert check(text).coverage[0].is_complete
    assert errors(text) == []
    assert {each.code for each in check(NAMES.format(args=args, reads="24")).findings} & {"CVL102", "CVL203"}


def test_an_assertion_says_what_a_caller_passes() -> None:
    text = """
class Net(nn.Module):
    def __init__(self, widths=8):
        super().__init__()
        assert isinstance(widths, (list, tuple))
        self.layers = nn.ModuleList([nn.Conv2d(width, 16, 1) for width in widths])
        self.last = nn.Conv2d({}, 2, 1)

    def forward(self, maps):
        return self.last(sum([layer(x) for layer, x in zip(self.layers, maps)]))
"""
    assert check(text.format(16)).coverage[0].is_complete
    assert errors(text.format(16)) == []
    assert errors(text.format(24)) == ["CVL102"]


def test_each_selection_is_followed_with_some_value_of_the_others() -> None:
    text = """
class Net(nn.Module):
    def __init__(self, stem, head):
        super().__init__()
        self.stem = {"plain": nn.Conv2d(3, 16, 3), "deep": nn.Conv2d(3, 16, 7)}[stem]
        self.head = {"linear": nn.Conv2d(16, 2, 1), "wide": nn.Conv2d(16, 4, 1)}[head]

    def forward(self, x):
        return self.head(self.stem(x))
"""
    assert check(text).coverage[0].is_complete


def test_every_flag_is_tried_before_the_last_of_many_branches() -> None:
    conditions = "\n".join(f"        if n{i} > 9:\n            self.a{i} = nn.Conv2d(3, 3, 1)" for i in range(6))
    parameters = ", ".join(f"n{i}" for i in range(6))
    text = f"""
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, {parameters}, bilinear=True):
        super().__init__()
{conditions}
        self.last = nn.Conv2d(8 if bilinear else 9, 2, 1)

    def forward(self, x):
        return self.last(x)
"""
    project = Project(".")
    (exploration,) = explored(project, project.add("net.py", text.encode())).explorations
    assert [path.variant for path in exploration.paths[:3]] == [{}, {"bilinear": False}, {}]


# --- the rank of an input

RANKS = {
    "more dimensions": (
        "s = x.shape\n        if len(s) > 4: x = x.view(-1, *s[-3:])\n        return self.last(self.conv(x))"
    ),
    "an image without a batch": "if x.dim() == 3: x = x[None]\n        return self.last(self.conv(x))",
    "a branch for each": (
        "if x.ndim == 5: y = self.deep(x).mean(2)\n        elif x.ndimension() == 4: y = self.conv(x)\n"
        "        else: raise ValueError\n        return self.last(y)"
    ),
    "what its type says": "assert x.dim() == 4\n        return self.last(self.conv(x) if x.ndim == 4 else x)",
}


@pytest.mark.parametrize("name", RANKS)
def test_a_condition_on_the_rank_of_an_input_is_the_choice_of_a_caller(name: str) -> None:
    text = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.deep = nn.Conv2d(3, 8, 3), nn.Conv3d(3, 8, 3)
        self.last = nn.Conv2d({{}}, 2, 1)

    def forward(self, x):
        {RANKS[name]}
"""
    assert check(text.format(8)).coverage[0].is_complete
    assert errors(text.format(8)) == []
    assert errors(text.format(9)) == ["CVL102"]


NO_BATCH = f"""{HEAD}
class Tokens(nn.Module):
    def forward(self, x):
        if len(x.shape) == 5:
            n, c, d, h, w = x.shape
            return x.permute(0, 2, 3, 4, 1).reshape(n, d * h * w, c)
        n, c, h, w = x.shape
        return x.permute(0, 2, 3, 1).reshape(n, h * w, c)

class Net(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.tokens, self.conv, self.wide = Tokens(), nn.Conv3d(1, channels, 3), nn.Conv3d(1, 2 * channels, 3)
        self.norm, self.last = nn.LayerNorm(channels), nn.LayerNorm(2 * channels)

    def forward(self, x):
        if len(x.shape) == 4:
            n, c, h, w = x.shape
        return self.norm(self.tokens(self.conv(x))), self.last(self.tokens(self.wide(x)))
"""


def test_a_rank_that_leaves_a_convolution_without_a_batch_proves_nothing() -> None:
    """Not even where the branch for another rank takes too many steps to be followed."""
    project = Project(".")
    module = project.add("net.py", NO_BATCH.encode())
    entry_point = next(each for each in find_entry_points(project, module) if each.name == "Net")
    followed = exploration(project, entry_point)
    followed.paths[0].interpreter.choices.choices.clear()
    assert list(findings(project, followed)) == []


def test_a_rank_is_no_number_to_count_with() -> None:
    found = net("self.conv = nn.Conv2d(3, 8, 3)", "return self.conv(x).flatten(1) + x.mean(tuple(range(1, x.dim())))")
    assert found.is_complete


def test_the_number_that_a_branch_is_about_comes_last() -> None:
    text = """
class Net(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        if scale > 1:
            self.last = nn.Conv2d(9, 2, 1)
        else:
            self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        return self.last(self.conv(x))
"""
    (finding,) = [finding for finding in check(text).findings if finding.code == "CVL102"]
    assert finding.condition == "`scale` is more than 1"


# --- what is followed to its end


def test_a_base_is_followed_where_a_class_that_is_derived_from_it_is() -> None:
    text = """class Base(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 1)
        self.block = block(8)
    def forward(self, x):
        return self.block(self.first(x))
class Block(nn.Conv2d):
    def __init__(self, width):
        super().__init__(width, width, 1)
class Net(Base):
    def __init__(self):
        super().__init__(Block)
"""
    found = coverage(text)
    assert found["Base"].is_complete


def test_a_long_loop_over_numbers_ends_nothing() -> None:
    loop = "for a in range(90):\n    for b in range(90):\n        n[abs(a - b)] = a".replace("\n", "\n        ")
    found = net(f"n = {{}}; {loop}; self.conv = nn.Conv2d(3, 8, 3)", "return self.conv(x)")
    assert found.is_complete


def test_a_layer_that_a_model_drops_is_not_missed() -> None:
    found = net("self.conv = nn.Conv2d(3, 8, 3); self.fc = nn.Linear(8, load('n')); del self.fc", "return self.conv(x)")
    assert found.is_complete


def test_a_layer_that_a_call_takes_names_its_first_unknown_number() -> None:
    built = "self.net = nn.Sequential(); self.net.add_module('conv', nn.Conv2d(3, width, 3))"
    found = net(built, "return self.net(x)", "width = load('net.yaml').width\n")
    assert "`width` is unknown since line 5" in found.stopped[0].reason


def test_a_width_of_none_is_named() -> None:
    found = net("width = None; self.conv = nn.Conv2d(3, width, 3)", "return self.conv(x)")
    assert found.stopped[0].reason == "`width` is not a known number"


EITHER = {
    "functions": "x = (F.relu if load('x') else F.gelu)(self.conv(x))",
    "a map that may be padded": (
        "h, w = x.shape[-2:]\n        if h % 2 or w % 2: x = F.pad(x, [0, w % 2, 0, h % 2])\n        x = self.conv(x)"
    ),
}


@pytest.mark.parametrize("name", EITHER)
def test_either_of_two_is_followed(name: str) -> None:
    built = "self.conv = nn.Conv2d(3, 8, 3); self.last = nn.Conv2d(8, 2, 1)"
    assert net(built, f"{EITHER[name]}\n        return self.last(x)", "import torch.nn.functional as F\n").is_complete
