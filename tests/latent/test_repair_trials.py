"""Trials of the repairs of a class: which of them a class is followed with."""

from collections.abc import Sequence

import pytest

from convlint.latent import repair_trials
from convlint.latent.candidates import ClassRepair
from convlint.latent.following import Followed
from convlint.latent.trials import ClassTrials
from convlint.pipelines.file_linter import lint_text
from convlint.source_text.texts import SourceTexts
from convlint.static import Project

CLASS = """\
from torch import nn

class Block(nn.Module):
    def __init__(self, width, channels):
        super().__init__()
        self.width = width
        inner = width
        self.first = nn.Conv2d(3, inner, 1)
        {loop}self.second = nn.Conv2d(channels, width, 1)
        self.third = nn.Conv2d(width, channels, 1)

    def forward(self, x):
        return self.third(self.second(self.first(x)))
"""


@pytest.mark.parametrize(("loop", "tried"), [("", 1), ("for _ in range(2): ", 3)])
def test_expressions_with_equal_values_are_one_trial_outside_of_loops(
    loop: str, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    try_one = repair_trials.tried_with

    def noted(trials: ClassTrials, repair: ClassRepair, state: Sequence[Followed]) -> tuple[Followed, ...] | None:
        texts.append(repair.text)
        return try_one(trials, repair, state)

    monkeypatch.setattr(repair_trials, "tried_with", noted)
    source = CLASS.format(loop=loop)
    linted = lint_text("block.py", source.encode(), Project(".", (), SourceTexts({"block.py": source.encode()})))
    assert len({"width", "inner", "self.width"} & set(texts)) == tried, texts
    assert [finding.code for finding in linted.findings] == ["CVL203"]
