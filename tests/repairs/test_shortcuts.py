"""Residual blocks whose shortcut is projected under the wrong condition: the condition is the repair."""

from __future__ import annotations

import pytest

from convlint.source_text.edits import apply
from tests.repairs.small_programs import HEAD, errors, folder, run

__all__ = ["folder"]

OWN_SHORTCUT = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, stride, 1)
        self.short = nn.Identity()
        if %s:
            self.short = nn.Conv2d(cin, cout, 1, stride)

    def forward(self, x):
        return self.conv(x) + self.short(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), Block(32, 48), Block(48, 64, 2), Block(64, 64, 2))

    def forward(self, x):
        return self.body(x)


net = Net()
net(torch.rand(2, 3, 64, 64))
"""
PASSED_SHORTCUT = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, cin, cout, stride=1, downsample=None):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, stride, 1)
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = self.conv(x)
        y += identity
        return y


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = 32
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.body = nn.Sequential(self.stage(32, 1), self.stage(64, 2), self.stage(64, 2), self.stage(96, 1))

    def stage(self, planes, stride):
        downsample = nn.Conv2d(self.width, planes, 1, stride=stride) if %s else None
        block = Block(self.width, planes, stride, downsample)
        self.width = planes
        return block

    def forward(self, x):
        return self.body(self.stem(x))


net = Net()
net(torch.rand(2, 3, 64, 64))
"""


@pytest.mark.parametrize(
    ("program", "wrong", "right"),
    [
        (OWN_SHORTCUT, "stride != 1", "stride != 1 or cin != cout"),
        (OWN_SHORTCUT, "cin != cout", "cin != cout or stride != 1"),
        (OWN_SHORTCUT, "stride != 1 and cin != cout", "stride != 1 or cin != cout"),
        (PASSED_SHORTCUT, "stride != 1", "stride != 1 or self.width != planes"),
        (PASSED_SHORTCUT, "self.width != planes", "self.width != planes or stride != 1"),
    ],
)
def test_the_condition_of_a_projection_gets_what_it_lacks(program: str, wrong: str, right: str) -> None:
    source = program % wrong
    (finding,) = errors(source)
    assert finding.code == "CVL110"
    assert finding.repairs[0].title == f"replace `{wrong}` with `{right}`"
    run(apply(source.encode(), finding.repairs[0].edits).decode())


def test_a_width_that_is_wrong_alone_is_repaired_and_not_the_condition() -> None:
    source = (OWN_SHORTCUT % "stride != 1").replace(
        "Block(32, 48), Block(48, 64, 2)", "Block(48, 48), Block(48, 64, 2)"
    )
    (finding,) = errors(source)
    assert "!=" not in finding.repairs[0].title


def test_a_call_asks_for_the_projection_as_other_calls_of_the_block_do() -> None:
    program = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, cin, cout, project=False):
        super().__init__()
        self.body = nn.Conv2d(cin, cout, 3, padding=1)
        self.project = nn.Conv2d(cin, cout, 1) if project else None

    def forward(self, x):
        return self.body(x) + (x if self.project is None else self.project(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Block(3, 16, project=True), Block(16, 32), nn.Conv2d(32, 5, 1))

    def forward(self, x):
        return self.body(x)


Net()(torch.zeros(2, 3, 32, 32))
"""
    (finding,) = errors(program)
    assert finding.repairs[0].title == "add project=True"
    assert "Block(16, 32, project=True), nn" in apply(program.encode(), finding.repairs[0].edits).decode()
