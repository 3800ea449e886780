"""bench/weights.py in its reduced form: one seed, one rewrite, short trainings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench import weights
from bench.weights import QUICK, Dense, Rewritten


@pytest.mark.slow
def test_converted_weights_learn_faster_than_random_ones_and_nine_pairs_lose_nothing() -> None:
    dense, every = weights.sweep(QUICK, workers=1)
    ((net,), [(found,)]) = dense, every.values()
    assert net.trained > 0.3
    assert net.exact == net.trained
    assert net.exact_error < 1e-5
    assert found.tuned >= found.random - 0.05
    assert len(found.errors) == 2  # groups after groups are not proposed: no channel would cross them
    assert all(0 < error < 1 for error in found.errors)
    assert found.params == (149_738, 117_482)
    assert found.macs == (9_512_192, 6_563_072)
    assert "| grouped (auto) | 2 | 78% | 69% |" in weights.section(QUICK, dense, every)


def test_nine_pairs_compute_the_same() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1, bias=False), nn.Conv2d(6, 4, 3, 1, 1, bias=False))
    same, error = weights.exact(model)
    x = torch.randn(2, 1, 9, 9)
    assert error < 1e-6
    assert sum(p.numel() for p in same.parameters()) > sum(p.numel() for p in model.parameters())
    torch.testing.assert_close(same(x), model(x))


def test_images_depend_on_the_seed_alone() -> None:
    images, which = weights.drawn(300, 7)
    again, same = weights.drawn(300, 7)
    assert torch.equal(images, again)
    assert torch.equal(which, same)
    assert not torch.equal(images, weights.drawn(300, 8)[0])
    assert images.shape == (300, 1, 32, 32)
    assert set(which.tolist()) == set(range(10))
    assert images.isfinite().all()


def test_norms_anew_change_no_weight() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
    images = 5 + torch.randn(40, 1, 8, 8)
    anew = weights.normed(model, images)
    assert all(map(torch.equal, model.parameters(), anew.parameters()))
    assert torch.equal(model[1].running_mean, torch.zeros(3))
    torch.testing.assert_close(anew[1].running_mean, model[0](images).mean((0, 2, 3)))


def test_the_section_says_which_conversions_are_poor() -> None:
    def rewritten(converted: float, tuned: float) -> Rewritten:
        return Rewritten((0.5, 0.7), (200, 50), (80, 20), converted, 0.5, tuned, 0.6, 0.9)

    dense = [Dense(0.9, 0.92, 0.4, 0.9, 4e-8), Dense(1, 0.96, 0.6, 1, 3e-8)]
    every = {
        "poor one": [rewritten(0.1, 0.8), rewritten(0.3, 0.7)],
        "poor two": [rewritten(0.5, 0.93)] * 2,
        "good": [rewritten(0.9, 0.95)] * 2,
    }
    text = weights.section(weights.Effort(), dense, every)
    words = " ".join(text.split())
    assert "classifies 95.0 % of the images correctly. Without training, the converted weights" in words
    assert "are poor for poor one and poor two: 20.0 to 50.0 %." in words
    assert "fine-tuning the accuracy is 75.0 to 95.0 %." in words
    assert "more than fine-tuning for poor one." in words
    assert "a relative error of at most 4e-08" in words
    row = "| poor one | 2 | 25% | 25% | 0.60 | 0.70 | 20.0 (10.0 to 30.0) | 50.0 (50.0 to 50.0) |"
    assert row in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {12}
    mild = weights.section(weights.Effort(), dense, {"good": [rewritten(0.95, 0.95)]})
    assert "poor" not in mild
    assert "more than fine-tuning" not in mild
