"""Arguments of targets: literals, names and calls of the target's module, configuration files."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convlint.settings.targets import parse_target
from convlint.support.errors import UsageError

MODULE: dict[str, Any] = {
    "Config": SimpleNamespace,
    "cfg": SimpleNamespace(small=SimpleNamespace(width=8)),
    "WIDTHS": {"small": [8, 16]},
    "get_args": lambda argv: SimpleNamespace(argv=argv),
}


def arguments(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return parse_target(f"net.py:Net({text})").arguments(MODULE.__getitem__)


def test_calls_of_the_module() -> None:
    assert arguments("Config(width=8)") == ((SimpleNamespace(width=8),), {})
    assert arguments("get_args([])") == ((SimpleNamespace(argv=[]),), {})
    assert arguments("a=Config(inner=Config(width=-1))")[1]["a"].inner.width == -1


def test_names_attributes_and_items_of_the_module() -> None:
    assert arguments("cfg.small, WIDTHS['small'][1]") == ((SimpleNamespace(width=8), 16), {})
    assert arguments("[cfg.small.width, 2], {'a': (WIDTHS,)}")[0] == ([8, 2], {"a": (MODULE["WIDTHS"],)})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cfg.yaml").write_text("model:\n  width: 8\n  blocks: [{depth: 2}]\n")
    (tmp_path / "cfg.json").write_text('{"model": {"width": 8, "blocks": [{"depth": 2}]}}')
    (tmp_path / "cfg.toml").write_text("[model]\nwidth = 8\n[[model.blocks]]\ndepth = 2\n")
    return tmp_path


@pytest.mark.parametrize("suffix", ["yaml", "json", "toml"])
def test_a_file_is_a_mapping_with_attributes(folder: Path, suffix: str) -> None:
    (whole,), named = arguments(f"@cfg.{suffix}, part=@cfg.{suffix}:model")
    assert whole["model"]["width"] == whole.model.width == named["part"].width == 8
    assert whole.model.blocks[0].depth == 2
    assert dict(**named["part"]) == named["part"]
    with pytest.raises(AttributeError, match="no 'depth'"):
        _ = whole.depth


def test_a_part_that_is_no_mapping(folder: Path) -> None:
    assert arguments("@cfg.yaml:model.width, @cfg.yaml:model.blocks.0.depth") == ((8, 2), {})


def test_numbers_and_dates_without_a_literal(folder: Path) -> None:
    (folder / "cfg.toml").write_text("width = 8\nlast = 2020-01-31\nlow = -inf\nhigh = inf\nloss = nan\n")
    ((content,), _) = arguments("@cfg.toml")
    assert (content.width, content.last, content.low, content.high) == (8, "2020-01-31", -math.inf, math.inf)
    assert math.isnan(content.loss)


def test_a_text_with_an_at_sign_stays_a_text() -> None:
    assert arguments("'@cfg.yaml', \"a@b\"") == (("@cfg.yaml", "a@b"), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@other.yaml", "other.yaml cannot be read"),
        ("@cfg.yaml:model.depth", "there is no 'depth'; it has width, blocks"),
        ("@cfg.txt", "does not name a file that ends in .yaml"),
        ("@bad.yaml", "bad.yaml cannot be read: line 1"),
        ("@bad.json", "bad.json cannot be read"),
        ("@large.yaml", "more than 1,048,576 bytes"),
        ("lambda: 1", "not a literal or a name"),
        ("__import__('os')", "not a literal or a name"),
        ("cfg.__class__", "not a literal or a name"),
        ("[x for x in cfg]", "not a literal or a name"),
        ("width * 2", "not a literal or a name"),
        ("f(*cfg)", "not a literal or a name"),
    ],
)
def test_what_cannot_be_passed_is_refused_with_the_ways_that_there_are(text: str, message: str, folder: Path) -> None:
    (folder / "bad.yaml").write_text("a: !!python/object/apply:os.system ['true']\n")
    (folder / "bad.json").write_text("{")
    (folder / "large.yaml").write_text("a: 1\n" * 300_000)
    with pytest.raises(UsageError, match=message):
        arguments(text)
