"""Construction sites: the exact call expression of every layer, and the calls that led there."""

from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from torch import nn

from convlint.ir import Site
from convlint.runtime.build import construction_sites

SOURCE = """\
from torch import nn


def conv3x3(into, out):
    return nn.Conv2d(into, out, 3,
                     padding=1)


class Ünit(nn.Module):
    def __init__(self, width):
        super().__init__()
        größe = "ä"; self.first = conv3x3(3, width); self.second = nn.Conv2d(width, width, 1)
        self.many = nn.ModuleList([nn.Conv2d(n, 1, 1) for n in (1, 2)])
        self.own = Own(width, 4)


class Own(nn.Conv2d):
    def __init__(self, into, out):
        super().__init__(into, out, 1)


def logged(init):
    def inner(*args):
        init(*args)
    return inner


class Logged(nn.Conv2d):
    @logged
    def __init__(self, width):
        super().__init__(width, width, 1)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Sequential(conv3x3(1, 2), Logged(2))
        self.right = nn.Sequential(conv3x3(3, 4), Logged(4))


class Both(Ünit):
    def __init__(self):
        super().__init__(8)
        self.last = nn.Sequential(nn.Linear(2, 2))
"""


@pytest.fixture
def written(tmp_path: Path) -> ModuleType:
    file = tmp_path / "written.py"
    file.write_text(SOURCE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.pop("written", None)
    spec.loader.exec_module(module)
    return module


def text_at(site: Site) -> str:
    """The source between the ends of a site."""
    lines = Path(site.path).read_text(encoding="utf-8").splitlines()
    lines = lines[site.line - 1 : site.end_line]
    lines[-1] = lines[-1][: site.end_column - 1]
    lines[0] = lines[0][site.column - 1 :]
    return "\n".join(lines)


def site_of(module: nn.Module) -> Site:
    record = construction_sites.construction_of(module)
    assert record is not None
    assert record.site is not None
    return record.site


def chain_of(module: nn.Module) -> list[str]:
    record = construction_sites.construction_of(module)
    assert record is not None
    return [text_at(site) for site in record.chain]


def test_a_site_is_the_span_of_the_call_in_characters(written: ModuleType) -> None:
    with construction_sites.WatchedConstruction():
        unit = written.Ünit(8)
    assert text_at(site_of(unit.second)) == "nn.Conv2d(width, width, 1)"
    assert site_of(unit.second).function == "Ünit.__init__"
    assert [text_at(site_of(conv)) for conv in unit.many] == ["nn.Conv2d(n, 1, 1)"] * 2


def test_a_helper_gives_its_own_call_and_the_callers(written: ModuleType) -> None:
    with construction_sites.WatchedConstruction():
        unit = written.Ünit(8)
    assert text_at(site_of(unit.first)) == "nn.Conv2d(into, out, 3,\n                     padding=1)"
    assert chain_of(unit.first)[0] == "conv3x3(3, width)"


def test_a_subclass_of_a_layer_is_built_where_it_is_called(written: ModuleType) -> None:
    with construction_sites.WatchedConstruction():
        unit = written.Ünit(8)
    assert text_at(site_of(unit.own)) == "Own(width, 4)"


def test_a_class_that_descends_from_a_users_class_is_built_where_it_is_called(written: ModuleType) -> None:
    with construction_sites.WatchedConstruction():
        both = written.Both()
    assert text_at(site_of(both)) == "written.Both()"
    assert text_at(site_of(both.second)) == "nn.Conv2d(width, width, 1)"
    assert text_at(site_of(both.last[0])) == "nn.Linear(2, 2)"


def test_each_call_of_a_helper_has_its_own_callers(written: ModuleType) -> None:
    with construction_sites.WatchedConstruction():
        twice, again = written.Twice(), written.Twice()
    assert chain_of(twice.left[0]) == ["conv3x3(1, 2)", "written.Twice()"]
    assert chain_of(twice.right[0]) == ["conv3x3(3, 4)", "written.Twice()"]
    assert chain_of(again.left[0]) == chain_of(twice.left[0])


def test_a_decorator_around_a_constructor_hides_nothing(written: ModuleType) -> None:
    with construction_sites.WatchedConstruction():
        twice = written.Twice()
    assert chain_of(twice.right[1])[-2:] == ["Logged(4)", "written.Twice()"]


def test_a_copy_knows_where_its_original_was_built(written: ModuleType) -> None:
    with construction_sites.WatchedConstruction():
        unit = written.Ünit(8)
    assert site_of(copy.deepcopy(unit).second) == site_of(unit.second)


def test_what_was_built_before_has_no_site() -> None:
    assert construction_sites.construction_of(nn.Conv2d(3, 4, 1)) is None


def test_repair_builds_a_stand_in_and_keeps_what_was_asked_for() -> None:
    with construction_sites.WatchedConstruction(repair=True):
        conv = nn.Conv2d(64, 100, 3, groups=8)
    record = construction_sites.construction_of(conv)
    assert record is not None
    assert record.error == "out_channels must be divisible by groups"
    assert record.declared is not None
    assert (record.declared["out_channels"], record.declared["groups"]) == (100, 8)
    assert (conv.out_channels, conv.groups) == (100, 1)


def test_without_repair_torch_raises_as_ever() -> None:
    with pytest.raises(ValueError, match="divisible by groups"), construction_sites.WatchedConstruction():
        nn.Conv2d(64, 100, 3, groups=8)
