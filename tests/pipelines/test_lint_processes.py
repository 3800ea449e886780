"""Files that are linted in several processes: the same results, in the same order, also after a crash."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from convlint.pipelines.lint_files import Linter
from convlint.pipelines.lint_processes import lint_in_processes
from convlint.settings.config import Config
from convlint.source_text.texts import SourceTexts

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 3, groups=7)

    def forward(self, x):
        return self.conv(x)
"""


class Exit:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        return os._exit, (3,)


@pytest.mark.slow
def test_several_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {f"net{number}.py": NET.encode() for number in range(20)}
    one, several = (Linter(Config(), jobs=jobs).find(files) for jobs in (1, 3))
    assert len(one) == len(files)
    assert several == one


def test_a_crash_is_a_problem_of_every_file_that_was_not_checked() -> None:
    paths = [f"net{number}.py" for number in range(20)]
    program: Any = (Exit(), (), SourceTexts())
    results = list(lint_in_processes(paths, program, 2))
    assert [problem.path for result in results for problem in result.problems] == paths
    assert {problem.kind for result in results for problem in result.problems} == {"crash"}
