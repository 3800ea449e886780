"""Comments that silence findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from convlint.model import Finding, Site
from convlint.suppress import is_suppressed


def silenced(path: Path, text: str, code: str = "CVL301", line: int = 2, end_line: int = 3) -> bool:
    path.write_text(text, encoding="utf-8")
    return is_suppressed(
        Finding(code, "a-name", "warning", "m", Site(str(path), line, 1, end_line, 5))
    )


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# noqa", True),
        ("# NOQA: cvl301", True),
        ("# noqa: E501, CVL301", True),
        ("# noqa: CVL3", True),
        ("# noqa: CVL302", False),
        ("# noqa: E501", False),
        ("# convlint: ignore[CVL301]", True),
        ("# convlint: ignore[CVL1, CVL301]", True),
        ("# convlint: ignore[CVL1]", False),
        ("# convlint: ignore[]", False),
        ("# nothing", False),
    ],
)
@pytest.mark.parametrize("line", [1, 2, 3, 4])
def test_a_comment_counts_on_the_lines_of_the_finding(
    tmp_path: Path, comment: str, expected: bool, line: int
) -> None:
    lines = ["a = 1", "b = (", "    2)", "c = 3"]
    lines[line - 1] += f"  {comment}"
    assert silenced(tmp_path / "net.py", "\n".join(lines)) == (expected and line in {2, 3})


def test_skip_file_counts_anywhere(tmp_path: Path) -> None:
    assert silenced(tmp_path / "net.py", "a = 1\nb = 2\nc = 3\n# convlint: skip-file\n")


def test_text_within_a_string_is_no_comment(tmp_path: Path) -> None:
    assert not silenced(
        tmp_path / "net.py", "a = 1\nb = '# noqa'\nc = '''# convlint: skip-file'''\n"
    )


def test_comments_before_a_broken_place_count(tmp_path: Path) -> None:
    assert silenced(tmp_path / "net.py", "a = 1\nb = 2  # noqa\nc = (\n")


def test_a_finding_without_a_file_is_never_silenced(tmp_path: Path) -> None:
    assert not is_suppressed(Finding("CVL113", "a-name", "error", "m", None))
    assert not is_suppressed(
        Finding("CVL301", "a-name", "error", "m", Site(str(tmp_path / "gone.py"), 1, 1))
    )
