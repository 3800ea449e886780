"""bench/against.py in a reduced form: it runs this tree, another one and a limit. Times are not judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import against


def test_each_case_is_run_in_each_tree_and_beside_its_limit(tmp_path: Path) -> None:
    found = {name: case for name, case in against.cases(tmp_path).items() if "version" in name}
    times = against.measured(found, {"now": against.ROOT, "again": against.ROOT}, 1)
    assert {name: set(each) for name, each in times.items()} == {"convlint --version": {"now", "again", "limit"}}
    assert all(took > 0 for took in times["convlint --version"].values())


def test_a_tree_is_what_is_run(tmp_path: Path) -> None:
    other = tmp_path / "convlint"
    other.mkdir()
    (other / "__init__.py").write_text("")
    (other / "__main__.py").write_text("raise SystemExit(7)")
    case = {"it": against.Case(("--version",), ("pass",), "")}
    with pytest.raises(RuntimeError, match="ended with 7"):
        against.measured(case, {"other": tmp_path}, 1)
