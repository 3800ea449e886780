"""Mistakes in helpers and in settings that a function unpacks: which line is reported, and that it is one."""

from __future__ import annotations

from pathlib import Path

import pytest

import convlint
from convlint.analysis.diagnosis.refused import refuses
from convlint.ir import Layer, Site
from convlint.repairs.changes import Change
from convlint.repairs.slicer import Slicer
from convlint.source_text.texts import SourceTexts
from tests.repairs.small_programs import HEAD, assert_mended, errors, folder

__all__ = ["folder"]


def test_a_parameter_that_may_have_the_right_value_is_no_repair_of_a_class() -> None:
    source = f"""{HEAD}
def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = conv(inputs, outputs * 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
"""
    (finding,) = errors(source)
    edits = [edit for repair in finding.repairs for edit in repair.edits]
    assert {(edit.site.line, edit.text) for edit in edits} <= {
        (12, "outputs"),
        (13, "outputs * 2"),
        (13, "2 * outputs"),
    }


def test_the_model_decides_which_repair_of_a_class_is_reported() -> None:
    Path("units.py").write_text(f"""{HEAD}
class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs * 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
""")
    Path("model.py").write_text(f"""{HEAD}
from units import Unit


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Unit(3, 16), Unit(16, 24), nn.Conv2d(24, 2, 1))

    def forward(self, x):
        return self.body(x)
""")
    (finding,) = [f for f in convlint.check(".") if f.severity == "error"]
    (edit,) = finding.repairs[0].edits
    assert edit.text == "outputs"


def test_only_the_settings_of_the_function_itself_are_followed() -> None:
    source = """
def build(**kwargs):
    return Conv(**kwargs)


def small(**kwargs):
    options = dict(in_channels=8)
    return build(**dict(options, **kwargs))


def large(**kwargs):
    options = dict(in_channels=64)
    return build(**dict(options, **kwargs))
"""
    Path("net.py").write_text(source)
    inner = Site("net.py", 3, 12, 3, 26, "build")
    outer = Site("net.py", 8, 12, 8, 44, "small")
    numbers = Slicer(SourceTexts(), ".").numbers("conv2d", "in", (inner, outer), Change())
    assert [number.text for number in numbers] == ["8"]


def test_channels_that_are_no_whole_numbers_are_not_refused_for_their_groups() -> None:
    numbers = {"in_channels": 8.5, "out_channels": 8, "groups": 1}
    assert not refuses(Layer("conv", "Conv2d", "Conv2d", attrs=numbers, error="TypeError"))
    assert refuses(
        Layer("conv", "Conv2d", "Conv2d", attrs={**numbers, "in_channels": 9, "groups": 2}, error="ValueError")
    )


FUSED = f"""{HEAD}
class Fuse(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        self.branches = nn.ModuleList([nn.Conv2d(c, c, 1) for c in channels])
        self.rows = self._make_rows()

    def _make_rows(self):
        n = len(self.channels)
        rows = []
        for i in range(n):
            row = []
            for j in range(n):
                if j > i:
                    up = nn.Conv2d(self.channels[j], self.channels[i], 1, bias=False)
                    norm = nn.BatchNorm2d(self.channels[i])
                    row.append(nn.Sequential(up, norm, nn.Upsample(scale_factor=2 ** (j - i))))
                elif j == i:
                    row.append(nn.Identity())
                else:
                    convs = []
                    for k in range(i - j):
                        end = self.channels[MADE] if k == i - j - 1 else self.channels[j]
                        norm = self.channels[i] if k == i - j - 1 else self.channels[j]
                        conv = nn.Conv2d(self.channels[j], end, 3, 2, 1, bias=False)
                        convs.append(nn.Sequential(conv, nn.BatchNorm2d(norm)))
                    row.append(nn.Sequential(*convs))
            rows.append(nn.ModuleList(row))
        return nn.ModuleList(rows)

    def forward(self, xs):
        xs = [branch(x) for branch, x in zip(self.branches, xs)]
        out = []
        for i in range(len(self.rows)):
            y = xs[0] if i == 0 else self.rows[i][0](xs[0])
            for j in range(1, len(xs)):
                y = y + (xs[j] if i == j else self.rows[i][j](xs[j]))
            out.append(y.relu())
        return out


class Net(nn.Module):
    def __init__(self, widths=(18, 36, 72)):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, 2, 1)
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(widths, widths[1:])])
        self.fuse = Fuse(widths)
        self.head = nn.Conv2d(WIDTH, 4, 1)

    def forward(self, x):
        xs = [self.stem(x)]
        for down in self.down:
            xs.append(down(xs[-1]))
        return self.head(self.fuse(xs)[0])
"""


def test_a_class_that_works_after_the_repair_of_a_model_is_not_reported_beside_it() -> None:
    right = FUSED.replace("MADE", "i").replace("WIDTH", "widths[0]")
    wrong = FUSED.replace("MADE", "j").replace("WIDTH", "widths[0]")
    for source, count in ((right, 0), (wrong, 1)):
        Path("net.py").write_text(source)
        found = convlint.check("net.py").findings
        assert len([each for each in found if each.severity != "info"]) == count, found


def test_a_class_that_fails_for_other_arguments_is_reported_beside_the_error_of_a_model() -> None:
    source = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, bias=False)
        self.norm = nn.BatchNorm2d(inputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block(16, 16)
        self.stem = nn.Conv2d(3, 16, 3)
        self.head = nn.Conv2d(24, 4, 1)

    def forward(self, x):
        return self.head(self.block(self.stem(x)))
"""
    Path("net.py").write_text(source)
    assert {finding.code for finding in convlint.check("net.py").findings} == {"CVL102", "CVL201"}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ("class Settings:\n    width = 24\n    inputs = 40\n", "from settings import Settings as cfg"),
        ("width = 24\ninputs = 40\n", "import settings as cfg"),
        ("from types import SimpleNamespace\ncfg = SimpleNamespace(width=24, inputs=40)\n", "from settings import cfg"),
    ],
    ids=["class", "module", "object"],
)
def test_a_wrong_setting_is_reported_in_the_file_that_has_it(settings: str, name: str) -> None:
    Path("settings.py").write_text(settings)
    Path("model.py").write_text(f"""{HEAD}
{name}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, cfg.width, 3)
        self.head = nn.Conv2d(cfg.inputs, 5, 1)

    def forward(self, x):
        return self.head(self.conv(x))
""")
    (finding,) = [f for f in convlint.check(".") if f.severity == "error"]
    assert finding.site is not None
    assert finding.site.path.endswith("settings.py")
    assert [(edit.site.path, edit.text) for edit in finding.repairs[0].edits] == [(finding.site.path, "24")]


def test_a_subclass_in_another_file_may_have_the_wrong_constant() -> None:
    Path("base.py").write_text(f"""{HEAD}
class Base(nn.Module):
    features = 32

    def __init__(self):
        super().__init__()
        self.body = self.make()
        self.head = nn.Linear(self.features, 10)

    def make(self):
        return nn.Conv2d(3, 32, 3)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))
""")
    Path("model.py").write_text(f"""{HEAD}
from base import Base


class Net(Base):
    features = 32

    def __init__(self):
        super().__init__()

    def make(self):
        return nn.Sequential(nn.Conv2d(1, 24, 5), nn.BatchNorm2d(24))
""")
    (finding,) = [f for f in convlint.check(".") if f.severity == "error"]
    assert finding.site is not None
    assert finding.site.path == "model.py"
    assert "features = 32" in Path("model.py").read_text().splitlines()[finding.site.line - 1]
    assert [edit.text for edit in finding.repairs[0].edits] == ["24"]


def test_a_class_that_fails_only_by_a_part_that_is_wrong_itself_is_not_reported() -> None:
    (finding,) = errors(f"""{HEAD}
class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(inputs)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Up(nn.Module):
    def __init__(self, inputs, skip, outputs):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, 2)
        self.unit = Unit(outputs + skip, outputs)

    def forward(self, x, y):
        return self.unit(torch.cat([self.up(x), y], 1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Unit(3, 15), Unit(15, 30)
        self.up = Up(30, 15, 15)

    def forward(self, x):
        y = self.first(x)
        return self.up(self.second(nn.functional.max_pool2d(y, 2)), y)
""")
    assert finding.site is not None
    assert (finding.site.line, [edit.text for edit in finding.repairs[0].edits]) == (9, ["outputs"])


def test_a_norm_from_a_function_of_the_program_that_takes_a_dict_is_sized_by_its_caller() -> None:
    source = f"""{HEAD}
def build_norm_layer(cfg, features, postfix=""):
    cfg = cfg.copy()
    cfg.pop("type")
    return "norm" + str(postfix), nn.BatchNorm2d(features, **cfg)


class Unit(nn.Module):
    def __init__(self, inputs, planes, norm_cfg=dict(type="BN")):
        super().__init__()
        self.norm1_name, norm1 = build_norm_layer(norm_cfg, planes, postfix=1)
        self.norm2_name, norm2 = build_norm_layer(norm_cfg, planes, postfix=2)
        self.conv1 = nn.Conv2d(inputs, planes, 1)
        self.add_module(self.norm1_name, norm1)
        self.conv2 = nn.Conv2d(planes, planes * 4, 1)
        self.add_module(self.norm2_name, norm2)
        self.shortcut = nn.Conv2d(inputs, planes * 4, 1)

    def forward(self, x):
        y = getattr(self, self.norm1_name)(self.conv1(x)).relu()
        return getattr(self, self.norm2_name)(self.conv2(y)) + self.shortcut(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Unit(3, 16), Unit(64, 32))

    def forward(self, x):
        return self.body(x)
"""
    assert_mended(source, "postfix=2", "planes * 4")
