"""Measure the accuracy of converted weights: ``python -m bench.weights [--write] [--quick]``.

A small network is trained on drawn shapes. ``convlint suggest`` rewrites its file and converts its checkpoint; git
applies the diff, and PyTorch alone loads both. The accuracy is measured after conversion, after a short fine-tuning,
and for the same architecture from random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from bench import applied, children, sections
from bench.drawn_shapes import drawn
from bench.markdown import table
from bench.small_net import accuracy, built, exact, normed, trained

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "suggest.md"
TIMEOUT = 1200.0  # seconds per network

NET = '''\
"""Tells ten shapes apart, in grey images of 32 x 32."""

from torch import nn


class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classify = nn.Linear(128, classes)

    def forward(self, x):
        return self.classify(self.features(x))
'''
REWRITES = {
    "grouped (auto)": ("grouped",),
    "grouped (8)": ("grouped", "--groups", "8"),
    "depthwise separable": ("depthwise-separable",),
    "2 pairs (CVL505)": ("depthwise-separable", "--pairs", "2"),
    "4 pairs (CVL505)": ("depthwise-separable", "--pairs", "4"),
    "factorised": ("factorised",),
}


@dataclass(frozen=True)
class Effort:
    """Amount of work."""

    images: int = 5000
    tests: int = 2000
    epochs: int = 10
    short: int = 2  # epochs of fine-tuning
    seeds: int = 3
    rewrites: tuple[str, ...] = tuple(REWRITES)


QUICK = Effort(images=2000, tests=1000, epochs=5, short=1, seeds=1, rewrites=("grouped (auto)",))
RATE, SMALL = 0.1, 0.05  # learning rates from random weights and for fine-tuning


@dataclass(frozen=True)
class Dense:
    """Accuracies of the original network."""

    trained: float
    tuned: float  # trained further, for as many epochs as rewritten networks
    random: float  # trained for as many epochs from random weights
    exact: float  # with nine pairs in each layer, after conversion
    exact_error: float  # the largest error of a weight


@dataclass(frozen=True)
class Rewritten:
    """Accuracies of one rewrite of one trained network."""

    errors: tuple[float, ...]  # of each rewritten layer, from the JSON
    params: tuple[int, int]  # before and after
    macs: tuple[int, int]
    converted: float
    normed: float  # with recomputed statistics of the norms
    tuned: float
    random: float
    random_long: float  # trained for as many epochs as the dense network


# --- training, in separate processes


def train_dense(folder: Path, seed: int, effort: Effort) -> dict[str, float]:
    """Train the network and save it as ``dense.pt``. Returns the fields of ``Dense``."""
    data, tests = drawn(effort.images, seed), drawn(effort.tests, 10**6)
    model = trained(built(folder, seed), data, effort.epochs, RATE, seed)
    torch.save(model.state_dict(), folder / "dense.pt")
    same, error = exact(model)
    return {
        "trained": accuracy(model, tests),
        "exact": accuracy(same, tests),
        "exact_error": error,
        "random": accuracy(trained(built(folder, seed), data, effort.short, RATE, seed), tests),
        "tuned": accuracy(trained(model, data, effort.short, SMALL, seed + 1), tests),
    }


def try_rewritten(folder: Path, seed: int, effort: Effort) -> dict[str, float]:
    """Return the accuracies of a rewritten network and its converted checkpoint ``new.pt``, fields of
    ``Rewritten``.
    """
    data, tests = drawn(effort.images, seed), drawn(effort.tests, 10**6)
    model = built(folder, seed, folder / "new.pt")
    found = {
        "converted": accuracy(model, tests),
        "normed": accuracy(normed(model, data[0]), tests),
        "tuned": accuracy(trained(model, data, effort.short, SMALL, seed + 1), tests),
    }
    for name, epochs in (("random", effort.short), ("random_long", effort.epochs)):
        found[name] = accuracy(trained(built(folder, seed), data, epochs, RATE, seed), tests)
    return found


# --- the command line


def try_one(scratch: Path, seed: int, name: str, effort: Effort) -> Rewritten:
    """Rewrite the network like a user and measure it. Raises RuntimeError if the command fails."""
    folder = scratch / f"{seed}-{list(REWRITES).index(name)}"
    folder.mkdir()
    (folder / "net.py").write_text(NET, encoding="utf-8")
    applied.start(folder)
    words = ["--input", "1,32,32", "--output-format", "json", "--kind", *REWRITES[name]]
    weights = ["--weights", f"../{seed}/dense.pt", "--save-weights", "new.pt"]
    done = subprocess.run(
        [sys.executable, "-m", "convlint", "suggest", "net.py:Net", *words, *weights],
        cwd=folder,
        env={**os.environ, **applied.ENVIRONMENT},
        check=False,
        capture_output=True,
        timeout=TIMEOUT,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stdout.decode()} {done.stderr.decode()}")
    answer = json.loads(done.stdout)
    whole, chosen = answer["rewritten"], [one for one in answer["suggestions"] if one["chosen"]]
    applied.git(folder, "apply", "-", stdin=whole["diff"].encode())
    return Rewritten(
        errors=tuple(layer["weight_error"] for one in chosen for layer in one["layers"]),
        params=(whole["before"]["params"], whole["after"]["params"]),
        macs=(whole["before"]["macs"], whole["after"]["macs"]),
        **children.call(try_rewritten, folder, seed, effort, timeout=TIMEOUT),
    )


def sweep(effort: Effort, workers: int = 2) -> tuple[list[Dense], dict[str, list[Rewritten]]]:
    """Return the original networks, and the results of each rewrite, one per seed."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(workers) as pool:

        def train(seed: int) -> Dense:
            folder = Path(scratch, str(seed))
            folder.mkdir()
            (folder / "net.py").write_text(NET, encoding="utf-8")
            return Dense(**children.call(train_dense, folder, seed, effort, timeout=TIMEOUT))

        def rewrite(job: tuple[str, int]) -> Rewritten:
            result = try_one(Path(scratch), job[1], job[0], effort)
            print(*job, result, file=sys.stderr, flush=True)
            return result

        dense = list(pool.map(train, range(effort.seeds)))
        jobs = [(name, seed) for name in effort.rewrites for seed in range(effort.seeds)]
        results = list(pool.map(rewrite, jobs))
    every = {name: results[n * effort.seeds :][: effort.seeds] for n, name in enumerate(effort.rewrites)}
    return dense, every


# --- the section

TEXT = """\
## Converted weights

The accuracy of a rewritten network with a converted checkpoint. The network has a stem, five dense 3x3
convolutions with BatchNorm (32 to 128 channels) and {params:,} parameters. It was trained for {epochs} epochs on
{images:,} images that the program draws: one of ten shapes or textures, 32x32, at any position, rotation, size and
contrast, with noise. {tests:,} other images test it. For each rewrite, `convlint suggest` read the checkpoint with
`--weights` and wrote the converted one with `--save-weights`; `git apply` applied the diff, and PyTorch alone
loaded file and checkpoint with `strict=True`. Written by `python -m bench.weights --write`.

{verdict}

Accuracy in percent: the mean of {seeds} seeds (different images, weights and order), with the lowest and highest
in parentheses. Guessing is right in 10 %.

{table}

- *error*: `weight_error` of the JSON, `|W - W'| / |W|` of each layer, for the weights in the saved checkpoint.
- *converted*: the new checkpoint without training; for the dense network, its own checkpoint. *norms reset*: only
  the means and variances of the BatchNorms were computed again, over the training images.
- *fine-tuned*: {short} more epochs from the converted weights, at half the learning rate of the dense training.
- *random*: the same architecture from random weights, at the full rate. Of 0.01, 0.02, 0.05 and 0.1, tried with
  the first seed, 0.1 was the best for these, and 0.05 for all fine-tunes but one.

This is one small network on easy images. It compares the rewrites; it does not show how much a large network loses.
"""


def section(effort: Effort, dense: Sequence[Dense], every: Mapping[str, Sequence[Rewritten]]) -> str:
    """Return the section for docs/suggest.md."""
    titles = ("rewrite", ">layers", ">params", ">MACs", ">error, mean", ">largest")
    random = (f">random, {effort.short} epochs", f">random, {effort.epochs} epochs")
    columns = (*titles, ">converted", ">norms reset", ">fine-tuned", *random)
    found = ("trained", "", "tuned", "random", "trained")
    rows: list[tuple[object, ...]] = [("none", 0, "", "", "", "", *_accuracies(dense, found))]
    found = ("converted", "normed", "tuned", "random", "random_long")
    for name, results in every.items():
        one, errors = results[0], [error for result in results for error in result.errors]
        parts = (f"{after / before:.0%}" for before, after in (one.params, one.macs))
        sizes = (f"{mean(errors):.2f}", f"{max(errors):.2f}")
        rows.append((name, len(one.errors), *parts, *sizes, *_accuracies(results, found)))
    return TEXT.format(
        **vars(effort),
        params=next(iter(every.values()))[0].params[0],
        verdict=_verdict(effort, dense, every),
        table=table(columns, rows),
    )


def _accuracies(of: Sequence[object], names: Iterable[str]) -> list[str]:
    """Return mean, lowest and highest of each, in percent."""
    cells = []
    for name in names:
        values = [getattr(one, name) for one in of] if name else []
        spread = f" ({between(values)})" if len(values) > 1 else ""
        cells.append(f"{100 * mean(values):.1f}{spread}" if values else "")
    return cells


def _verdict(effort: Effort, dense: Sequence[Dense], every: Mapping[str, Sequence[Rewritten]]) -> str:
    """Describe the table in words."""

    def means(what: str) -> dict[str, float]:
        return {name: mean([getattr(r, what) for r in results]) for name, results in every.items()}

    trained, exact = (mean([getattr(net, what) for net in dense]) for what in ("trained", "exact"))
    converted, tuned, random, full = map(means, ("converted", "tuned", "random", "random_long"))
    poor = [name for name in every if converted[name] < trained - 0.1]
    better = [name for name in every if tuned[name] < full[name] - 0.005]
    said = f"The dense network classifies {100 * trained:.1f} % of the images correctly. "
    if poor:
        shown = between(converted[name] for name in poor)
        said += f"Without training, the converted weights are poor for {_listed(poor)}: {shown} %. "
    said += (
        f"After {effort.short} epochs of fine-tuning the accuracy is {between(tuned.values())} %. From random "
        f"weights, the same architectures reach {between(random.values())} % in as many epochs, and "
        f"{between(full.values())} % in {effort.epochs}"
    )
    said += f", which is more than fine-tuning for {_listed(better)}. " if better else ". "
    worst = max(net.exact_error for net in dense)
    said += (
        f"Nine pairs save nothing and are exact: {100 * exact:.1f} % after conversion, with a relative error of "
        f"at most {worst:.0e}."
    )
    return textwrap.fill(said, 110)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def between(values: Iterable[float]) -> str:
    """Return the lowest and highest, in percent.

    >>> between([0.5, 0.7])
    '50.0 to 70.0'
    """
    return f"{100 * min(found := list(values)):.1f} to {100 * max(found):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.weights", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, one rewrite, less training")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("-j", "--workers", type=int, default=2)
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--write takes the full run")
    effort = QUICK if options.quick else Effort()
    text = section(effort, *sweep(effort, options.workers))
    print(text)
    if options.write:
        if not PAGE.exists():
            PAGE.write_text("# Suggested rewrites\n", encoding="utf-8")
        sections.record(PAGE, text, "weights")


if __name__ == "__main__":
    main()
