"""Which of several repairs is proposed: the line, the edit, and PyTorch's word that the edited model runs."""

from __future__ import annotations

import pytest

from convlint.source_text.edits import apply
from tests.repairs.small_programs import HEAD, errors, folder, run

__all__ = ["folder"]

A_MIDDLE_WIDTH_OF_A_HELPER = f"""{HEAD}
def steps(inputs, outputs, middle):
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 3),
        nn.BatchNorm2d(middle),
        nn.Conv2d(middle, outputs, 3),
        nn.BatchNorm2d(middle),  # <- outputs
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(steps(3, 10, 10), steps(10, 6, 8), nn.Conv2d(6, 2, 1))

    def forward(self, x):
        return self.body(x)
"""

A_MIDDLE_WIDTH_OF_A_BLOCK = f"""{HEAD}
class Squeeze(nn.Module):
    def __init__(self, inputs, outputs, hidden=None):
        super().__init__()
        hidden = hidden or outputs
        self.enter = nn.Conv2d(inputs, hidden, 1)
        self.norm = nn.GroupNorm(1, outputs)  # <- hidden
        self.leave = nn.Conv2d(hidden, outputs, 1)

    def forward(self, x):
        return self.leave(self.norm(self.enter(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = Squeeze(3, 24)
        self.narrow = Squeeze(24, 24, hidden=6)
        self.head = nn.Conv2d(24, 2, 1)

    def forward(self, x):
        return self.head(self.narrow(self.wide(x)))
"""

AN_ARGUMENT_THAT_NOTHING_ELSE_READS = f"""{HEAD}
class Gate(nn.Module):
    def __init__(self, query, value, hidden):
        super().__init__()
        self.q = nn.Conv2d(query, hidden, 1)
        self.v = nn.Conv2d(value, hidden, 1)

    def forward(self, q, v):
        return self.q(q) + self.v(v)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 12, 1)
        self.b = nn.Conv2d(12, 20, 1)
        self.first = Gate(20, 20, 4)
        self.second = Gate(20, 12, 4)  # <- 12

    def forward(self, x):
        a = self.a(x)
        b = self.b(a)
        return self.first(b, b) + self.second(a, a)
"""

A_FACTOR_IN_A_LOOP = f"""{HEAD}
def layers(widths):
    built, last = [], 3
    for width in widths:
        built.append(nn.Conv2d(last, width // 2, 3, padding=1))  # <- width
        built.append(nn.BatchNorm2d(width))
        last = width
    return nn.Sequential(*built)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = layers([8, 16, 24])
        self.head = nn.Conv2d(24, 2, 1)

    def forward(self, x):
        return self.head(self.body(x))
"""

ANOTHER_VARIABLE = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, widths=(8, 12, 20), classes=7, final=30):
        super().__init__()
        last, body = 3, []
        for name, width in zip(["a", "b", "c"], widths):
            body += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU()]
            last = width
        self.body = nn.Sequential(*body)
        self.mix = nn.Conv2d(final, final, 1)  # <- last
        self.head = nn.Conv2d(final, classes, 1)

    def forward(self, x):
        return self.head(self.mix(self.body(x)))
"""

A_NAME_THAT_NOTHING_ELSE_READS = f"""{HEAD}
class Gate(nn.Module):
    def __init__(self, channels, ratio=4):
        super().__init__()
        hidden = channels // ratio
        self.squeeze = nn.Conv2d(channels, channels, 1)  # <- hidden
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        return x * self.expand(self.squeeze(x.mean((2, 3), keepdim=True))).sigmoid()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3), Gate(16), nn.Conv2d(16, 32, 3), Gate(32))

    def forward(self, x):
        return self.body(x)
"""

A_WIDTH_OF_EACH_PART = f"""{HEAD}
class Dense(nn.Module):
    def __init__(self, channels, growth, count):
        super().__init__()
        self.parts = nn.ModuleList(nn.Conv2d(channels + i * growth, growth, 1) for i in range(count))

    def forward(self, x):
        for part in self.parts:
            x = torch.cat([x, part(x)], 1)
        return x


class Net(nn.Module):
    def __init__(self, width=16, growth=6):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.dense = Dense(width, growth=width, count=3)  # <- growth
        self.norm = nn.BatchNorm2d(width + 3 * growth)
        self.head = nn.Conv2d(width + 3 * growth, 2, 1)

    def forward(self, x):
        return self.head(self.norm(self.dense(self.stem(x))))
"""

A_PROGRESSION = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = self.layer(3, 16)
        self.two = self.layer(16, 32)
        self.three = self.layer(32, 64)
        self.four = self.layer(64, 64)  # <- 128
        self.head = nn.Linear(128, 5)

    def layer(self, inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x):
        return self.head(self.four(self.three(self.two(self.one(x)))).mean((2, 3)))
"""

ANOTHER_ITEM_OF_A_LIST = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [10, 6, 14]
        self.a = nn.Conv2d(3, widths[0], 5)
        self.b = nn.Conv2d(widths[0], widths[1], 3)
        self.c = nn.Conv2d(widths[1], 14, 1)
        self.head = nn.Conv2d(widths[1], 4, 1)  # <- widths[-1]

    def forward(self, x):
        return self.head(self.c(self.b(self.a(x))))
"""

A_VARIABLE_OF_A_LOOP_THAT_HALVES = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, last=64, widths=(32, 16, 8)):
        super().__init__()
        self.stem = nn.Conv2d(3, last, 3)
        layers = []
        for width in widths:
            layers.append(nn.Sequential(nn.Conv2d(last, width, 3), nn.BatchNorm2d(last)))  # <- width
            last = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 4, 1)

    def forward(self, x):
        return self.head(self.body(self.stem(x)))
"""

A_LIST_THAT_RISES = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        layers, last = [], 3
        for width in (16, 32, 48):
            layers += [nn.Conv2d(last, width, 3), nn.ReLU()]
            last = width
        layers += [nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Conv2d(32, 4, 1)]  # <- 48
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return self.body(x)
"""

A_PARAMETER_THAT_NOTHING_READS = f"""{HEAD}
class Step(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(outputs, outputs, 3)  # <- inputs

    def forward(self, x):
        return self.conv(x)


class Net(nn.Module):
    def __init__(self, width=16, middle=24):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.body = nn.Sequential(Step(width, middle), Step(middle, middle), Step(middle, width))

    def forward(self, x):
        return self.body(self.stem(x))
"""

A_PARAMETER_THAT_IS_ONLY_HALVED = f"""{HEAD}
class Head(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.first = nn.Conv2d(inputs, hidden // 2, 1)  # <- hidden
        self.last = nn.Conv2d(hidden, classes, 1)

    def forward(self, x):
        return self.last(self.first(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3), Head(16, 24, 5))

    def forward(self, x):
        return self.body(x)
"""

A_LAYER_THAT_KEEPS_ITS_WIDTH = f"""{HEAD}
class Bottleneck(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        hidden = outputs // 4
        self.first = nn.Conv2d(inputs, outputs, 1)  # <- hidden
        self.middle = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.last = nn.Conv2d(hidden, outputs, 1)

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3), Bottleneck(16, 32), Bottleneck(32, 64))

    def forward(self, x):
        return self.body(x)
"""

A_CALL_OF_A_RESIDUAL_BLOCK = f"""{HEAD}
class Unit(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        hidden = out_channels // 2
        self.first = nn.Conv2d(in_channels, hidden, 1)
        self.last = nn.Conv2d(hidden, out_channels, 3, padding=1)

    def forward(self, x):
        return x + self.last(self.first(x))


class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        layers, last = [], 3
        for width in (16, 32):
            layers += [nn.Conv2d(last, width, 3), Unit(width, classes)]  # <- width
            last = width
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return self.body(x)
"""

LAYERS_OF_A_HELPER_WITH_EQUAL_ARGUMENTS = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return self.conv(x).relu()


def block(inputs, outputs):
    return Block(inputs, outputs)


class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = block(inputs, inputs // 4)
        self.last = block(inputs // 4, outputs)
        self.shortcut = block(inputs, outputs // 2)  # <- outputs

    def forward(self, x):
        shortcut = self.shortcut(x)
        return self.last(self.first(x)) + shortcut


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 64, 3), Unit(64, 32), Unit(32, 16))

    def forward(self, x):
        return self.body(x)
"""

PROGRAMS = {
    "a parameter that no layer would have": A_PARAMETER_THAT_IS_ONLY_HALVED,
    "a layer that keeps its width": A_LAYER_THAT_KEEPS_ITS_WIDTH,
    "the call of a residual block": A_CALL_OF_A_RESIDUAL_BLOCK,
    "layers that a helper builds with equal arguments": LAYERS_OF_A_HELPER_WITH_EQUAL_ARGUMENTS,
    "a number in a progression": A_PROGRESSION,
    "an item of a list": ANOTHER_ITEM_OF_A_LIST,
    "the variable of a loop, whose widths are halved": A_VARIABLE_OF_A_LOOP_THAT_HALVES,
    "a number after a list whose numbers rise": A_LIST_THAT_RISES,
    "a parameter that nothing reads": A_PARAMETER_THAT_NOTHING_READS,
    "a width that nothing else reads": A_NAME_THAT_NOTHING_ELSE_READS,
    "the width of each part of a concatenation": A_WIDTH_OF_EACH_PART,
    "a helper with a middle width that one call has equal": A_MIDDLE_WIDTH_OF_A_HELPER,
    "a block with a middle width that one call leaves out": A_MIDDLE_WIDTH_OF_A_BLOCK,
    "a wrong argument of a block that is right elsewhere": AN_ARGUMENT_THAT_NOTHING_ELSE_READS,
    "a factor in a loop that builds all layers": A_FACTOR_IN_A_LOOP,
    "a variable in place of another one": ANOTHER_VARIABLE,
}


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_the_guilty_number_is_repaired(source: str) -> None:
    with pytest.raises(RuntimeError):
        run(source)
    (finding,) = errors(source)
    line, text = next((i, t) for i, t in enumerate(source.splitlines(), 1) if "# <- " in t)
    edits = finding.repairs[0].edits
    assert [(edit.site.line, edit.text) for edit in edits] == [(line, text.partition("# <- ")[2])]
    assert run(apply(source.encode(), edits).decode()) is not None


def test_a_text_after_which_the_analysis_stops_is_no_repair() -> None:
    source = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, widths=(8, 12), classes=5):
        super().__init__()
        self.body = nn.ModuleList()
        last = 3
        for width in widths:
            self.body.append(nn.Conv2d(last, width, 3, padding=1))
            last = classes

    def forward(self, x):
        for layer in self.body:
            x = layer(x)
        return x
"""
    (finding,) = errors(source)
    for repair in finding.repairs:
        assert run(apply(source.encode(), repair.edits).decode()) is not None


def test_an_argument_that_helpers_pass_on_by_keyword_is_repaired_where_it_is_written() -> None:
    source = f"""{HEAD}
def layer(in_channels, out_channels, kernel_size, **options):
    return nn.Sequential(
        nn.Conv2d(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, **options),
        nn.BatchNorm2d(out_channels),
    )


def layer3(padding=1, **options):
    return layer(kernel_size=3, padding=padding, **options)


class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        hidden = outputs // 2
        self.first = layer3(in_channels=inputs, out_channels=hidden * 2)
        self.second = layer3(in_channels=hidden, out_channels=outputs)

    def forward(self, x):
        return self.second(self.first(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Unit(3, 16), Unit(16, 24))

    def forward(self, x):
        return self.body(x)
"""
    (finding,) = errors(source)
    (edit,) = finding.repairs[0].edits
    assert edit.text in ("hidden", "hidden * 2")  # of either call
    assert run(apply(source.encode(), finding.repairs[0].edits).decode()) is not None


def test_groups_where_no_other_layer_has_any_are_removed() -> None:
    source = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 12, 3)
        self.b = nn.Conv2d(12, 20, kernel_size=1, groups=5)

    def forward(self, x):
        return self.b(self.a(x))
"""
    (finding,) = errors(source)
    assert finding.repairs[0].title == "remove `groups=5`"
    repaired = apply(source.encode(), finding.repairs[0].edits).decode()
    assert repaired == source.replace(", groups=5", "")
    assert run(repaired) is not None


def test_a_repair_for_some_of_the_blocks_is_none() -> None:
    source = f"""{HEAD}
class Expand(nn.Module):
    def __init__(self, inputs, outputs, factor):
        super().__init__()
        hidden = inputs * factor
        self.up = nn.Conv2d(hidden, hidden, 1)  # <- inputs
        self.out = nn.Conv2d(hidden, outputs, 1)

    def forward(self, x):
        return self.out(self.up(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.body = nn.Sequential(Expand(8, 12, 3), Expand(12, 16, 3), Expand(16, 20, 6), Expand(20, 24, 6))

    def forward(self, x):
        return self.body(self.stem(x))
"""
    for finding in errors(source):
        for repair in finding.repairs:
            assert run(apply(source.encode(), repair.edits).decode()) is not None


def test_an_error_of_a_class_and_of_the_models_with_it_is_one() -> None:
    source = f"""{HEAD}
class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs // 2)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Fork(nn.Module):
    def __init__(self, inputs, one, other):
        super().__init__()
        self.one, self.other = Unit(inputs, one), Unit(inputs, other)

    def forward(self, x):
        return torch.cat([self.one(x), self.other(x)], 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Unit(3, 16), Fork(16, 8, 24), Fork(32, 16, 16))
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))
"""
    (finding,) = errors(source)
    (edit,) = finding.repairs[0].edits
    assert edit.text == "outputs"
    assert run(apply(source.encode(), [edit]).decode()) is not None


def test_a_helper_that_another_class_calls_is_not_repaired_for_a_class() -> None:
    source = f"""{HEAD}
def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = conv(inputs, outputs * 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Pair(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Sequential(Unit(inputs, outputs), Unit(outputs, outputs))

    def forward(self, x):
        return self.body(x)


class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(Pair(3, width), Pair(width, 2 * width))

    def forward(self, x):
        return self.body(x)
"""
    (finding,) = errors(source)
    (edit,) = finding.repairs[0].edits
    assert edit.text == "outputs"
    assert run(apply(source.encode(), [edit]).decode()) is not None


CHOSEN_BY_NAME = f"""{HEAD}
class Narrow(nn.Module):
    scale = 1

    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, x):
        return self.conv(x)


class Wide(Narrow):
    scale = 2

    def __init__(self, width):
        super().__init__(width)
        self.more = nn.Conv2d(width, width * self.scale, 1)

    def forward(self, x):
        return self.more(self.conv(x))


PARTS = {{"narrow": Narrow, "wide": Wide}}


class Model(nn.Module):
    def __init__(self, part, width=24):
        super().__init__()
        self.part = PARTS[part](width)
        self.head = nn.Conv2d(width, 5, 1)  # wrong for Wide

    def forward(self, x):
        return self.head(self.part(x))


def Net():
    return Model("wide")
"""


def test_an_attribute_of_a_class_that_a_name_chooses_may_be_the_repair() -> None:
    (finding,) = errors(CHOSEN_BY_NAME)
    assert finding.repairs[0].edits[0].text == "width * self.part.scale"
    assert run(apply(CHOSEN_BY_NAME.encode(), finding.repairs[0].edits).decode()) is not None
