"""Comments that silence findings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlint.findings import suppressions
from convlint.findings.suppressions import is_suppressed
from convlint.ir import Finding, Site
from convlint.source_text import edits
from convlint.source_text.texts import SourceTexts


def finding(code: str, line: int, end_line: int = 0) -> Finding:
    return Finding(code, "a-name", "warning", "m", Site("net.py", line, 1, end_line, 5))


def silenced(path: Path, text: str, code: str = "CVL301", line: int = 2, end_line: int = 3) -> bool:
    path.write_text(text, encoding="utf-8")
    site = Site(str(path), line, 1, end_line, 5)
    return is_suppressed(Finding(code, "a-name", "warning", "m", site), SourceTexts())


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
def test_a_comment_counts_on_the_lines_of_the_finding(tmp_path: Path, comment: str, expected: bool, line: int) -> None:
    lines = ["a = 1", "b = (", "    2)", "c = 3"]
    lines[line - 1] += f"  {comment}"
    assert silenced(tmp_path / "net.py", "\n".join(lines)) == (expected and line in {2, 3})


def test_skip_file_counts_anywhere(tmp_path: Path) -> None:
    assert silenced(tmp_path / "net.py", "a = 1\nb = 2\nc = 3\n# convlint: skip-file\n")


def test_text_within_a_string_is_no_comment(tmp_path: Path) -> None:
    assert not silenced(tmp_path / "net.py", "a = 1\nb = '# noqa'\nc = '''# convlint: skip-file'''\n")


def test_comments_before_a_broken_place_count(tmp_path: Path) -> None:
    assert silenced(tmp_path / "net.py", "a = 1\nb = 2  # noqa\nc = (\n")


def test_a_finding_without_a_file_is_never_silenced(tmp_path: Path) -> None:
    site, texts = Site(str(tmp_path / "gone.py"), 1, 1), SourceTexts()
    assert not is_suppressed(Finding("CVL113", "a-name", "error", "m", None), texts)
    assert not is_suppressed(Finding("CVL301", "a-name", "error", "m", site), texts)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_counts_them(end: str) -> None:
    text = end.join(["a = 1 #\f\x1c\u2028", "b = 2  # noqa: CVL301", "c = 3", ""])
    for data in (text.encode(), text.encode("utf-8-sig")):
        found = [suppressions.suppresses(data, finding("CVL301", line)) for line in (1, 2, 3)]
        assert found == [False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "a = 1 + \\\n    2  # noqa\nb = 2\n",
        'a = """\ntext\n"""  # noqa\nb = 2\n',
        "a = f('''\n''' \\\n  )  # noqa\nb = 2\n",
    ],
)
def test_a_comment_counts_where_the_line_goes_on(text: str) -> None:
    last = text.count("\n")
    assert suppressions.suppresses(text.encode(), finding("CVL301", 1))
    assert not suppressions.suppresses(text.encode(), finding("CVL301", last))


@pytest.mark.parametrize("data", [b"\xff # noqa\n", b"# coding: no-such\na = 1  # noqa\n", b"\0", b"\t\x0c (\n"])
def test_files_that_cannot_be_read_have_no_comments(data: bytes) -> None:
    assert not suppressions.suppresses(data, finding("CVL301", 1))
    assert not suppressions.skips_file(data)
    assert suppressions.unused("net.py", data, [], ["CVL301"]) == []
    assert suppressions.add_noqa(data, [finding("CVL301", 1)]) == (data, 0)


def test_a_skipped_file_says_so_in_a_comment() -> None:
    assert suppressions.skips_file(b"a = 1\n# Convlint: skip-file, it is generated\n")
    assert not suppressions.skips_file(b"a = '# convlint: skip-file'\n")


# --- comments that silence nothing

JUDGED = ["CVL301", "CVL302", "CVL900"]


def left(text: str, *found: Finding) -> str:
    """The text without what silences nothing, one comment after the other."""
    data = text.encode()
    while spare := suppressions.unused("net.py", data, found, JUDGED):
        data = edits.apply(data, spare[0].fix.edits)
    return data.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = 1  # noqa: CVL301\nb = 2\n", "a = 1\nb = 2\n"),
        ("a = 1  # noqa: cvl301\r\nb = 2", "a = 1\r\nb = 2"),
        ("a = 1  # convlint: ignore[CVL301]", "a = 1"),
        ("a = 1  # noqa: CVL301, CVL302", "a = 1"),
        ("a = 1  # noqa: E501, CVL301", "a = 1  # noqa: E501"),
        ("a = 1  # noqa: CVL301 E501 CVL303 - why", "a = 1  # noqa: E501, CVL303 - why"),
        ("a = 1  # convlint: ignore[CVL301,CVL303]", "a = 1  # convlint: ignore[CVL303]"),
        ("a = 1  # noqa: CVL301 - old weights", "a = 1  # old weights"),
        ("a = 1  # the stem  # noqa: CVL301", "a = 1  # the stem"),
        ("a = 1  # noqa: CVL301  # the stem", "a = 1  # the stem"),
        ("a = 1  # stem # noqa: CVL301 # type: int", "a = 1  # stem  # type: int"),
        ("a = 1  # noqa: CVL301  # convlint: ignore[CVL302]", "a = 1"),
        ("a = (\n    # noqa: CVL301\n    1)\n", "a = (\n    1)\n"),
        ("a = 1\n# noqa: CVL301", "a = 1\n"),
        ("é = 'ü'  # noqa: CVL301\n", "é = 'ü'\n"),
    ],
)
def test_what_silences_nothing_is_taken_out(before: str, after: str) -> None:
    assert left(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "a = 1  # noqa",
        "a = 1  # noqa: E501",
        "a = 1  # noqa: CVL303",  # not judged
        "a = 1  # noqa: CVL3",
        "a = 1  # noqa: CVL900",
        "a = 1  # convlint: ignore[]",
        "a = 1  # convlint: skip-file",
        "a = '# noqa: CVL301'",
        "a = = 1  # noqa: CVL301",  # nothing was found for another reason
    ],
)
def test_nothing_is_said_of_other_comments(text: str) -> None:
    assert left(text) == text


def test_a_comment_is_used_by_what_it_silences() -> None:
    text = "a = (\n    1)  # noqa: CVL301, CVL302\nb = 2  # noqa: CVL301\n"
    first, second = suppressions.unused("net.py", text.encode(), [finding("CVL301", 1, 2)], JUDGED)
    assert (first.site, first.text) == (Site("net.py", 2, 9, 2, 31), "# noqa: CVL301, CVL302")
    assert (first.codes, second.codes) == (("CVL302",), ("CVL301",))
    assert left(text, finding("CVL301", 1, 2)) == "a = (\n    1)  # noqa: CVL301\nb = 2\n"


def test_nothing_is_said_where_the_source_was_not_followed() -> None:
    text = "class A:\n    a = 1\n    b = 2  # noqa: CVL301\n\nclass B:\n    c = 3  # noqa: CVL301\n"
    found = suppressions.unused("net.py", text.encode(), [finding("CVL902", 2)], JUDGED)
    assert [comment.site.line for comment in found] == [6]


# --- adding comments


@pytest.mark.parametrize(
    ("before", "found", "after"),
    [
        ("a = 1\n", [("CVL301", 1)], "a = 1  # noqa: CVL301\n"),
        ("a = 1 \t\r\n", [("CVL301", 1)], "a = 1  # noqa: CVL301\r\n"),
        ("a = 1", [("CVL302", 1), ("CVL301", 1)], "a = 1  # noqa: CVL301, CVL302"),
        ("a = 1  # noqa: E501 - why", [("CVL301", 1)], "a = 1  # noqa: CVL301, E501 - why"),
        ("a = 1  # the stem", [("CVL301", 1)], "a = 1  # the stem  # noqa: CVL301"),
        ("a = 1  # convlint: ignore[CVL1]", [("CVL301", 1)], "a = 1  # convlint: ignore[CVL1]  # noqa: CVL301"),
        ("a = 1 + \\\n  2\n", [("CVL301", 1)], "a = 1 + \\\n  2  # noqa: CVL301\n"),
        ("a = f('''\n# noqa\n''')\n", [("CVL301", 1)], "a = f('''\n# noqa\n''')  # noqa: CVL301\n"),
        ("é = 'ü'\n", [("CVL301", 1)], "é = 'ü'  # noqa: CVL301\n"),
    ],
)
def test_noqa_is_added(before: str, found: list[tuple[str, int]], after: str) -> None:
    made = [finding(code, line) for code, line in found]
    assert suppressions.add_noqa(before.encode(), made) == (after.encode(), len(made))
    assert all(suppressions.suppresses(after.encode(), one) for one in made)
    assert suppressions.add_noqa(after.encode(), made) == (after.encode(), 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 1  # noqa", [("CVL301", 1)]),
        ("a = 1  # convlint: ignore[CVL3]", [("CVL301", 1)]),
        ("# convlint: skip-file\na = 1", [("CVL301", 2)]),
        ("a = 1  # noqa: CVL302", [("CVL900", 1)]),
        ("a = 1", [("CVL301", 7)]),
        ("a = (", [("CVL301", 1)]),
    ],
)
def test_nothing_is_added_where_it_is_not_needed(text: str, found: list[tuple[str, int]]) -> None:
    made = [finding(code, line) for code, line in found]
    assert suppressions.add_noqa(text.encode(), made) == (text.encode(), 0)


STATEMENTS = [
    *("a = 1", "b = (1,  # one\n  2)", "c = 3  # noqa: E501", "# a comment", "if a:\n    d = 4"),
    *("e = 1 + \\\n  2", 'f = """\n# noqa\n"""', "\f", "g = '#'  ", "h = '''\n''' + \\\n  '# x'"),
]


@given(
    st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=8),
    st.lists(st.tuples(st.sampled_from(["CVL101", "CVL301"]), st.integers(1, 12), st.integers(0, 3)), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_is_added_silences_all_and_changes_no_code(
    written: list[str], places: list[tuple[str, int, int]], end: str
) -> None:
    text = "\n".join(written)
    data = text.replace("\n", end).encode()
    count = len(text.split("\n"))
    found = [finding(code, line, line + more) for code, line, more in places if line <= count]
    after, _ = suppressions.add_noqa(data, found)
    assert ast.dump(ast.parse(after)) == ast.dump(ast.parse(data))
    assert all(suppressions.suppresses(after, one) for one in found)
    assert after.count(end.encode()) == data.count(end.encode())
    assert suppressions.add_noqa(after, found) == (after, 0)
    assert not suppressions.unused("net.py", after, found, ["CVL101", "CVL301"])
