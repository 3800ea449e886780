"""Texts of source files: read once, replaced by overlays, and independent of all other texts."""

from __future__ import annotations

import linecache
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from convlint.ir import Graph, serialize
from convlint.pipelines.lint_files import Linter
from convlint.settings.config import Config
from convlint.source_text.texts import SourceTexts


def test_a_file_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_bytes(b"a = 1\r\nb = 2")
    texts = SourceTexts()
    assert texts.lines(str(file)) == ["a = 1\n", "b = 2\n"]
    file.write_bytes(b"other\n")
    assert texts.text(str(file)) == "a = 1\nb = 2\n"
    assert texts.data(str(file)) == b"a = 1\r\nb = 2"
    assert [texts.line(str(file), number) for number in (0, 1, 2, 3)] == ["", "a = 1\n", "b = 2\n", ""]
    assert SourceTexts().text(str(file)) == "other\n"


def test_relative_and_absolute_paths_have_one_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("disk\n")
    for name in ("net.py", "./net.py", str(tmp_path / "net.py")):
        texts = SourceTexts({name: b"editor\n"})
        assert texts.text("net.py") == texts.text(str(tmp_path / "net.py")) == "editor\n"
        assert texts.has_overlay("net.py")
    assert not SourceTexts().has_overlay("net.py")


def test_further_overlays_leave_the_first_texts_alone(tmp_path: Path) -> None:
    first = SourceTexts({"a.py": b"a\n", "b.py": b"b\n"})
    second = first.with_overlays({os.path.abspath("a.py"): b"fixed\n"})
    assert (first.text("a.py"), second.text("a.py"), second.text("b.py")) == ("a\n", "fixed\n", "b\n")


@pytest.mark.parametrize("name", ["gone.py", "folder", "pipe", "null\0character.py"])
def test_only_regular_files_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    with pytest.raises(OSError):
        SourceTexts().data(str(tmp_path / name))
    assert SourceTexts().lines(str(tmp_path / name)) == []


def test_a_notebook_cell_has_lines() -> None:
    cell = "<ipython-input-1>"
    linecache.cache[cell] = (4, None, ["a = 1\n"], cell)
    try:
        assert SourceTexts().lines(cell) == ["a = 1\n"]
    finally:
        del linecache.cache[cell]


def test_texts_travel_to_other_processes_and_graphs_travel_without() -> None:
    texts = SourceTexts({"net.py": b"here\n"})
    assert pickle.loads(pickle.dumps(texts)).text("net.py") == "here\n"  # noqa: S301 - our own
    graph = serialize.decode(Graph, serialize.encode(Graph("net", texts=texts)))
    assert graph.texts.text("net.py") == ""
    assert graph == Graph("net", texts=texts)


NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__(){space}
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d({width})

    def forward(self, x):
        return self.norm(self.conv(x))
"""


@pytest.mark.slow
def test_threads_check_different_contents_of_one_path(tmp_path: Path) -> None:
    path = str(tmp_path / "net.py")
    together = Barrier(2)

    def check(width: int, space: str) -> Callable[[], list[tuple[str, int, str]]]:
        data = NET.format(width=width, space=space).encode()

        def found() -> list[tuple[str, int, str]]:
            together.wait(60)
            findings = Linter(Config(select=("CVL103",))).find({path: data})
            return [(f.message, edit.site.line, edit.text) for f in findings for edit in (f.fix.edits if f.fix else ())]

        return found

    with ThreadPoolExecutor(2) as threads:
        for _ in range(10):
            first, second = threads.submit(check(16, "")), threads.submit(check(32, "\n" * 9))
            ((message, line, text),), ((other, further, same),) = first.result(), second.result()
            assert (line, text, further, same) == (8, "8", 17, "8")
            assert "16" in message
            assert "32" in other
    assert path not in linecache.cache
