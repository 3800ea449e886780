"""Files that are not Python, cannot be read, or have unusual names: one clear line for each, the right
exit code, and all other files are still checked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convlint.static import Project, check_file

TEXT = "import torch\nfrom torch import nn\nnn.Conv2d(3, 8, 3, groups=2)\n"
BUG = TEXT.encode()


def findings_in(data: bytes) -> list[tuple[str, int, int]]:
    """Codes, lines and columns of the findings in a file."""
    found = check_file("net.py", data, Project("nowhere"))
    assert found.problems == ()
    return [(f.code, f.site.line, f.site.column) for f in found.findings if f.site]


# --- bytes that are a program


PROGRAMS = {
    "UTF-8": (BUG, 3, 1),
    "a byte order mark of UTF-8": (b"\xef\xbb\xbf" + BUG, 3, 1),
    "a declared encoding": (b"# -*- coding: latin-1 -*-\n# \xe9\n" + BUG, 5, 1),
    "UTF-7": (b"# coding: utf-7\nx = '+AOk-'\n" + BUG, 5, 1),
    "letters of two bytes before it": (TEXT.replace("nn.C", "'éé'; nn.C").encode(), 3, 7),
    "letters of one byte before it": (
        b"# coding: latin-1\n" + TEXT.replace("nn.C", "'éé'; nn.C").encode("latin-1"),
        4,
        7,
    ),
    "line ends of Windows": (BUG.replace(b"\n", b"\r\n"), 3, 1),
    "line ends of old Macs": (BUG.replace(b"\n", b"\r"), 3, 1),
    "mixed line ends": (b"import torch\rfrom torch import nn\r\n" + BUG, 5, 1),
    "no end of the last line": (BUG.rstrip(), 3, 1),
    "tabs": (b"import torch\nfrom torch import nn\nif 1:\n\tnn.Conv2d(3, 8, 3, groups=2)\n", 4, 2),
    "form feeds": (b"\x0cimport torch\n\x0c\n" + BUG, 5, 1),
    "a form feed before an indent": (b"import torch\nif 1:\n\x0c    pass\n" + BUG, 6, 1),
    "line ends of other languages": (
        "x = '\x1c\x1d\x1e\x85\u2028\u2029\x0b\x0c'\n'''\u2028\x1c'''\n".encode() + BUG,
        5,
        1,
    ),
    "invalid escapes": (b"x = '\\d \\_'\n" + BUG, 4, 1),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_bytes_that_are_a_program(name: str) -> None:
    data, line, column = PROGRAMS[name]
    assert findings_in(data) == [("CVL101", line, column)]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# torch\n", b"\xef\xbb\xbf", b"'''torch'''", b"\x0c"])
def test_empty_files_have_no_findings(data: bytes) -> None:
    assert findings_in(data) == []


# --- bytes that are not a program


NOT_PROGRAMS = {
    "not UTF-8, and nothing declared": (BUG + b"x = '\xe9'\n", 4, "can't decode byte 0xe9"),
    "not what it declares": (b"# coding: ascii\nx = '\xe9'\n", 2, "can't decode byte 0xe9"),
    "no such encoding": (b"# coding: klingon\n" + BUG, 1, "unknown encoding: klingon"),
    "an encoding of no text": (b"# coding: base64\n" + BUG, 1, "not a text encoding"),
    "an encoding that never works": (b"# coding: undefined\n" + BUG, 1, "cannot be decoded"),
    "a mark of UTF-8 and another encoding": (b"\xef\xbb\xbf# coding: latin-1\n", 1, "encoding"),
    "half a surrogate": (b"# coding: utf-7\nx = '+2AA-'\n", 1, "surrogates not allowed"),
    "UTF-16": (TEXT.encode("utf-16"), 1, "null bytes"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), 1, "null bytes"),
    "UTF-32": (TEXT.encode("utf-32"), 1, "null bytes"),
    "a null byte": (BUG + b"x = 1\0\n", 4, "null bytes"),
    "a null byte in a string": (BUG + b"x = '\0'\n", 4, "null bytes"),
    "no text at all": (bytes(range(128, 256)), 1, "encoding"),
    "tabs and spaces": (b"if 1:\n        x = 1\n\ty = 2\n", 3, "inconsistent use of tabs"),
    "a vertical tab": (b"x = 1\n\x0by = 1\n", 2, "non-printable character"),
    "a number of 5,000 digits": (b"x = " + b"9" * 5000, 1, "4300 digits"),
    "half a string": (b"x = 1\ny = '''torch\n", 2, "unterminated"),
    "Python of another age": (b"import torch\nprint 'x'\n", 2, "Missing parentheses"),
}


@pytest.mark.parametrize("name", NOT_PROGRAMS)
def test_bytes_that_are_not_a_program_are_one_finding(name: str) -> None:
    data, line, words = NOT_PROGRAMS[name]
    found = check_file("net.py", data, Project("nowhere"))
    (finding,) = found.findings
    assert (finding.code, found.problems) == ("CVL901", ())
    assert finding.site is not None
    assert finding.site.line == line
    assert words in finding.message
    assert finding.message.isprintable()


@pytest.mark.parametrize("path", ["a b.py", "a\nb.py", "😀.py", "bad\udcff.py", "a:1.py", "", "..", "-x.py"])
def test_a_path_may_be_any_text(path: str) -> None:
    (finding,) = check_file(path, BUG, Project("nowhere")).findings
    assert finding.site is not None
    assert finding.site.path == path
    (finding,) = check_file(path, b"def f(:\n", Project("nowhere")).findings
    assert finding.code == "CVL901"


# --- the command


def convlint(folder: Path, *arguments: str | bytes, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "convlint", "check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=120,
        check=False,
        env={**os.environ, **env},
    )


def report(folder: Path, *arguments: str | bytes) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON; nothing else is printed."""
    done = convlint(folder, "--output-format", "json", *arguments)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.py", "a b.py", "a\nb.py", "😀.py", "a:1.py", "-x.py", "[x].py", "quote'\".py"):
        (tmp_path / name).write_text(TEXT)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.py")).write_text(TEXT)
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "folder.py" / "inner.py").write_text(TEXT)
    (tmp_path / "above").symlink_to("..")
    (tmp_path / "nothing.py").symlink_to("nowhere")
    (tmp_path / "round.py").symlink_to("round.py")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "binary.py").write_bytes(bytes(range(256)))
    (tmp_path / "deep.py").write_text(f"x = {'-' * 9000}1\n")
    (tmp_path / "notes").write_text("This is not Python.\n")
    return tmp_path


def test_a_folder_of_bad_files(folder: Path) -> None:
    code, found = report(folder, ".")
    assert code == 2
    codes = [finding["code"] for finding in found["findings"]]
    assert sorted(codes) == ["CVL101"] * 10 + ["CVL901"]
    assert {finding["path"] for finding in found["findings"]} >= {"a\nb.py", "bad\udcff.py", "😀.py"}
    said = {problem["path"]: problem["message"] for problem in found["problems"]}
    assert said == {
        "./nothing.py": "./nothing.py is a broken link",
        "./round.py": "./round.py cannot be read: Too many levels of symbolic links",
        "deep.py": "the code is nested too deeply to parse",
    }


def test_each_finding_and_problem_is_one_line_of_text(folder: Path) -> None:
    done = convlint(folder, ".")
    assert (done.returncode, done.stderr) == (2, "")
    heads = [line for line in done.stdout.splitlines() if ": CVL" in line or ": problem [" in line]
    assert len(heads) == 14
    found, fixable = "Found 11 errors in 12 files.", "10 can be fixed with --fix --unsafe-fixes."
    assert done.stdout.endswith(f"{found} {fixable} Could not check everything: 3 problems.\n")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_terminals_with_other_encodings(folder: Path, encoding: str) -> None:
    done = convlint(folder, ".", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe.py", "pipe.py cannot be read: it is a pipe or a device"),
        ("/dev/zero", "/dev/zero cannot be read: it is a pipe or a device"),
        ("round.py", "round.py cannot be read: Too many levels of symbolic links"),
        ("nothing.py", "nothing.py is a broken link"),
        ("deep.py", "the code is nested too deeply to parse"),
        ("gone.py", "gone.py does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(folder: Path, name: str, message: str) -> None:
    code, found = report(folder, name, "a.py")
    assert (code, [finding["path"] for finding in found["findings"]]) == (2, ["a.py"])
    assert [problem["message"] for problem in found["problems"]] == [message]


@pytest.mark.parametrize("name", ["notes", "binary.py"])
def test_a_file_that_is_not_python_is_a_finding(folder: Path, name: str) -> None:
    code, found = report(folder, name)
    assert (code, [finding["code"] for finding in found["findings"]]) == (1, ["CVL901"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["folder.py", "a\nb.py", "😀.py", "./-x.py", b"bad\xff.py"])
def test_files_with_unusual_names(folder: Path, name: str | bytes) -> None:
    code, found = report(folder, name)
    assert (code, [finding["code"] for finding in found["findings"]]) == (1, ["CVL101"])


def test_a_file_that_is_deleted_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is deleted after its folder was listed."""
    import convlint as api
    from convlint.settings import discovery

    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.py"):
        Path(name).write_text(TEXT)
    find = discovery.find

    def find_and_remove(*args: Any, **kwargs: Any) -> discovery.DiscoveredFiles:
        found = find(*args, **kwargs)
        Path("a.py").unlink()
        return found

    monkeypatch.setattr(discovery, "find", find_and_remove)
    found = api.check(".")
    assert [problem.message for problem in found.problems] == ["a.py cannot be read: No such file or directory"]
    assert [str(finding.site) for finding in found] == ["b.py:3:1"]
