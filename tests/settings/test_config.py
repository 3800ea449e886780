"""Settings: read from the nearest file, checked to the last key, overridden by the command line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from convlint.ir import Finding, Site
from convlint.rules.codes import codes
from convlint.rules.registry import rules
from convlint.settings import config
from convlint.settings.input_shapes import InputSpec
from convlint.support.errors import UsageError


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    (tmp_path / "convlint.toml").write_text('ignore = ["CVL301"]')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner.parent / "pyproject.toml").write_text("[project]\nname = 'no settings of ours'")
    found = config.discover(str(inner))
    assert found.ignore == ("CVL301",)
    assert found.root == str(tmp_path)
    (inner / "pyproject.toml").write_text('[tool.convlint]\nselect = "CVL2, CVL301"')
    assert config.discover(str(inner)).select == ("CVL2", "CVL301")


def test_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        [[models]]
        target = "nets/net.py:Net"
        args = [64, "a"]
        input = ["3,8,8", "mask=4:int64"]
        batch-size = 2
        train = true
        max-params = "1.5M"
        max-activation-bytes = 1024
        """
    (tmp_path / "convlint.toml").write_text(dedent(text))
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    (entry,) = config.discover().models
    assert entry.target.path == "../nets/net.py"
    assert entry.target.arguments() == ((64, "a"), {})
    assert entry.inputs == (InputSpec((3, 8, 8)), InputSpec((4,), "mask", "int64"))
    assert (entry.batch_size, entry.train) == (2, True)
    assert entry.budgets == {"max-params": 1_500_000, "max-activation-bytes": 1024}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "must be a table"),
        ({"selct": []}, "unknown key 'selct'; did you mean 'select'"),
        ({"select": ["CVL31"]}, "no rule has the code 'CVL31'"),
        ({"select": 3}, "a string or a list of strings"),
        ({"fail-on": "eror"}, "did you mean 'error'"),
        ({"per-file-ignores": ["x"]}, "must be a table"),
        ({"models": {}}, r"\[\[tool.convlint.models\]\]"),
        ({"models": [{}]}, "target must be a string"),
        ({"models": [{"target": "n.py:N", "inptu": "3"}]}, "did you mean 'input'"),
        ({"models": [{"target": "n.py:N", "input": "3,x"}]}, r"models\[0\].*'x' is not a size"),
        ({"models": [{"target": "n.py:N", "batch-size": 0}]}, "at least 1"),
        ({"models": [{"target": "n.py:N", "train": 1}]}, "true or false"),
        ({"models": [{"target": "n.py:N(1)", "args": [2]}]}, "arguments given both in target and in"),
        ({"models": [{"target": "n.py", "args": [2]}]}, "does not name a model"),
        ({"models": [{"target": "n.py:N", "max-params": "x"}]}, "is not a number"),
    ],
)
def test_what_is_wrong_is_named(table: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config.parse(table, "pyproject.toml")


def test_a_file_that_does_not_parse_is_named(tmp_path: Path) -> None:
    (tmp_path / "convlint.toml").write_text("select = [")
    with pytest.raises(UsageError, match=r"convlint\.toml"):
        config.discover(str(tmp_path))


def test_the_longest_prefix_decides() -> None:
    settings = config.Config(select=("CVL1", "CVL301"), ignore=("CVL3", "CVL102"))
    chosen = [code for code in ("CVL101", "CVL102", "CVL301", "CVL302", "CVL201") if settings.selects(code)]
    assert chosen == ["CVL101", "CVL301"]


def test_the_command_line_is_over_the_file() -> None:
    settings = config.Config(select=("CVL1",), ignore=("CVL101",), fail_on="error")
    over = settings.overridden(select=["CVL3"], ignore=["cvl302"], fail_on="info")
    assert (over.select, over.ignore, over.fail_on) == (("CVL3",), ("CVL101", "CVL302"), "info")
    assert settings.overridden() == settings


@pytest.mark.parametrize(
    ("pattern", "ignored"), [("nets", True), ("nets/*.py", True), ("net.py", True), ("other/*", False)]
)
def test_per_file_ignores(tmp_path: Path, pattern: str, ignored: bool) -> None:
    settings = config.parse({"per-file-ignores": {pattern: ["CVL3"]}}, str(tmp_path / "convlint.toml"))
    site = Site(str(tmp_path / "nets" / "net.py"), 1, 1)
    found = {code: settings.allows(Finding(code, "a-name", "warning", "m", site)) for code in ("CVL301", "CVL101")}
    assert found == {"CVL301": not ignored, "CVL101": True}


def test_patterns_of_the_command_line_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = config.Config(exclude=("old",))
    over = settings.overridden(exclude=["new, a/b.py", "c/"])
    assert over.exclude == ("old", "new", str(tmp_path / "a/b.py"), str(tmp_path / "c"))


def test_rules_about_files_are_selected_by_default_and_the_list_of_gaps_is_not() -> None:
    chosen = [code for code in ("CVL900", "CVL901", "CVL902") if config.Config().selects(code)]
    assert chosen == ["CVL900", "CVL901"]


def test_a_settings_file_without_ours_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("this is no TOML")
    assert config.discover(str(tmp_path)).path is None
    (tmp_path / "pyproject.toml").write_text("[tool.convlint")
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        config.discover(str(tmp_path))


def test_codes_are_known_without_loading_a_rule() -> None:
    assert codes() == {code: rule.name for code, rule in rules().items()}
