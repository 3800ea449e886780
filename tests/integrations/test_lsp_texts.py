"""The texts of an editor: changes and places in its units, and lines that move."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from pygls.workspace import PositionCodec

from convlint.integrations.lsp.documents import Document, is_python, path_of
from convlint.integrations.lsp.positions import characters, moved, place, position, range_of, units
from convlint.ir import Site
from convlint.source_text import lines
from tests.integrations.editor import edited, encoded_offset

UTF_16 = PositionCodec("utf-16")
ENCODINGS = ("utf-8", "utf-16", "utf-32")
TEXT = st.text(st.sampled_from("ab \u00e4\u20ac\U0001f600\f\u2028\x1c\n\r"), max_size=30)
each_encoding = pytest.mark.parametrize("encoding", ENCODINGS)


def spot(text: str, index: int, encoding: str) -> types.Position:
    """The editor's position of a character, never between the two halves of a line end."""
    line = text[:index].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    return types.Position(len(line) - 1, len(line[-1].encode(codec)) // size)


def indices(text: str) -> list[int]:
    return [i for i in range(len(text) + 1) if text[i - 1 : i + 1] != "\r\n" or i == 0]


@each_encoding
@given(TEXT, st.data())
def test_changes_are_made_as_the_editor_makes_them(encoding: str, text: str, data: st.DataObject) -> None:
    document = Document("file:///net.py", text, 1)
    for version in (2, 3):
        first, last = sorted(data.draw(st.sampled_from(indices(text))) for _ in range(2))
        new = data.draw(TEXT)
        span = types.Range(spot(text, first, encoding), spot(text, last, encoding))
        text = edited(text, [types.TextEdit(span, new)], encoding)
        change = types.TextDocumentContentChangePartial(span, new)
        document.change([change], version, PositionCodec(encoding))
        assert document.text == text
        assert document.lines == lines.split(text)
        assert document.version == version


@each_encoding
@given(TEXT, st.data())
def test_a_place_and_back(encoding: str, text: str, data: st.DataObject) -> None:
    index = data.draw(st.sampled_from(indices(text)))
    asked = spot(text, index, encoding)
    split = lines.split(text)
    codec = PositionCodec(encoding)
    line, column = place(split, asked, codec)
    assert sum(map(len, split[: line - 1])) + column - 1 == index
    assert position(split, line, column, codec) == asked
    assert encoded_offset(text, asked, encoding) == len(
        text[:index].encode(f"{encoding}-le".replace("utf-8-le", "utf-8"))
    )


def test_a_place_outside_is_the_nearest() -> None:
    split = ["ab\r\n", "\U0001f600c"]
    assert place(split, types.Position(0, 99), UTF_16) == (1, 3)
    assert place(split, types.Position(1, 1), UTF_16) == (2, 1)  # in the middle of a character
    assert place(split, types.Position(1, 2), UTF_16) == (2, 2)
    assert place(split, types.Position(7, 7), UTF_16) == (2, 3)
    assert place([], types.Position(3, 3), UTF_16) == (1, 1)
    assert place(["a\n"], types.Position(1, 0), UTF_16) == (2, 1)
    assert position(split, 9, 9, UTF_16) == types.Position(1, 3)
    assert position(["a\n"], 9, 9, UTF_16) == types.Position(1, 0)
    assert position([], 1, 1, UTF_16) == types.Position(0, 0)


def test_a_site_without_an_end_is_the_rest_of_its_line() -> None:
    split = ["x = (\U0001f600\n"]
    assert range_of(split, Site("net.py", 1, 5), UTF_16).end.character == len("x = (") + 2


@pytest.mark.parametrize(("encoding", "sizes"), [("utf-8", (1, 2, 3, 4)), ("utf-16", (1, 1, 1, 2))])
def test_characters_have_these_many_units(encoding: str, sizes: tuple[int, ...]) -> None:
    for text, size in zip("a\u00e4\u20ac\U0001f600", sizes, strict=True):
        assert units(text, PositionCodec(encoding)) == size
        assert characters(f"{text}b", size, PositionCodec(encoding)) == 1


@given(st.lists(st.sampled_from("abcdefgh"), unique=True), st.data())
def test_one_change_moves_the_lines_that_it_did_not_touch(before: list[str], data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.integers(0, len(before))) for _ in range(2))
    after = before[:start] + data.draw(st.lists(st.sampled_from("xyz"))) + before[end:]
    for line in range(1, len(before) + 1):
        shift = moved(before, after, line, line)
        touched = start < line <= end
        assert (shift is None) == touched
        if shift is not None:
            assert after[line - 1 + shift] == before[line - 1]


@pytest.mark.parametrize(
    ("uri", "language", "ours"),
    [
        ("file:///a/net.py", "python", True),
        ("file:///a/net.py", "", True),
        ("file:///a/net", "python", True),
        ("untitled:Untitled-1", "python", True),
        ("untitled:Untitled-1", "rust", False),
        ("vscode-notebook-cell:/a.ipynb#W0", "python", False),
        ("git:/a/net.py", "python", False),
    ],
)
def test_which_documents_are_read(uri: str, language: str, ours: bool) -> None:
    assert is_python(uri, language) == ours


def test_a_text_without_a_name_is_in_the_working_directory() -> None:
    for uri in ("file://", "file:///", "untitled:"):
        assert path_of(uri) == os.path.abspath("<untitled>")
    assert path_of("untitled:Untitled-1") == os.path.abspath("<Untitled-1>")


def test_a_path_with_spaces_and_umlauts() -> None:
    assert path_of("file:///a%20b/n%C3%A4t.py") == "/a b/n\u00e4t.py"


@pytest.mark.parametrize("cookie", ["# coding: latin-1\n", "# coding: rot13\n", "# coding: nonsense\n", ""])
def test_a_text_becomes_bytes_whatever_it_declares(cookie: str) -> None:
    document = Document("file:///net.py", f"{cookie}x = '\u00e4'\n", 1)
    encoding = "latin-1" if "latin" in cookie else "utf-8"
    assert document.data == f"{cookie}x = '\u00e4'\n".encode(encoding)
