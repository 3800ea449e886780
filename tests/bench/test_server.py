"""bench/server.py in a reduced form: it measures keystrokes, and its table is one. Times are not judged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import server


@pytest.mark.slow
def test_the_section_has_a_row_for_each_file_and_a_column_for_each_server() -> None:
    command = [sys.executable, "-P", "-m", "convlint", "server"]
    files = server.FILES[:1]
    text = server.measure({"convlint": command, "again": command}, files, 2)
    head, _, row = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    )
    assert head == ["file", "lines", "convlint", "convlint, 90 %", "again", "again, 90 %"]
    assert row[0] == files[0]
    assert all(0 < int(cell) < server.LONGEST * 1000 for cell in row[1:])


@pytest.mark.slow
def test_a_keystroke_is_followed_by_what_is_found_in_the_new_text(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("")
    command = [sys.executable, "-P", "-m", "convlint", "server"]
    running = server.Server(command, tmp_path)
    try:
        uri = (tmp_path / "net.py").as_uri()
        document = {"uri": uri, "languageId": "python", "version": 1, "text": "x = 1"}
        running.tell("textDocument/didOpen", {"textDocument": document})
        assert running.diagnostics(uri)[1] == 0
        change = {"text": "x = ("}
        version = {"uri": uri, "version": 2}
        params = {"textDocument": version, "contentChanges": [change]}
        running.tell("textDocument/didChange", params)
        assert running.diagnostics(uri)[1] == 1
    finally:
        running.close()
