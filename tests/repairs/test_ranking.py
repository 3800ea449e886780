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

PROGRAMS = {
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
