"""Mistakes in helpers and in settings that a function unpacks: which line is reported, and that it is one."""

from __future__ import annotations

from pathlib import Path

import convlint
from convlint.analysis.diagnosis.refused import refuses
from convlint.ir import Layer, Site
from convlint.repairs.changes import Change
from convlint.repairs.slicer import Slicer
from convlint.source_text.texts import SourceTexts
from tests.repairs.small_programs import HEAD, errors, folder

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
        self.rows = nn.ModuleList()
        for i in range(len(channels)):
            row = nn.ModuleList()
            for j in range(len(channels)):
                if j == i:
                    row.append(nn.Identity())
                else:
                    conv = nn.Conv2d(channels[j], channels[MADE], 1, bias=False)
                    row.append(nn.Sequential(conv, nn.BatchNorm2d(channels[i])))
            self.rows.append(row)

    def forward(self, xs):
        return [sum(layer(x) for layer, x in zip(row, xs)) for row in self.rows]


class Net(nn.Module):
    def __init__(self, widths=(18, 36, 72)):
        super().__init__()
        self.stems = nn.ModuleList([nn.Conv2d(3, width, 1) for width in widths])
        self.fuse = Fuse(widths)
        self.head = nn.Conv2d(WIDTH, 4, 1)

    def forward(self, x):
        return self.head(self.fuse([stem(x) for stem in self.stems])[0])
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
