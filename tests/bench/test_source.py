"""bench/source.py in a reduced form: it runs, and its tables are tables. Times are not judged."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bench import sections, source
from bench.corpus import PARTS, copied

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files in the places where the real ones lie."""
    folder = tmp_path / "sources"
    for part, file in zip(PARTS, ("gdconv", "conv", "group"), strict=True):
        (folder / part).mkdir(parents=True)
        shutil.copy(ROOT / "fixtures" / f"{file}.py", folder / part)
    return folder


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a page, as rows of cells."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def test_the_section_has_a_row_for_each_process_and_the_longest_pieces(folder: Path) -> None:
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    whole = source.medians(source.of_all(files, folder), folder, 1)
    one = source.medians(source.of_one(source.ONE_FILE), folder, 1)
    longest = source.pieces(files, folder)
    texts = {file: (folder / file).read_text() for file in files}
    lines = sum(text.count("\n") for text in texts.values())
    text = source.section(whole, one, longest, texts, 1)
    assert f"3 files, {lines} lines" in text
    assert all(len({len(row) for row in table}) == 1 for table in tables(text))
    (_, _, parse, *others), (_, _, start, convlint), (_, _, *rows) = tables(text)
    assert [parse[0], *(row[0] for row in others)] == list(whole)
    assert (start[0], convlint[0]) == tuple(one)
    assert parse[2] == start[2] == "1.0"
    assert {row[1].split(" ")[-1] for row in rows} <= set(files)


def test_processor_time_and_memory_are_those_of_the_process(tmp_path: Path) -> None:
    work = "x = bytearray(2 * 10**8); end = __import__('time').process_time\nwhile end() < 0.3: pass"
    spent = source.spend([sys.executable, "-c", work], tmp_path)
    assert spent.seconds >= 0.3
    assert spent.peak >= 2 * 10**8


def test_a_process_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 40"):
        source.spend([sys.executable, "-c", "raise SystemExit(40)"], tmp_path)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        source.spend([sys.executable, "-c", "1 / 0"], tmp_path)


def test_the_one_file_has_a_hundred_lines() -> None:
    assert source.ONE_FILE.read_text().count("\n") == 100


def test_the_corpus_is_the_model_files_and_what_they_import(tmp_path: Path) -> None:
    files = copied(tmp_path)
    assert len(files) > 200
    assert "torchvision/models/resnet.py" in files
    assert all(file.startswith(PARTS) for file in files)
    assert (tmp_path / "torchvision/ops/misc.py").is_file()


def test_a_section_of_a_page_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n")
    sections.put(page, "a", "one\n")
    sections.put(page, "b", "two")
    assert page.read_text() == ("# Title\n\n<!-- a -->\none\n<!-- end of a -->\n\n<!-- b -->\ntwo\n<!-- end of b -->\n")
    before = page.read_text()
    sections.put(page, "a", "three")
    assert page.read_text() == before.replace("one", "three")


def test_figures_say_which_revision_they_are_of(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n")
    sections.record(page, "| 1 |\n", "a")
    assert page.read_text().startswith("# Title\n\n<!-- a -->\n| 1 |\n\nMeasured at revision ")
    sections.record(page, "# Other\n")
    assert page.read_text() == f"# Other\n\nMeasured at revision {sections.revision()}.\n"
