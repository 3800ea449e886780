"""Accuracy at equal parameters: the automatic choice of ``convlint suggest`` and each of its kinds, beside other tools.

Small networks are trained on digits that scikit-learn ships. Needs scikit-learn, tensorly and torch-pruning:
``python -m bench.accuracy --write`` writes docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import nn

from bench import accuracy_net as net
from bench import sections
from bench.accuracy_peers import PEERS, largest, of_kind
from bench.markdown import table
from bench.source import ROOT
from convlint import suggest
from convlint.runtime.data.convert import convert_on_data
from convlint.runtime.data.loader import Batch
from convlint.runtime.inputs.make_inputs import Inputs

PAGE = ROOT / "docs" / "accuracy.md"
SIZES = (136_000, 69_000, 36_000)
SEEDS = 3
EPOCHS, RATE, SMALL_RATE = 4, 0.1, 0.02
KINDS = ("tucker", "low-rank", "depthwise-separable", "grouped")
AUTOMATIC = "convlint, automatic"
Score = tuple[float, float, float]  # converted, recalibrated, after one epoch
Method = Callable[[], tuple[nn.Module, nn.Module | None]]
Scores = dict[tuple[int, str], list[tuple[int, Score]]]  # by size and method: parameters and accuracies


@contextmanager
def _folder(path: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def automatic(model: nn.Module, size: int, batches: list[Batch]) -> tuple[nn.Module, nn.Module]:
    """The converted model and the recalibrated checkpoint of ``convlint suggest`` at a size."""
    report = suggest(
        "net.py:Net",
        (1, 12, 12),
        weights="dense.pt",
        save_weights="new.pt",
        data="data.py:loader",
        recalibrate=True,
        target_params=size,
        timeout=900.0,
    )
    if report.problems or report.rewritten is None:
        raise RuntimeError(f"suggest failed: {report.problems}")
    forms = {c.layer: c.replacement for s in report.suggestions if s.chosen for c in s.changes}
    converted, _ = convert_on_data(model, forms, batches, calibrated=True)
    final = copy.deepcopy(converted)
    final.load_state_dict(torch.load("new.pt", weights_only=True), strict=True)
    return converted, final


def one_seed(seed: int, scores: Scores) -> tuple[float, int]:
    """Train a network and add the scores of all methods at all sizes. Returns its accuracy and size."""
    torch.manual_seed(seed)
    data, tests = net.images(seed, train=True), net.images(77, train=False)
    model = net.trained(net.built(), data, EPOCHS, RATE, seed)
    some = torch.randperm(len(data[0]), generator=torch.Generator().manual_seed(seed))[:1024]
    parts = list(zip(data[0][some].split(128), data[1][some].split(128), strict=True))
    batches = [Batch(Inputs((x,), {}, ""), y) for x, y in parts]
    short = data[0][:1200], data[1][:1200]
    with tempfile.TemporaryDirectory() as folder, _folder(folder):
        Path("net.py").write_text(net.NET, encoding="utf-8")
        Path("data.py").write_text(net.LOADER, encoding="utf-8")
        torch.save((data[0][some], data[1][some]), "images.pt")
        torch.save(model.state_dict(), "dense.pt")
        for size in SIZES:
            methods: dict[str, Method] = {AUTOMATIC: partial(automatic, model, size, batches)}
            for kind in KINDS:
                methods[f"convlint {kind}"] = partial(_kind, model, kind, size, batches, fitted=True)
                if kind in ("tucker", "depthwise-separable"):
                    nearest = partial(_kind, model, kind, size, batches, fitted=False)
                    methods[f"convlint {kind}, nearest weights"] = nearest
            for name, make in PEERS.items():
                methods[name] = partial(_peer, model, make, size)
            for name, build in methods.items():
                converted, final = build()
                final = final or net.recalibrated(converted, [x for x, _ in parts])
                before, after = (net.accuracy(each, tests) for each in (converted, final))
                tuned = net.accuracy(net.trained(copy.deepcopy(final), short, 1, SMALL_RATE, seed), tests)
                found = net.size_of(final), (before, after, tuned)
                scores.setdefault((size, name), []).append(found)
                print(seed, size, name, *found, flush=True)
    return net.accuracy(model, tests), net.size_of(model)


def _peer(model: nn.Module, make: Callable[[nn.Module, float], nn.Module], size: int) -> tuple[nn.Module, None]:
    return largest(partial(make, model), size), None


def _kind(model: nn.Module, kind: str, size: int, batches: list[Batch], *, fitted: bool) -> tuple[nn.Module, None]:
    """All layers in one kind at a size: its share is found with the nearest weights."""
    shares: list[float] = []

    def make(share: float) -> nn.Module:
        shares.append(share)
        return of_kind(model, kind, share, batches, fitted=False)

    found = largest(make, size)
    if not fitted:
        return found, None
    share = next(
        share
        for share in shares
        if net.size_of(of_kind(model, kind, share, batches, fitted=False)) == net.size_of(found)
    )
    return of_kind(model, kind, share, batches, fitted=True), None


TEXT = """\
# Accuracy at equal parameters

A network with five 3x3 convolutions and {params:,} parameters is trained on the digits that scikit-learn ships, at
random places of 12x12 pixels with noise, for {epochs} epochs; it classifies {dense:.1f} % of the test images correctly
({seeds}).
`convlint suggest --target-params N --weights dense.pt --data data.py:loader --recalibrate` chooses kinds, ranks and
pairs, fits the new weights to the outputs of the layers on 1,024 training images, and saves the checkpoint. The other
rows apply one method with one share to all layers.
Written by `python -m bench.accuracy --write`.

- *converted*: no training. *recalibrated*: only the statistics of the norms are estimated again, on the same 1,024
  images. *one epoch*: trained on 1,200 images once more.
- *nearest weights*: the decomposition of the weights alone, as without `--data`.
- Peers: Tucker-2 of tensorly, spatial SVD of the weights, and the magnitude pruner of Torch-Pruning, in the same run.

{verdict}

{tables}
"""


def page(scores: Scores, dense: Sequence[float], params: int) -> str:
    """The page with a table for each size."""
    tables = []
    better = []
    for size in sorted({size for size, _ in scores}, reverse=True):
        here = {name: found for (of, name), found in scores.items() if of == size}
        rows = [_row(name, found) for name, found in here.items()]
        columns = ("method", ">parameters", ">converted", ">recalibrated", ">one epoch")
        tables.append(f"## At most {size:,} parameters\n\n{table(columns, rows)}")
        best = max(PEERS, key=lambda name: _means(here[name])[1])
        better.append((size, _means(here[AUTOMATIC])[1], best, _means(here[best])[1]))
    said = "; ".join(
        f"at {size // 1000} k the automatic choice has {ours:.2f} % recalibrated, the best peer ({best}) {theirs:.2f} %"
        for size, ours, best, theirs in better
    )
    return TEXT.format(
        params=params,
        epochs=EPOCHS,
        dense=sum(dense) / len(dense),
        seeds=f"mean of {len(dense)} seeds, with the lowest and highest" if len(dense) > 1 else "one seed",
        verdict=textwrap.fill(f"{said[0].upper()}{said[1:]}.", 118),
        tables="\n\n".join(tables),
    )


def _means(found: Sequence[tuple[int, Score]]) -> Score:
    one, two, three = (sum(score[at] for _, score in found) / len(found) for at in range(3))
    return one, two, three


def _row(name: str, found: Sequence[tuple[int, Score]]) -> tuple[object, ...]:
    cells = []
    for at, mean in enumerate(_means(found)):
        values = [score[at] for _, score in found]
        spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
        cells.append(f"{mean:.1f}{spread}")
    return (name, f"{max(size for size, _ in found):,}", *cells)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    scores: Scores = {}
    found = [one_seed(seed, scores) for seed in range(options.seeds)]
    text = page(scores, [accuracy for accuracy, _ in found], found[0][1])
    print(text)
    if options.write:
        sections.record(PAGE, text)


if __name__ == "__main__":
    main()
