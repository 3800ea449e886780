"""Measure the overhead of convlint as ratios within one run: ``python -m bench.overhead [--write]``.

It times recording compared with a bare forward, next to torchinfo, fvcore and ptflops, and construction with and
without recording, for many models in one process. The tools take turns in every round, and the shortest time of each
counts.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from bench import sections
from bench.markdown import table
from bench.zoo_models import Entry, build, entries, example
from convlint.runtime import code_sites
from convlint.runtime.build import construction_sites, symbolic_build
from convlint.runtime.record.record import record

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "performance.md"
MODELS = (
    *("alexnet", "convnext_tiny", "densenet121", "densenet161", "efficientnet_b0"),
    *("efficientnet_b3", "efficientnet_v2_s", "googlenet", "inception_v3", "mnasnet1_0"),
    *("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_800mf"),
    *("regnet_y_400mf", "regnet_y_3_2gf", "resnet18", "resnet50", "resnet101", "resnext50_32x4d"),
    *("shufflenet_v2_x1_0", "squeezenet1_0", "swin_t", "vgg11", "vgg16_bn", "vit_b_16"),
    "wide_resnet50_2",
)


def shortest(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the shortest time of each in seconds, after a warm-up round."""
    best = dict.fromkeys(contestants, float("inf"))
    for number in range(rounds + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            if number:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def within_a_run(job: Callable[[], object]) -> Callable[[], object]:
    """A job in the context that a command has, which reads the source of a model once."""

    def run() -> None:
        with code_sites.sites_of_run():
            job()

    return run


def recording(entry: Entry, rounds: int) -> dict[str, float]:
    """Time one forward: bare, recorded, and with each of the other tools."""
    from fvcore.nn import FlopCountAnalysis
    from ptflops import get_model_complexity_info
    from torchinfo import summary

    model = build(entry)
    (x,) = arguments = example(entry)

    def bare() -> None:
        with torch.no_grad():
            model(x)

    return shortest(
        {
            "bare": bare,
            "convlint": within_a_run(lambda: record(model, arguments)),
            "convlint, with its graph": within_a_run(lambda: record(model, arguments).graph()),
            "convlint, with an FX graph": within_a_run(lambda: record(model, arguments).fx_graph),
            "torchinfo": lambda: summary(model, input_data=x, verbose=0),
            "fvcore": lambda: FlopCountAnalysis(model, x).total(),
            "ptflops": lambda: get_model_complexity_info(
                model, entry.input, as_strings=False, print_per_layer_stat=False
            ),
        },
        rounds,
    )


def construction(entry: Entry, rounds: int) -> dict[str, float]:
    """Time building a model: bare, with recorded construction sites, and also with integers that carry their
    expressions, which is what a command does.
    """

    def recorded() -> None:
        with construction_sites.WatchedConstruction():
            build(entry)

    def symbolic() -> None:
        with construction_sites.WatchedConstruction(), symbolic_build.symbolic_arguments():
            build(entry)

    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: build(entry),
        "sites": recorded,
        "sites and expressions": symbolic,
    }
    return shortest(ways, rounds)


def ratios(times: dict[str, float]) -> dict[str, float]:
    """Return each time relative to the first, which is omitted."""
    first, *others = times
    return {name: times[name] / times[first] for name in others}


PAGE = """# Performance

Written by `python -m bench.overhead --write`. All figures are ratios within one run: the
tools take turns, and the shortest time of each counts.

[Comparison with other tools](comparison.md) has the times of whole commands.

## One forward

{count} models, batch 1, in one process; relative to a bare forward in eval mode without gradients.

{forward}

## Construction

Building a model while its construction sites are recorded, and additionally with integers that carry the
expressions they come from; relative to building it without convlint.

{built}
"""


def page(forward: dict[str, dict[str, float]], built: dict[str, dict[str, float]]) -> str:
    """Return the section of the page."""
    return PAGE.format(count=len(forward), forward=_ratio_table(forward), built=_ratio_table(built))


def _ratio_table(times: dict[str, dict[str, float]]) -> str:
    """Return one row per model, with the medians at the top."""
    over = {name: ratios(row) for name, row in times.items()}
    tools = list(next(iter(over.values())))
    medians = [statistics.median(row[tool] for row in over.values()) for tool in tools]
    rows = [
        (name, f"{times[name]['bare'] * 1000:.1f}", *(f"{row[tool]:.2f}" for tool in tools))
        for name, row in over.items()
    ]
    columns = ("model", ">bare ms", *(f">{tool}" for tool in tools))
    return table(columns, [("**median**", "", *(f"**{m:.2f}**" for m in medians)), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # fvcore warns of every operator that it does not count
    chosen = [e for e in entries() if e.name in {f"torchvision/{name}" for name in MODELS}]
    forward, built = {}, {}
    with contextlib.redirect_stdout(io.StringIO()):  # ptflops prints regardless of its options
        for entry in chosen:
            name = entry.name.split("/")[1]
            forward[name] = recording(entry, options.rounds)
            built[name] = construction(entry, options.rounds)
            print(name, ratios(forward[name]), ratios(built[name]), file=sys.stderr)
    text = page(forward, built)
    print(text)
    if options.write:
        sections.record(TABLE, text, "overhead")


if __name__ == "__main__":
    main()
