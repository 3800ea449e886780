"""The coverage of a check as its outputs state it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from convlint import cli
from convlint.ir import Coverage, Stopped
from convlint.ir.coverage import share
from convlint.outputs.parts import coverage

WHOLE = Coverage("net.py", 1, "Net", None, 4, 4)
PART = Coverage("net.py", 9, "Part", None, 3, 1, (Stopped("net.py", 12, "`x` is unknown"), Stopped("b.py", 3, "why")))
NOTHING = Coverage("net.py", 20, "Nothing", None, 0, 0, (Stopped("net.py", 21, "`build()` is not followed"),))


def test_one_line_for_one_class() -> None:
    assert coverage.sentence([WHOLE]) == "net.py:Net: all 4 layers followed"
    assert coverage.sentence([PART]) == (
        "net.py:Part: 1 of 3 layers followed; stopped at line 12: `x` is unknown (and 1 more place)"
    )
    assert coverage.sentence([NOTHING]) == (
        "net.py:Nothing: no layer followed; stopped at line 21: `build()` is not followed"
    )


def test_one_line_for_several_classes_names_the_one_of_which_least_was_followed() -> None:
    assert coverage.sentence([WHOLE, WHOLE]) == "2 classes: all 8 layers followed"
    text = coverage.sentence([WHOLE, PART, NOTHING])
    assert text is not None
    assert text.startswith("3 classes: 5 of 7 layers followed; incomplete: net.py:Nothing: no layer followed;")
    assert text.endswith(", 1 more with --statistics")


def test_nothing_is_said_without_classes() -> None:
    assert coverage.sentence([]) is None


def test_the_line_next_to_the_list_of_classes_repeats_none_of_them() -> None:
    assert coverage.sentence([WHOLE, PART, NOTHING], with_list=True) == (
        "3 classes: 5 of 7 layers followed; 2 incomplete"
    )
    assert coverage.sentence([PART], with_list=True) is None
    assert coverage.sentence([WHOLE], with_list=True) == "net.py:Net: all 4 layers followed"


def test_a_class_of_which_nothing_is_known_counts_as_a_layer() -> None:
    assert share((WHOLE, NOTHING)) == 4 / 5
    assert share(()) == 1.0


NET = """\
import torch
from torch import nn
from elsewhere import build


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.body = build(8)

    def forward(self, x):
        return self.body(self.stem(x))
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit code and output of a check of the net."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["convlint", "check", "net.py", "--isolated", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().out


@pytest.mark.usefixtures("net")
def test_no_findings_comes_with_what_was_followed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys)
    stopped = "stopped at line 13: `self.body` is unknown since line 10: `build(8)` is not followed"
    assert (code, out) == (0, f"net.py:Net: 1 of 2 layers followed; {stopped}\nNo findings in 1 file.\n")


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize(("required", "code"), [("50%", 0), ("0.5", 0), ("80%", 2), ("51%", 2)])
def test_a_build_may_require_coverage(capsys: pytest.CaptureFixture[str], required: str, code: int) -> None:
    exit_code, out = run(capsys, "--min-coverage", required)
    assert exit_code == code
    assert ("1 of 2 layers were followed (50%)" in out) == bool(code)


@pytest.mark.usefixtures("net")
@pytest.mark.parametrize("required", ["80", "101%", "-1%", "nan", "all"])
def test_what_is_no_share_is_refused(capsys: pytest.CaptureFixture[str], required: str) -> None:
    assert run(capsys, "--min-coverage", required)[0] == 2


@pytest.mark.usefixtures("net")
def test_json_and_the_cache_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    fresh = json.loads(run(capsys, "--output-format", "json")[1])["coverage"]
    assert [(each["class"], each["layers"], each["followed"]) for each in fresh] == [("Net", 2, 1)]
    for _ in range(2):
        cached = run(capsys, "--cache-dir", "cache", "--output-format", "json")[1]
        assert json.loads(cached)["coverage"] == fresh


@pytest.mark.usefixtures("net")
def test_statistics_list_the_classes(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "--statistics")[1].splitlines()
    assert [line.split(";")[0] for line in lines] == ["net.py:Net: 1 of 2 layers followed", "No findings in 1 file."]
