"""bench/house.py on small trees: what it counts, and that the table has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from bench.house import ROOT, Tree, common_package, facts, report


def tree(folder: Path, files: Mapping[str, str]) -> Tree:
    for name, text in files.items():
        file = folder / "convlint" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    return Tree(folder)


def test_lines_and_files_are_counted_by_package(tmp_path: Path) -> None:
    found = tree(tmp_path, {"__init__.py": "", "a/x.py": "1\n2\n", "a/y.py": "3\n", "b.py": "4\n"})
    assert found.lines() == {"(top)": 1, "a": 3}
    assert found.files() == {"(top)": 2, "a": 2}
    assert found.top_modules() == ["b"]


def test_a_cycle_is_found_only_with_annotations_where_it_is_one_of_annotations(tmp_path: Path) -> None:
    circle = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from convlint.p import y
    """
    found = tree(tmp_path, {"p/x.py": circle, "p/y.py": "from convlint.p import x\n"})
    assert found.circles(annotations=False) == []
    assert found.circles(annotations=True) == [{"convlint.p.x", "convlint.p.y"}]
    assert found.type_checking_edges() == 1


def test_an_import_inside_a_function_is_not_part_of_a_cycle(tmp_path: Path) -> None:
    late = "def f():\n    from convlint import y\n"
    found = tree(tmp_path, {"x.py": late, "y.py": "from convlint import x\n"})
    assert found.circles(annotations=True) == []


def test_repeated_public_names_and_any_are_counted(tmp_path: Path) -> None:
    files = {
        "x.py": "from typing import Any\ndef check(a: Any) -> list[Any]: ...\ndef _own(): ...\n",
        "y.py": "def check(): ...\ndef _own(): ...\nclass Alone: ...\n",
    }
    found = tree(tmp_path, files)
    assert found.repeated_names() == {"check": 2}
    assert found.any_in_signatures() == 2


def test_the_common_package_of_modules() -> None:
    assert common_package({"a.b.c", "a.b.d.e"}) == "a.b"


def test_the_table_has_a_row_for_each_fact_and_package() -> None:
    now = Tree(ROOT)
    text = report(now, now, "now")
    assert all(f"| {name} |" in text for name in facts(now))
    assert all(f"| `{package}` |" in text for package in now.lines())


def test_the_layout_keeps_its_promises() -> None:
    now = Tree(ROOT)
    assert len(now.top_modules()) <= 4
    assert now.circles(annotations=False) == []
