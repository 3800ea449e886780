"""Mistakes that new users make on the command line: one line that says what to write instead, and exit code 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.commands import Done, command

NET = """
from torch import nn

WIDTH = 8

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv(x)
"""
MISTAKES = {
    # options of other tools
    "check net.py --format json": "`--output-format ...`",
    "check net.py -f json": "`--output-format ...`",
    "check net.py:Net -i 3,224,224": "`--input 3,224,224`",
    "check net.py:Net --input-size 3,224,224": "`--input 3,224,224`",
    "check net.py:Net --input 3,224,224 --batch 4": "`--batch-size ...`",
    "check net.py --disable CVL301": "`--ignore CVL301`",
    "check net.py --workers 4": "`-j ...`",
    "check net.py --unsafe": "`--fix --unsafe-fixes`",
    "check net.py -o report.json": "`--output-file ...`",
    "check --list-rules": "`convlint rule`",
    "check net.py --dry-run": "`--diff`",
    "check net.py --no-color": "`--color never`",
    "check net.py --config conf.toml": "settings are read from pyproject.toml or convlint.toml",
    "summary net.py:Net --csv": "`--output-format csv`",
    "check net.py:Net --weights w.pt": "`convlint suggest` has it",
    "summary net.py:Net --columns name,flops": "did you mean macs?",
    "summary": "`convlint summary net.py:Net`",
    "check net.py:Net --output-format csv": "csv is a value of `convlint summary`",
    "suggest net.py:Net --kind grouped,tucker": "`--kind grouped --kind tucker`",
    "check net.py --gpu": "`--device cuda`",
    "check net.py --fp16": "`--dtype float16`",
    "check net.py --output html": "`--output-format html`",
    "check net.py --eval": "models run in evaluation mode without --train",
    "check --model net.py:Net": "passed without an option, as in `convlint check net.py:Net`",
    "check -r pkg": "directories are checked with all folders in them",
    "check --stdin": "`convlint check -`",
    "suggest net.py:Net --fix": "`--write`",
    "check net.py --apply": "`--fix`",
    "check net.py --exit-zero=true": "--exit-zero is a switch; write it without a value",
    "check net.py:Net --input": "--input SHAPE, shape of one input without the batch dimension",
    "suggest net.py:Net --groups": "--groups N, number of groups",
    "--check net.py": "`convlint check`",
    # commands of other tools
    "explain CVL301": "`convlint rule CVL301`",
    "rules": "`convlint rule`",
    "lint net.py": "`convlint check net.py`",
    "profile net.py:Net": "`convlint summary net.py:Net`",
    "net.py": "`convlint check net.py`",
    "fix net.py": "`convlint check net.py --fix`",
    "diff net.py": "`convlint check net.py --diff`",
    "help": "`convlint --help`",
    "help check": "`convlint check --help`",
    "-V": "`convlint --version`",
    "check --version": "`convlint --version`",
    "--input 3,224,224 check net.py:Net": "`convlint check net.py:Net --input 3,224,224`",
    "version": "`convlint --version`",
    # targets and inputs
    "check nb.ipynb": "`jupyter nbconvert --to script nb.ipynb`",
    "check nb.ipynb:Net": "`jupyter nbconvert --to script nb.ipynb`",
    "check net.py:Net --input 3 224 224": "--input 3,224,224",
    "check net.py::Net": "written with one colon, net.py:Net",
    "check ./net.py::Net": "written with one colon, ./net.py:Net",
    "check net.py#Net": "written with a colon, net.py:Net",
    "check net.py Net --input 3,224,224": "did you mean net.py:Net?",
    "check net.py :Net": "did you mean net.py:Net?",
    "check net.py,pkg/block.py": "pass each as an argument of its own: net.py pkg/block.py",
    "check net.py:Net 3,224,224": "a shape is passed as --input 3,224,224",
    "check net.py:*": "`convlint sweep 'net.py:*'`",
    "check 'net.py:Net'": "without quotes, or with double ones on Windows: net.py:Net",
    "check net.py:Net --input '3,224,224'": "without quotes: 3,224,224",
    "check .:Net": "did you mean net.py:Net?",
    "check pkg:Block": "did you mean pkg/block.py:Block?",
    "check pkg.block": "did you mean pkg/block.py?",
    "check pkg\\block.py": "did you mean pkg/block.py?",
    "check pgk/blok.py": "did you mean pkg/block.py?",
    "check pgk/blok.py:Block": "did you mean pkg/block.py?",
    "check net.PY": "did you mean net.py?",
    "check net.py:Net.conv": "did you mean net.py:Net?",
    "check net.py:Net.forward": "did you mean net.py:Net?",
    "check torch.nn.Conv2d": "torch.nn:Conv2d",
    "check w.pt": "pass the file that defines the model",
    "check w.pt:Net": "pass the file that defines the model",
    "summary w.pt": "pass the file that defines the model",
    "check pyproject.toml": "is not a Python file",
    "check net.Net": "net.py:Net",
    "check net.py:net": "did you mean Net?",
    "check nett.py": "did you mean net.py?",
    "check net": "did you mean net.py?",
    "summary net.py": "did you mean net.py:Net?",
    "suggest net.py": "did you mean net.py:Net?",
    "check net.py:WIDTH": "net.py defines Net",
    "check *.py": "a directory stands for all files in it: .",
    "check pkg/**/*.py": "a directory stands for all files in it: pkg",
    "check pkg/block.Block": "did you mean pkg/block.py:Block?",
    "check your nets/net.py": "a path with spaces is written in quotes: 'your nets/net.py'",
    "check your nets/net.py:Net": "a path with spaces is written in quotes: 'your nets/net.py:Net'",
    "check net.py:Net width=8 depth=3": "written in parentheses, as in 'net.py:Net(width=8)'",
    "suggest net.py:Net width=8 depth=3": "written in parentheses, as in 'net.py:Net(width=8,depth=3)'",
    "check https://example.com/net.py": "convlint does not download files",
    "summary net.py:Net 3,224,224": "as in --input 3,224,224",
    "summary net.py:Net --input 3 224 224": "as in --input 3,224,224",
    "summary net.py:Net pkg/block.py:Block": "it takes one TARGET, and pkg/block.py:Block is one more",
    "rule CVL301 CVL302": "it takes one CODE, and CVL302 is one more",
    "check net.py:Net --input N,3,224,224": "leave out the batch dimension, as in 3,224,224",
    "check net.py:Net --input -1,3,224,224": "leave out the batch dimension, as in 3,224,224",
    "check net.py:Net --input w.pt": "--input-file w.pt",
    # values
    "check net.py --output-format xml": "did you mean",
    "check net.py --output-format JSON": "did you mean 'json'?",
    "check net.py:Net --dtype fp16": "did you mean 'float16'?",
    "check net.py --output-format json,sarif": "one format",
    "check net.py --output-format json --output-format sarif": "--output-format is given twice",
    "check net.py:Net --batch-size four": "--batch-size requires a whole number of at least 1",
    "check net.py -j 0": "--jobs requires a whole number of at least 1",
    "check net.py --select CVL301 CVL302": "`--select CVL301,CVL302`",
    "check net.py --select CVL1*": "write CVL1: codes and prefixes",
    "check net.py --select CVL999": "no rule has the code 'CVL999'; `convlint rule` lists all",
    "check net.py --select CVL4": "; `convlint rule` lists all",
    "check net.py --select bias": "did you mean 'CVL301'?",
    "check net.py --max-params lots": "write 1500000, 1.5M or 4G",
    "suggest net.py:Net --kind grouped,depthwise": "'depthwise' is unknown; did you mean 'depthwise-separable'?",
    "suggest net.py:Net --kind depthwise": "did you mean 'depthwise-separable'?",
    "check net.py --select bias-before-nrm": "did you mean 'CVL301'?",
    "check net.py:Net --input 3,224,224 --device gpu": "did you mean 'cuda'?",
    "rule 301": "did you mean CVL301 (bias-before-norm)?",
}


def convlint(folder: Path, words: str) -> Done:
    return command(folder, *words.split())


@pytest.mark.parametrize("words", MISTAKES)
def test_the_answer_says_what_to_write(words: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "block.py").write_text(NET.replace("Net", "Block"))
    (tmp_path / "your nets").mkdir()
    (tmp_path / "your nets" / "net.py").write_text(NET)
    (tmp_path / "w.pt").write_bytes(b"PK\3\4")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'net'\n")
    (tmp_path / "nb.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    done = convlint(tmp_path, words)
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert MISTAKES[words] in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) <= 3


def test_codes_in_one_argument_are_separated_by_commas(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    done = command(tmp_path, "check", "net.py", "--select", "CVL101 cvl102")
    assert done.returncode == 2
    assert "write CVL101,cvl102" in done.stderr


def test_a_script_that_reads_the_command_line_is_no_module(tmp_path: Path) -> None:
    parser = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--data', required=True)\n"
    (tmp_path / "train.py").write_text(f"{parser}args = parser.parse_args()\n{NET}")
    done = command(tmp_path, "check", "train.py:Net", "--input", "3,8,8")
    assert done.returncode == 2
    assert 'while it was imported; what runs a program belongs below `if __name__ == "__main__":`' in done.stdout


@pytest.mark.parametrize("option", ["--open", "--rust", "--tree"])
def test_no_option_is_suggested_that_is_not_alike(option: str, tmp_path: Path) -> None:
    done = command(tmp_path, "check", "net.py", option)
    assert done.returncode == 2
    assert "did you mean" not in done.stderr


@pytest.mark.parametrize("selector", ["bias-before-norm", "CVL301", "Bias-Before-Norm"])
def test_a_rule_is_selected_by_its_code_or_name(selector: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET.replace("3, 8, 3)", "3, 8, 3)\n        self.norm = nn.BatchNorm2d(8)"))
    text = (tmp_path / "net.py").read_text().replace("return self.conv(x)", "return self.norm(self.conv(x))")
    (tmp_path / "net.py").write_text(text)
    for option, code in (("--select", 1), ("--ignore", 0)):
        done = convlint(tmp_path, f"check net.py --no-cache {option} {selector}")
        assert ("CVL301" in done.stdout) == bool(code)
        assert done.returncode == 0


HOSTILE = "x\n::error::y\x1b[31m\x9b2J\u202e##vso[task.complete]z"
"""A name that a pull request could have, as ``convlint check $(git diff --name-only)`` passes it."""


@pytest.mark.parametrize(
    "words",
    [
        ("check", HOSTILE),
        ("check", f"{HOSTILE}.py"),
        ("check", f"{HOSTILE}.py:Net"),
        ("check", f"net.py:Net({HOSTILE})"),
        ("check", "net.py", "--baseline", HOSTILE),
        ("check", "net.py", "--compare-to", HOSTILE),
        ("check", "net.py", "--output-file", f"none/{HOSTILE}"),
        ("check", "net.py", "--select", HOSTILE),
        ("check", "net.py", f"--{HOSTILE}"),
        ("check", HOSTILE, "--show-files"),
        ("summary", HOSTILE),
        ("rule", HOSTILE),
        (HOSTILE,),
    ],
    ids=ascii,
)
def test_no_answer_has_a_command_or_an_escape(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    done = command(tmp_path, *words)
    assert done.returncode == 2
    for line in (done.stdout + done.stderr).splitlines():
        assert line.isprintable()
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##[\w.-]*\[", line)


def test_files_that_are_shown_are_no_commands(tmp_path: Path) -> None:
    for name in ("::error::x.py", "a\n::error::.py"):
        (tmp_path / name).write_text(NET)
    shown = command(tmp_path, "check", ".", "--show-files").stdout
    assert len(shown.splitlines()) == 2
    assert not re.search(r"(?m)^\s*::", shown)
