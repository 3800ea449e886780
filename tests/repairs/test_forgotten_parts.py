"""Numbers of which a part was forgotten, or that another name of the same place stands for."""

from __future__ import annotations

import pytest

from convlint.source_text.edits import apply
from tests.repairs.small_programs import HEAD, errors, folder, run

__all__ = ["folder"]

A_LOOP_OF_PARTS = f"""{HEAD}
def unit(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())


class Dense(nn.Module):
    def __init__(self, inputs, middle, outputs, depth):
        super().__init__()
        self.steps = nn.ModuleList()
        width = inputs
        for _ in range(depth):
            self.steps.append(unit(width, middle))
            width = middle
        width = inputs  # <- inputs + depth * middle
        self.join = unit(width, outputs)

    def forward(self, x):
        parts = [x]
        for step in self.steps:
            parts.append(step(parts[-1]))
        return self.join(torch.cat(parts, 1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Dense(3, 6, 10, 3), Dense(10, 8, 12, 4))

    def forward(self, x):
        return self.body(x)
"""

A_TERM_OF_AN_UNREAD_NAME = f"""{HEAD}
class Step(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.conv = nn.Conv2d(inputs, growth, 3, padding=1)

    def forward(self, x):
        return torch.cat([x, self.conv(x)], 1)


class Dense(nn.Module):
    def __init__(self, inputs, growth, depth):
        super().__init__()
        self.steps = nn.Sequential()
        for i in range(depth):
            step = Step(i * growth, growth)  # <- inputs + i * growth
            self.steps.append(step)

    def forward(self, x):
        return self.steps(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), Dense(8, 6, 4))

    def forward(self, x):
        return self.body(x)
"""

THE_ITEM_OF_A_LOOP = f"""{HEAD}
class Stage:
    def __init__(self, width, out, depth):
        self.width, self.out, self.depth = width, out, depth


class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        stages = [Stage(12, 24, 1), Stage(24, 36, 2), Stage(36, 60, 1)]
        first = stages[0].width
        layers = [nn.Conv2d(3, first, 3), nn.BatchNorm2d(first)]
        for stage in stages:
            for _ in range(stage.depth):
                layers.append(nn.Conv2d(stage.width, stage.width, 3, padding=1))
            layers.append(nn.BatchNorm2d(stage.width))
            layers.append(nn.Conv2d(first, stage.out, 1))  # <- stage.width
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(60, classes, 1)

    def forward(self, x):
        return self.head(self.body(x))
"""

A_VARIABLE_THAT_WAS_THE_INPUT = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, inputs, hidden, outputs, count):
        super().__init__()
        self.convs = nn.ModuleList()
        width = inputs
        for _ in range(count):
            self.convs.append(nn.Conv2d(width, hidden, 3, padding=1))
            width = hidden
        width = count * hidden  # <- inputs + count * hidden
        self.join = nn.Conv2d(width, outputs, 1)

    def forward(self, x):
        parts = [x]
        for conv in self.convs:
            parts.append(conv(parts[-1]))
        return self.join(torch.cat(parts, 1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3), Block(16, 16, 32, 3), Block(32, 20, 48, 3))

    def forward(self, x):
        return self.body(x)
"""

A_STACK_OF_WIDTHS = f"""{HEAD}
class Step(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x):
        return self.conv(x).relu()


class Net(nn.Module):
    def __init__(self, base=8, factors=(1, 2)):
        super().__init__()
        self.stem = nn.Conv2d(3, base, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        stack, width = [base], base
        for factor in factors:
            self.down.append(Step(width, factor * base))
            width = factor * base
            stack.append(width)
        self.middle = Step(width, width)
        for factor in factors[::-1]:
            self.up.append(Step(stack.pop(), factor * base))  # <- width + stack.pop()
            width = factor * base
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, x):
        x = self.stem(x)
        kept = [x]
        for step in self.down:
            x = step(x)
            kept.append(x)
        x = self.middle(x)
        for step in self.up:
            x = step(torch.cat([x, kept.pop()], 1))
        return self.out(x)
"""


@pytest.mark.parametrize(
    "source",
    [
        *(A_LOOP_OF_PARTS, A_TERM_OF_AN_UNREAD_NAME, THE_ITEM_OF_A_LOOP, A_STACK_OF_WIDTHS),
        A_VARIABLE_THAT_WAS_THE_INPUT,
    ],
)
def test_the_expression_that_was_meant_is_proposed(source: str) -> None:
    (finding,) = errors(source)
    (edit,) = finding.repairs[0].edits
    line = next(number for number, text in enumerate(source.split("\n"), 1) if "# <-" in text)
    wanted = source.split("\n")[line - 1].partition("# <- ")[2]
    assert edit.text == wanted
    assert edit.site.line == line
    assert run(apply(source.encode(), [edit]).decode()) is not None


def test_a_loop_that_ends_before_the_failing_layer_is_no_repair() -> None:
    source = f"""{HEAD}
class Step(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.conv = nn.Conv2d(inputs, growth, 3, padding=1)

    def forward(self, x):
        return torch.cat([x, self.conv(x)], 1)


class Net(nn.Module):
    def __init__(self, growth=6, depth=4):
        super().__init__()
        self.steps = nn.Sequential(*[Step(i * growth, growth) for i in range(1, depth)])  # <- 3 + i * growth
        self.first = Step(3, growth)

    def forward(self, x):
        return self.steps(self.first(x))
"""
    (finding,) = errors(source)
    assert run(apply(source.encode(), finding.repairs[0].edits).decode()) is not None


def test_groups_that_a_factor_makes_too_many_lose_the_factor() -> None:
    source = f"""{HEAD}
def depthwise(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, groups=outputs)


class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.depth = depthwise(inputs, inputs * 2)  # <- inputs
        self.point = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return self.point(self.depth(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [8, 16, 24]
        self.stem = nn.Conv2d(3, 8, 3)
        self.body = nn.Sequential(*[Unit(widths[i], widths[i + 1]) for i in range(2)])

    def forward(self, x):
        return self.body(self.stem(x))
"""
    (finding,) = errors(source)
    (edit,) = finding.repairs[0].edits
    assert edit.text == "inputs"
    assert run(apply(source.encode(), [edit]).decode()) is not None


@pytest.mark.parametrize(
    ("layers", "forward", "text"),
    [
        (
            "self.c, self.drop, self.fc = nn.Conv2d(3, 24, 4, 4), nn.Dropout(), nn.Linear(24 * 6 * 6, 5)",
            "self.fc(self.drop(self.c(x).view(x.size(0), 24 * 8 * 8)))",
            "24 * 8 * 8",
        ),
        ("self.one = block(3, 44)\n        self.two = block(40, 16)", "self.two(self.one(x))", "40"),
    ],
    ids=["before dropout", "the next layer says how many channels the groups divide"],
)
def test_the_text_of_a_repair_is_that_of_what_is_written_around_it(layers: str, forward: str, text: str) -> None:
    program = f"""{HEAD}
def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3), nn.GroupNorm(8, outputs))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {layers}

    def forward(self, x):
        return {forward}
"""
    found = errors(program + "\n\nif __name__ == '__main__':\n    Net()(torch.zeros(2, 3, 32, 32))\n")
    assert text in [edit.text for finding in found for edit in finding.repairs[0].edits]
