"""Edits of text, diffs that git takes, and files that are replaced at once."""

from __future__ import annotations

import ast
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlint.ir import Edit, Fix, Site
from convlint.source_text import edits, lines
from convlint.source_text.texts import SourceTexts

ODD = "aé\t\f\v\x1c\x1d\x85\u2028😀#'"
"""Characters that some count as line ends, and Python does not."""


def edit(line: int, column: int, end_line: int, end_column: int, text: str) -> Edit:
    return Edit(Site("net.py", line, column, end_line, end_column), text)


def fix(*made: Edit) -> Fix:
    return Fix("a title", "safe", made)


# --- lines


@given(
    st.lists(st.tuples(st.text(ODD), st.sampled_from(["\n", "\r\n", "\r"])), min_size=1),
    st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_lines_are_counted_as_python_counts_them(parts: list[tuple[str, str]], encoding: str) -> None:
    text = "".join(f"x = '{part.replace(chr(39), '')}'; y{end}" for part, end in parts)
    data = text.encode(encoding)
    tree, (decoded, _) = ast.parse(data), lines.decode(data)
    assert decoded == text
    source = lines.split(decoded)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "y"]
    assert len(names) == len(source) == len(parts)
    for node in names:
        site = lines.span("net.py", node, source)
        assert source[site.line - 1][site.column - 1 : site.end_column - 1] == "y"


@pytest.mark.parametrize("data", [b"a\rb\r\nc\f\n\nd", b"", b"\n", b"\xef\xbb\xbfa\rb"])
def test_a_text_can_stand_for_a_file(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "net.py"
    file.write_bytes(data)
    read = SourceTexts().lines(str(file))
    file.write_bytes(b"other\n")
    texts = SourceTexts({str(file): data, "<stdin>": data})
    assert texts.lines(str(file)) == texts.lines("<stdin>") == read
    assert SourceTexts().lines(str(file)) == ["other\n"]
    assert SourceTexts().lines("<stdin>") == []


def test_a_text_that_cannot_be_decoded_has_no_lines() -> None:
    assert SourceTexts({"net.py": b"# coding: latin-5000\n"}).lines("net.py") == []


# --- apply


@st.composite
def edited_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    """A text, and spans of it in characters, in order, with what takes their place."""
    pieces = draw(st.lists(st.sampled_from([*"ab (\f\x1cé\u2028", "\n", "\r", "\r\n"]), max_size=40))
    text = "".join(pieces)
    places = [i for i in range(len(text) + 1) if text[i - 1 : i + 1] != "\r\n"]
    chosen = sorted(draw(st.lists(st.sampled_from(places), max_size=8, unique=True)))
    pairs = zip(chosen[::2], chosen[1::2], strict=False)
    return text, [(start, end, draw(st.text("xyé(", max_size=3))) for start, end in pairs]


def at(text: str, place: int) -> tuple[int, int]:
    """Line and column of a character, counted one by one."""
    line, column = 1, 1
    for i in range(place):
        ends = text[i] == "\n" or (text[i] == "\r" and text[i + 1 : i + 2] != "\n")
        line, column = (line + 1, 1) if ends else (line, column + 1)
    return line, column


@given(edited_texts(), st.sampled_from(["utf-8", "utf-8-sig"]), st.randoms())
def test_apply_changes_the_spans_and_nothing_else(
    case: tuple[str, list[tuple[int, int, str]]], encoding: str, order: Random
) -> None:
    text, spans = case
    made = [edit(*at(text, start), *at(text, end), new) for start, end, new in spans]
    expected = text
    for start, end, new in reversed(spans):
        expected = expected[:start] + new + expected[end:]
    order.shuffle(made)
    assert edits.apply(text.encode(encoding), [*made, *made]) == expected.encode(encoding)


def test_the_declared_encoding_is_kept() -> None:
    data = "# coding: latin-1\nx = 'é'; y = 1\n".encode("latin-1")
    after = edits.apply(data, [edit(2, 14, 2, 15, "'ü'")])
    assert after == "# coding: latin-1\nx = 'é'; y = 'ü'\n".encode("latin-1")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\nb\n", b"a\nb,\nc\n"),
        (b"a\r\nb\r\n", b"a\r\nb,\r\nc\r\n"),
        (b"a\nb\r\n", b"a\nb,\r\nc\r\n"),
        (b"a\rb", b"a\rb,\rc"),
    ],
)
def test_a_new_line_ends_as_its_neighbours_do(data: bytes, expected: bytes) -> None:
    assert edits.apply(data, [edit(2, 2, 2, 2, ",\nc")]) == expected


@pytest.mark.parametrize(
    ("data", "made"),
    [
        (b"ab\n", [edit(1, 4, 1, 4, "x")]),  # behind the end of the line
        (b"ab\n", [edit(3, 1, 3, 1, "x")]),
        (b"ab\n", [edit(0, 1, 0, 1, "x")]),
        (b"ab\n", [edit(1, 2, 1, 1, "x")]),
        (b"ab\n", [Edit(Site("net.py", 1, 1), "x")]),  # a place without an end
        (b"ab\n", [edit(1, 1, 1, 3, "x"), edit(1, 2, 1, 2, "y")]),
        (b"ab\n", [edit(1, 1, 1, 1, "x"), edit(1, 1, 1, 1, "y")]),
        (b"# coding: ascii\nab\n", [edit(2, 1, 2, 1, "\u00e9")]),
        (b"# coding: no-such\nab\n", [edit(2, 1, 2, 1, "x")]),
        (b"\xff\xfe", [edit(1, 1, 1, 1, "x")]),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused(data: bytes, made: list[Edit]) -> None:
    with pytest.raises(edits.EditError):
        edits.apply(data, made)


# --- which fixes go together

REPLACED, WITHIN, BEHIND = edit(1, 3, 1, 9, "a"), edit(1, 5, 1, 6, "b"), edit(1, 9, 1, 9, "c")


def test_of_two_that_overlap_the_first_is_made() -> None:
    assert edits.compatible([fix(WITHIN), fix(REPLACED)]) == [fix(REPLACED)]


def test_neighbours_go_together() -> None:
    assert edits.compatible([fix(BEHIND), fix(REPLACED)]) == [fix(REPLACED), fix(BEHIND)]
    assert edits.apply(b"f(old_xy)", [BEHIND, edit(1, 3, 1, 9, "new")]) == b"f(newc)"


def test_a_fix_is_made_as_a_whole_or_not_at_all() -> None:
    assert edits.compatible([fix(WITHIN, edit(7, 1, 7, 2, "z")), fix(REPLACED)]) == [fix(REPLACED)]


def test_equal_edits_of_two_fixes_are_one() -> None:
    two = [fix(BEHIND), Fix("another", "unsafe", (BEHIND,))]
    assert edits.compatible(two) == two
    assert edits.apply(b"f(old_xy)", [BEHIND, BEHIND]) == b"f(old_xyc)"


def test_edits_of_different_files_do_not_overlap() -> None:
    elsewhere = Edit(Site("other.py", 1, 3, 1, 9), "a")
    assert len(edits.compatible([fix(REPLACED), fix(elsewhere)])) == 2


def test_two_texts_at_one_place_have_no_order() -> None:
    assert len(edits.compatible([fix(BEHIND), fix(edit(1, 9, 1, 9, "d"))])) == 1


# --- diff

GIT = shutil.which("git") or "git"
NAMES = ["net.py", "a folder/my net.py", 'quo"te\\.py', "é/ü.py", "tab\there.py"]
LINES = st.lists(st.sampled_from(["a", "b", "a\r", "é", "", " ", "\f", "a\rb", "-", "+x", "@@"]))


def applied(path: str, before: bytes, patch: str) -> bytes:
    """The file after ``git apply``."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, path)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(before)
        subprocess.run(
            [GIT, "apply", "-"],
            cwd=folder,
            input=patch.encode(errors="surrogateescape"),
            check=True,
            capture_output=True,
        )
        return file.read_bytes()


@given(LINES, LINES, st.booleans(), st.booleans(), st.sampled_from(NAMES))
def test_git_takes_the_diff(before: list[str], after: list[str], ended: bool, ends: bool, path: str) -> None:
    old = ("\n".join(before) + "\n" * ended).encode()
    new = ("\n".join(after) + "\n" * ends).encode()
    patch = edits.diff(path, old, new)
    assert bool(patch) == (old != new)
    if patch:
        assert applied(path, old, patch) == new


def test_a_diff_reads_like_one_of_git() -> None:
    assert edits.diff("a b/net.py", b"x\ny", b"x\nz") == (
        "diff --git a/a b/net.py b/a b/net.py\n"
        "--- a/a b/net.py\t\n"
        "+++ b/a b/net.py\t\n"
        "@@ -1,2 +1,2 @@\n"
        " x\n"
        "-y\n"
        "\\ No newline at end of file\n"
        "+z\n"
        "\\ No newline at end of file\n"
    )


@pytest.mark.parametrize("path", ["\u202e.py", "##vso[x]y.py", "a\x9bb.py", "\udce9.py", "caf\xe9 \u2028.py"])
def test_a_name_in_a_diff_is_not_executed_by_terminals_and_logs(path: str) -> None:
    patch = edits.diff(path, b"x\n", b"y\n")
    assert all(line.isprintable() for line in patch.replace("\t", "").splitlines())
    assert "##" not in patch
    assert applied(path, b"x\n", patch) == b"y\n"


def test_bytes_that_are_no_utf8_pass_through_a_diff() -> None:
    old, new = b"# coding: latin-1\n'\xe9'\n", b"# coding: latin-1\n'\xe9\xfc'\n"
    assert applied("net.py", old, edits.diff("net.py", old, new)) == new


# --- write_atomically


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "net.py").write_bytes(b"old\r\n")
    yield tmp_path
    assert not list(tmp_path.glob(".convlint*"))


def test_a_file_is_replaced_and_keeps_its_permissions(folder: Path) -> None:
    (folder / "net.py").chmod(0o754)
    edits.write_atomically(str(folder / "net.py"), b"new\r\n")
    assert (folder / "net.py").read_bytes() == b"new\r\n"
    assert stat.S_IMODE((folder / "net.py").stat().st_mode) == 0o754


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "link.py").symlink_to("../net.py")
    edits.write_atomically(str(folder / "deep" / "link.py"), b"new")
    assert (folder / "deep" / "link.py").is_symlink()
    assert (folder / "net.py").read_bytes() == b"new"
    assert [file.name for file in (folder / "deep").iterdir()] == ["link.py"]


def test_a_new_file_is_readable_as_any_new_file(folder: Path) -> None:
    (folder / "usual").touch()
    edits.write_atomically(str(folder / "fresh"), b"new")
    assert (folder / "fresh").stat().st_mode == (folder / "usual").stat().st_mode


@pytest.mark.parametrize("broken", ["fsync", "replace", "chmod"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*args: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        with pytest.raises(OSError, match="no space"):
            edits.write_atomically(str(folder / "net.py"), b"new")
    assert (folder / "net.py").read_bytes() == b"old\r\n"


def test_a_folder_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        edits.write_atomically(str(folder / "gone" / "net.py"), b"new")


def test_git_takes_a_diff_where_the_command_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git reads paths from the root of the repository, also in a folder below it."""
    below = tmp_path / "src" / "nets"
    below.mkdir(parents=True)
    (below / "net.py").write_bytes(b"old\n")
    subprocess.run([GIT, "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(below)
    for path in ("net.py", str(below / "net.py"), "../nets/net.py"):
        patch = edits.diff(path, b"old\n", b"new\n")
        assert "--- a/src/nets/net.py\n" in patch
        subprocess.run([GIT, "apply"], input=patch.encode(), check=True)
        assert (below / "net.py").read_bytes() == b"new\n"
        (below / "net.py").write_bytes(b"old\n")
