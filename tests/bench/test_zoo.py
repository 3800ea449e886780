"""The small models of torchvision and timm, beside PyTorch's own counts; see bench/zoo_check.py."""

from __future__ import annotations

import pytest

from bench import zoo
from bench.zoo_models import Entry, entries


def test_the_reduced_set_is_large_enough() -> None:
    assert len(zoo.reduced()) >= 30
    assert len(entries()) >= 250


@pytest.mark.slow
@pytest.mark.parametrize("entry", zoo.reduced()[::3], ids=lambda entry: entry.name)
def test_model(entry: Entry) -> None:
    result = zoo.try_one(entry)
    assert isinstance(result, zoo.Result), result
    assert not result.wrong


@pytest.mark.sweep
@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_every_model(entry: Entry) -> None:
    test_model(entry)
