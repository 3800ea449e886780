"""``convlint.check`` on files and folders: the same report as for a model, and nothing is run."""

from __future__ import annotations

from pathlib import Path

import pytest

import convlint
from convlint.support.errors import UsageError
from tests.static.fake_source import Fake, fake

__all__ = ["fake"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("BAD\n")
    (tmp_path / "src" / "b.py").write_text("good\n")
    return tmp_path


def test_a_folder_is_read(fake: Fake) -> None:
    report = convlint.check("src/")
    assert [(finding.code, str(finding.site)) for finding in report] == [("CVL101", "src/a.py:1:1")]
    assert report.files == ("src/a.py", "src/b.py")
    assert fake.judged == ["src/a.py", "src/b.py"]
    assert repr(report).endswith("Found 1 error in 2 files.")


def test_a_path_is_read(fake: Fake, here: Path) -> None:
    assert convlint.check(here / "src" / "b.py").findings == ()


def test_rules_are_selected(fake: Fake) -> None:
    assert convlint.check("src", select=["CVL3"]).findings == ()


def test_a_missing_file_is_a_problem(fake: Fake) -> None:
    report = convlint.check("gone.py")
    assert [problem.kind for problem in report.problems] == ["missing-file"]
    assert report.exit_code == 2


def test_nothing_is_run_so_that_there_is_no_input(fake: Fake) -> None:
    with pytest.raises(UsageError, match="src is checked statically; input only applies to models"):
        convlint.check("src", input=(3, 8, 8))
    with pytest.raises(UsageError, match="src is checked statically; max_params only applies to models"):
        convlint.check("src", max_params="5M")


def test_a_folder_has_no_table() -> None:
    with pytest.raises(UsageError, match="src does not name a model"):
        convlint.summary("./src")


def test_outside_of_a_project_nothing_is_written(fake: Fake, here: Path) -> None:
    convlint.check("src")
    assert not (here / ".convlint_cache").exists()
    (here / "pyproject.toml").write_text("[project]\nname = 'x'")
    convlint.check("src")
    assert (here / ".convlint_cache" / "CACHEDIR.TAG").exists()
