"""Residual blocks whose shortcut is projected under the wrong condition: the condition is the repair."""

from __future__ import annotations

import pytest

from convlint.source_text.edits import apply
from tests.repairs.small_programs import HEAD, assert_mended, errors, folder, run

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


BOTTLENECK = f"""{HEAD}

class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None, base_width=64, norm_layer=None):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0))
        self.conv1 = nn.Conv2d(inplanes, width, 1, bias=False)
        self.bn1 = norm_layer(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = norm_layer(width)
        self.conv3 = nn.Conv2d(width, planes * self.expansion, 1, bias=False)
        self.bn3 = norm_layer(planes * self.expansion)
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        return (self.bn3(self.conv3(out)) + identity).relu()


class ResNet(nn.Module):
    def __init__(self, block, layers, classes=10):
        super().__init__()
        self.inplanes = 64
        self.stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2)
        self.fc = nn.Linear(128 * block.expansion, classes)

    def _make_layer(self, block, planes, blocks, stride=1):
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Conv2d(self.inplanes, planes * block.expansion, 1, stride, bias=False)
        layers = [block(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes * block.expansion
        layers += [block(self.inplanes, planes) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(x.mean((2, 3)))


def Net():
    return ResNet(Bottleneck, [2, 2])
"""


def test_the_shortcut_of_a_model_tells_which_end_of_a_block_is_wrong() -> None:
    """Alone, the block works with a norm of ``planes * 2`` as well; what the model passes as its shortcut does not."""
    wrong = "self.conv3 = nn.Conv2d(width, planes * 2, 1, bias=False)"
    source = BOTTLENECK.replace("self.conv3 = nn.Conv2d(width, planes * self.expansion, 1, bias=False)", wrong)
    assert errors(BOTTLENECK) == []
    assert_mended(source, wrong, "planes * self.expansion")


def test_a_model_and_its_block_agree_on_a_wrong_norm() -> None:
    wrong = "self.bn2 = norm_layer(planes * 2)"
    source = BOTTLENECK.replace("self.bn2 = norm_layer(width)", wrong)
    assert_mended(source, wrong, "width")
