"""What a shell completes: codes and names of rules, files, and the classes in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convlint.cli import completion
from convlint.rewriting.kinds import kinds

NET = """
import not_installed

class Net(not_installed.Module):
    class Inner(Base): ...

class Plain: ...

class Other(Net): ...

def factory(): ...

def _private(): ...
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    Path("broken.py").write_text("class Net(")
    Path("notes.txt").touch()
    Path("nested").mkdir()


def test_codes_and_names_of_rules() -> None:
    assert ("CVL301", "bias-before-norm") in completion.complete_code("cvl3")
    assert completion.complete_code("bias-b") == [("bias-before-norm", "CVL301")]
    assert completion.complete_code("CVL1,CVL301") == [("CVL1,CVL301", "bias-before-norm")]


def test_kinds_of_rewrites_are_those_that_suggest_takes() -> None:
    assert completion.complete_kind("") == sorted(kinds())
    assert completion.complete_kind("tu") == ["tucker"]


def test_columns_of_the_table() -> None:
    assert completion.complete_column("par") == ["params", "params_share", "params_bytes"]
    assert completion.complete_column("name,mac") == ["name,macs", "name,macs_share"]


def test_files_and_folders() -> None:
    assert completion.complete_target("ne") == ["nested/", "net.py"]
    assert completion.complete_target("missing/") == []


def test_classes_of_a_file_without_importing_it() -> None:
    assert completion.complete_target("net.py:") == ["net.py:Net", "net.py:Other", "net.py:factory"]
    assert completion.complete_target("net.py:O") == ["net.py:Other"]
    assert completion.complete_target("broken.py:") == []
    assert completion.complete_target("missing.py:") == []


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        ("convlint check net.py : O", ["Other"]),  # bash splits at the colon
        ("convlint suggest net.py :", ["Net", "Other", "factory"]),
        ("convlint check --select = CVL301", ["CVL301"]),
        ("convlint rule CVL301", ["CVL301"]),
    ],
)
def test_bash_gets_the_part_that_it_replaces(words: str, answers: list[str]) -> None:
    index = str(len(words.split()) - 1)
    settings = {"COMP_WORDS": words, "COMP_CWORD": index, "_CONVLINT_COMPLETE": "complete_bash"}
    command = [sys.executable, "-m", "convlint"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.stdout.split() == answers
