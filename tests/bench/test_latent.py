"""Mutants of real classes: what they change, what PyTorch says, and a reduced form of bench/latent.py."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from bench import children, corpus, latent, latent_classes
from bench.latent_classes import Original

MODULE = "timm.models.resnet"


@pytest.fixture(scope="module")
def classes() -> list[Original]:
    found: list[Original] = children.call(latent_classes.classes_of, MODULE)
    return found


@pytest.mark.slow
def test_a_mutant_replaces_one_expression_in_the_constructor_of_its_class(classes: list[Original]) -> None:
    source = latent_classes.source_of(MODULE)
    for original in classes:
        for mutant in latent_classes.mutants(original, Random(1), 3):
            assert original.line < mutant.line <= original.stop
            changed = zip(source.split("\n"), mutant.apply(source).split("\n"), strict=True)
            assert [number for number, (old, new) in enumerate(changed, 1) if old != new] == [mutant.line]


@pytest.mark.slow
def test_static_mode_finds_what_pytorch_refuses(classes: list[Original], tmp_path: Path) -> None:
    corpus.copied(tmp_path)
    checker = latent.Checker(tmp_path)
    judged = [each for original in classes for each in latent.judged(original, seed=1, count=2)]
    scores = [checker.score(each) for each in judged if each.verdict != "equivalent"]
    assert scores
    assert sum(score.is_found for score in scores) >= 0.6 * len(scores)
