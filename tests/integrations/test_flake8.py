"""The plugin in the real flake8, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import convlint
from convlint.integrations.flake8 import encoded

GDCONV = (Path(__file__).parents[2] / "fixtures" / "gdconv.py").read_text()
BUG = "self.bn = nn.BatchNorm2d(in_planes)"
LINE = next(i for i, line in enumerate(GDCONV.splitlines(), 1) if BUG in line)
FOUND = f"{LINE}:19: CVL201 "


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def flake8(*arguments: str, stdin: str | None = None) -> list[str]:
    """What flake8 tells of our codes, a line each; and everything, if it fails itself."""
    done = subprocess.run(
        [sys.executable, "-m", "flake8", "--isolated", "--select", "CVL,E9", *arguments],
        check=False,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
    )
    assert not done.stderr
    assert done.returncode == bool(done.stdout)
    return done.stdout.splitlines()


def test_a_bug_is_told_at_its_line_and_column() -> None:
    Path("net.py").write_text(GDCONV)
    (line,) = flake8("net.py")
    assert line.startswith(f"net.py:{FOUND}")


def test_it_is_installed_under_its_prefix() -> None:
    done = subprocess.run([sys.executable, "-m", "flake8", "--version"], capture_output=True, text=True, check=True)
    assert f"convlint: {convlint.__version__}" in done.stdout


def test_without_a_choice_of_codes_it_is_active() -> None:
    Path("net.py").write_text(GDCONV)
    command = [sys.executable, "-m", "flake8", "--isolated", "net.py"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert f"net.py:{FOUND}" in done.stdout


@pytest.mark.parametrize("name", [None, "./package/net.py"])
def test_standard_input(name: str | None) -> None:
    options = () if name is None else ("--stdin-display-name", name)
    (line,) = flake8("-", *options, stdin=GDCONV)
    assert line.startswith(f"{name or 'stdin'}:{FOUND}")


def test_a_file_that_another_imports_is_told_of_once() -> None:
    Path("net.py").write_text(f"from blocks import GDConv\n{GDCONV}")
    Path("blocks.py").write_text(GDCONV)
    lines = flake8("--jobs=1", ".")
    assert [line.split(" ")[0] for line in lines] == [f"./blocks.py:{LINE}:19:", f"./net.py:{LINE + 1}:19:"]


@pytest.mark.parametrize("comment", ["# noqa: CVL201", "# noqa", "# convlint: ignore[CVL201]"])
def test_comments_silence(comment: str) -> None:
    Path("net.py").write_text(GDCONV.replace(BUG, f"{BUG}  {comment}"))
    assert flake8("net.py") == []


def test_the_settings_of_convlint_hold() -> None:
    Path("net.py").write_text(GDCONV)
    Path("convlint.toml").write_text('per-file-ignores = { "net.py" = ["CVL2"] }')
    assert flake8("net.py") == []
    Path("convlint.toml").write_text('select = ["CVL3"]')
    assert flake8("net.py") == []
    Path("convlint.toml").write_text("")
    assert len(flake8("net.py")) == 1


def test_a_mistake_in_the_settings_is_named() -> None:
    Path("net.py").write_text(GDCONV)
    Path("convlint.toml").write_text('selct = ["CVL3"]')
    assert "did you mean 'select'" in flake8("net.py")[0]


def test_a_syntax_error_is_told_once_by_flake8_itself() -> None:
    Path("net.py").write_text("import torch\ndef\n")
    (line,) = flake8("net.py")
    assert line.startswith("net.py:2:")
    assert "E999" in line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_columns_count_characters_in_every_encoding(encoding: str) -> None:
    text = GDCONV.replace(BUG, f"self.ä = 'é'; {BUG}")
    cookie = "" if encoding == "utf-8-sig" else f"# coding: {encoding}\n"
    Path("net.py").write_bytes(f"{cookie}{text}".encode(encoding))
    (line,) = flake8("net.py")
    column = 19 + len("self.ä = 'é'; ")
    assert line.startswith(f"net.py:{LINE + bool(cookie)}:{column}: CVL201")


def test_lines_become_bytes_in_the_encoding_that_they_declare() -> None:
    assert encoded(["x = 'é'\n"]) == "x = 'é'\n".encode()
    assert encoded(["# coding: latin-1\n", "'é'"]) == b"# coding: latin-1\n'\xe9'"
    assert encoded(["# coding: ascii\n", "'é'"]) == b"# coding: ascii\n'?'"
    assert encoded(["# coding: nonsense\n", "'é'"]) == "# coding: nonsense\n'é'".encode()


def test_neither_torch_nor_the_analysis_is_loaded_to_be_registered() -> None:
    code = (
        "import sys, convlint.integrations.flake8 as plugin; early = {*sys.modules}; "
        "[*plugin.Plugin(None, 'a.py', ['import torch']).run()]; print(*early, '|', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    early, late = (set(names.split()) for names in done.stdout.split("|"))
    assert not {"convlint.static", "convlint.settings.config", "convlint.rules"} & early
    assert "convlint.static" in late
    assert not {"torch", "libcst", "rich", "typer"} & late
