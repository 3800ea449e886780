"""Mistakes that hide each other, or that a careless repair would confirm: each is one finding, at its own line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from convlint.ir import Edit, Site
from convlint.repairs import static_trials
from convlint.repairs.conflict import Conflict, Outcome
from convlint.repairs.static_trials import StaticTrials, outcome
from convlint.source_text.texts import SourceTexts
from convlint.static import Project, check_file
from tests.repairs.small_programs import HEAD, errors, folder

__all__ = ["folder"]

FUNCTIONS = f"""{HEAD}
def norm(width):
    return nn.BatchNorm2d(%s)


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3), norm(%s))


def unit(width):
    return nn.Sequential(block(width, width // 4), block(%s, width))


net = nn.Sequential(block(3, 48), unit(48), nn.ReLU(), unit(48), nn.Conv2d(48, 10, 1))
"""


def said(source: str) -> list[tuple[int, str]]:
    """The line and the first repair of each error."""
    return [(each.site.line, each.repairs[0].title) for each in errors(source) if each.site is not None]


def test_a_layer_that_fits_only_because_the_one_before_is_wrong_is_an_error_of_its_own() -> None:
    assert said(FUNCTIONS % ("2 * width", "outputs", "width // 2")) == [
        (6, "replace `2 * width` with `width`"),
        (14, "replace `width // 2` with `width // 4`"),
    ]


def test_an_argument_is_not_taken_back_in_the_helper_that_it_is_passed_to() -> None:
    assert said(FUNCTIONS % ("width", "outputs * 2", "width // 4")) == [(10, "replace `outputs * 2` with `outputs`")]


def test_a_head_is_judged_after_a_class_that_fails_for_all_arguments() -> None:
    found = said(f"""{HEAD}
class Unit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Conv2d(width, width // 4, 1)
        self.second = nn.Conv2d(width // 4, 2 * width, 1)

    def forward(self, x):
        return x + self.second(self.first(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.units = nn.Sequential(nn.Conv2d(3, 48, 3), Unit(48), Unit(48))
        self.head = nn.Linear(480, 10)

    def forward(self, x):
        return self.head(self.units(x).mean((2, 3)))


net = Net()
""")
    assert found == [(9, "replace `2 * width` with `width`"), (19, "replace `480` with `48`")]


def test_a_repair_may_restore_images_of_three_channels() -> None:
    found = said(f"""{HEAD}
def layers(widths):
    made, width = [], 3
    for each in widths:
        made += [nn.Conv2d(width // 2, each, 3), nn.ReLU()]
        width = each
    return nn.Sequential(*made)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = layers([32, 64, 128])

    def forward(self, x):
        return self.layers(x)
""")
    assert found == [(8, "replace `width // 2` with `width`")]


def test_a_second_repair_may_read_a_parameter_of_the_class_as_well_as_the_first() -> None:
    source = f"""{HEAD}
class Block(nn.Module):
    expansion = 4

    def __init__(self, inputs, width):
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4 * width, 1)

    def forward(self, x):
        return self.conv(x)


class Net(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.stem = nn.Conv2d(3, 60, 3)
        self.body = block(64, 32)
        self.more = block(32 * block.expansion, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.more(self.body(self.stem(x))).mean((2, 3)))


def net():
    return Net(Block)
"""
    assert said(source) == [
        (19, "replace `60` with `64`"),
        (22, "in_features=256 (replace `64` with `64 * block.expansion`)"),
    ]


def test_what_a_class_has_hidden_may_require_equal_parameters() -> None:
    found = said(f"""{HEAD}
class Conv(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x):
        return self.conv(x)


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        hidden = 2 * outputs
        self.first = Conv(inputs, hidden)
        self.last = Conv(outputs, outputs)

    def forward(self, x):
        return self.last(self.first(x))


class Net(nn.Module):
    def __init__(self, widths, classes):
        super().__init__()
        self.blocks, last = nn.Sequential(), 3
        for number, width in enumerate(widths):
            self.blocks.add_module(str(number), Block(last, width))
            last = width
        self.head = nn.Sequential(Conv(last, 24), Conv(2 * 24, classes))

    def forward(self, x):
        return self.head(self.blocks(x))


net = Net([8, 16], 10)
""")
    assert found == [(19, "replace `outputs` with `hidden`"), (32, "replace `2 * 24` with `24`")]


def test_a_line_with_a_repair_is_still_found_for_the_next_mistake() -> None:
    found = said(f"""{HEAD}
class Fire(nn.Module):
    def __init__(self, inputs, squeeze, one, three):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.one, self.three = nn.Conv2d(squeeze, one, 1, groups=5), nn.Conv2d(squeeze, three, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x)
        return torch.cat([self.one(x), self.three(x)], 1)


net = nn.Sequential(
    nn.Conv2d(3, 32, 3),
    Fire(32, 8, 32, 32),
    Fire(64, 8, 48, 48),
    Fire(96, 8, 64, 64),
    Fire(128, 16, 40, 80),
    Fire(160, 16, 96, 96),
)
""")
    assert found == [(9, "remove `groups=5`"), (21, "replace `40` with `80`")]


def test_an_operation_that_fails_in_a_class_and_in_a_model_with_it_counts_once() -> None:
    found = said(f"""{HEAD}
class Block(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(nn.Conv2d(inputs, outputs, 3), nn.GroupNorm(32, outputs * 2))


class Head(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.blocks = nn.Sequential(Block(inputs, outputs), Block(inputs, outputs))

    def forward(self, x):
        return self.blocks(x)


class Net(nn.Module):
    def __init__(self, inner=256, outer=128):
        super().__init__()
        self.first = nn.Conv2d(3, inner, 1)
        self.head = Head(inner, outer)
        self.last = nn.Conv2d(outer, 10, 1)

    def forward(self, x):
        return self.last(self.head(self.first(x)))
""")
    assert found == [(7, "replace `outputs * 2` with `outputs`"), (13, "replace `inputs` with `outputs`")]


ON_A_BRANCH = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, wide=False):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3)
        if wide:
            self.norm = nn.BatchNorm2d(32)
        else:
            self.norm = nn.BatchNorm2d(16)
        self.last = nn.Conv2d(16, 10, 1)

    def forward(self, x):
        return self.norm(self.first(x))
"""


@pytest.mark.parametrize(("text", "settles"), [("16", True), ("load().width", False)])
def test_a_width_that_nothing_is_known_about_settles_nothing_on_a_branch(text: str, settles: bool) -> None:
    project = Project(".", (), SourceTexts({"net.py": ON_A_BRANCH.encode()}))
    checked = check_file("net.py", ON_A_BRANCH.encode(), project)
    (conflict,) = outcome(checked).conflicts
    edit = Edit(Site("net.py", 10, 40, 10, 42), text)
    after = StaticTrials("net.py", checked, project)([edit], conflict)
    assert (after is not None and not after.conflicts) == settles


def test_the_steps_for_trials_begin_again_after_a_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    def trial(trials: StaticTrials, edits: Sequence[Edit], settles: Conflict | None = None) -> Outcome | None:
        trials._project.work.steps += static_trials._LEAST  # all steps that a short check has for trials
        return original(trials, edits, settles)

    original = StaticTrials.__call__
    monkeypatch.setattr(StaticTrials, "__call__", trial)
    found = said(f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3),
            nn.BatchNorm2d(32),
            nn.Conv2d(16, 24, 3),
            nn.BatchNorm2d(48),
            nn.Conv2d(24, 8, 3),
        )

    def forward(self, x):
        return self.body(x)


net = Net()
""")
    assert found == [(10, "replace `32` with `16`"), (12, "replace `48` with `24`")]


def test_the_condition_of_a_conditional_width_may_be_the_repair() -> None:
    found = said(f"""{HEAD}
class Unit(nn.Module):
    def __init__(self, inputs, outputs, skipped, stride):
        super().__init__()
        self.halves = stride == 2
        joined = inputs + (skipped if stride == 2 else 0)
        self.first = nn.Conv2d(inputs, inputs, 3, stride, 1)
        self.last = nn.Conv2d(joined, outputs, 1)

    def forward(self, x, skip):
        x = self.first(x)
        return self.last(x if self.halves else torch.cat([x, skip], 1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3)
        self.down = Unit(24, 48, 0, 2)
        self.unit = Unit(48, 48, 32, 1)
        self.side = nn.Conv2d(48, 32, 1)
        self.other = Unit(48, 64, 32, 1)
        self.deep = Unit(64, 96, 16, 2)

    def forward(self, x):
        x = self.down(self.stem(x), None)
        x = self.unit(x, self.side(x))
        return self.deep(self.other(x, self.side(x)), None)


net = Net()
""")
    assert found == [(9, "replace `skipped if stride == 2 else 0` with `skipped if stride != 2 else 0`")]


def test_what_fails_in_a_model_may_fail_in_a_class_of_it_after_another_repair() -> None:
    found = said(f"""{HEAD}
class Narrow(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs * 2)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(inputs, outputs, 1)


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, width, 3, groups=5))
        for number in range(3):
            self.features.add_module(f"narrow{{number}}", Narrow(width, width // 2))
            width = width // 2
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


def net():
    return Net()
""")
    assert found == [(16, "remove `groups=5`"), (8, "replace `inputs * 2` with `inputs`")]


def test_votes_that_are_counted_take_steps() -> None:
    layers = range(24)
    init = "\n".join(f"        self.c{n} = nn.Conv2d(3 + 7 * {n}, 8, 1)" for n in layers)
    calls = "\n".join(f"        x = torch.cat([x, self.c{n}(x)], 1)" for n in layers)
    text = (
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        f"        super().__init__()\n{init}\n\n    def forward(self, x):\n{calls}\n        return x\n"
    ).encode()
    project = Project(".", (), SourceTexts({"net.py": text}))
    checked = check_file("net.py", text, project)
    assert project.work.steps > 2 * checked.steps


def test_votes_of_all_classes_of_a_file_are_limited_and_every_error_is_reported() -> None:
    def steps_and_errors(count: int) -> tuple[float, int]:
        classes = "".join(
            f"\n\nclass A{n}({f'A{n - 1}' if n > 3 else 'nn.Module'}):\n    def __init__(self):\n"
            f"        super().__init__()\n        self.c{n} = nn.Conv2d({n}, {n}, 1)\n\n    def forward(self, x):\n"
            f"        return self.c{n}({'super().forward(x)' if n > 3 else 'x'})\n"
            for n in range(3, count + 3)
        )
        text = f"from torch import nn\n{classes}".encode()
        project = Project(".", (), SourceTexts({"net.py": text}))
        checked = check_file("net.py", text, project)
        lines = {finding.site.line for finding in checked.findings if finding.code == "CVL102" and finding.site}
        return project.work.steps - checked.steps, len(lines)

    for count in (24, 48):
        steps, errors = steps_and_errors(count)
        assert errors >= count - 1
        assert steps < 3_000 * count
