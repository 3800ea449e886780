"""Compare convlint with other tools on the same cases: ``python -m bench.peers [--write]``.

This creates an environment with all tools (``bench.peers_env``) and runs each as its documentation says: the counts
of the counting tools (``bench.peers_tools``), the findings of the linters (``bench.peers_linters``), and run times
(``bench.peers_time``). ``--no-times`` omits the run times, for a machine that is busy.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from bench import peers_linters, peers_time, sections
from bench.markdown import table
from bench.peers_env import ROOT, Environment, made, torchvision_pin

PAGE = ROOT / "docs" / "comparison.md"
COUNTING = (*("convlint", "torchinfo", "fvcore", "ptflops", "ptflops, aten", "thop", "calflops"), "torchsummary")
LINTING = ("torch-audit", "TorchFix", "torchshapeflow")
PACKAGES = (*(tool for tool in COUNTING if "," not in tool), *LINTING)

FIGURES = """Written by `python -m bench.peers --write`: each tool in the release pinned in `bench/peers.txt`, in one
environment with torch {torch} and Python {python}.

## Counts

On models of one or two layers (`bench/peers_cases.py`), with inputs of 1x8x32x32.

### Multiply-accumulates

The reference is PyTorch's own counter, halved because it counts two operations per multiply-accumulate. Attention
runs as separate matrix products there, because the counter does not count the fused CPU kernel. Figures that
differ from the reference are bold. {with_bias} count a bias as one more operation per output, so none
of these models has a bias. torchsummary does not count operations.

{macs}

### Parameters

{params}

### A broken model

A norm for 8 channels receives 16, and a later convolution for 8 channels receives 4. The third column has the results
for six more models: bad examples of rules that can be built but fail when they run.

{broken}

### A working model

The model is in training mode, except for one norm that was set to eval mode on purpose.

{frozen}

## Findings

### Planted bugs

The first bad example of each rule (`convlint/rules/examples`) and [GDConv](../fixtures/gdconv.py). They were written
for convlint's own rules, so it is expected to find them all. *convlint, static* is
`convlint check FILE`, *convlint, run* is `convlint check FILE:Net`. *PyTorch* is the line
of the file in the traceback of one forward. torch-audit runs one training step with all its rules; it reports
layers instead of lines, and ends at the first error that PyTorch raises. TorchShapeFlow gets the input of each model as
an annotation, TorchFix runs with all its rules. `line N` is a line other than the one with the mistake.

{planted}

### Other bugs

{others}

### Working models

The models of torchvision {torchvision} work: an error here is a false alarm.

{working}

## Requirements

{needs}
"""

TIMES = """## Run time and memory

Written by `python -m bench.peers --write`; all times are ratios within one run.

### The whole command

Whole processes including the start of Python; the shortest of {rounds} rounds. The bare script imports torch, builds
the model and runs it once at batch 1. Each tool does the same and prints its table or its findings, except that the
command of torch-audit does not run the model. Memory is that of the process and its children, with shared memory
counted once.

{processes}

### One forward

In one process, relative to a bare forward without gradients. For convlint it is the recording including its graph.

{forward}

torch-audit analyzes a training step, here at batch 8; relative to that step without torch-audit:

{step}

### Checking files

The source files of all torchvision models, in processor time, with one process per tool.

{reading}
"""


# --- counts


def of_counted(truth: Mapping[str, Any], said: Mapping[str, Mapping[str, Any]], figure: str) -> str:
    """Return each tool's ``macs`` or ``params``, with the ratio to the reference if it differs."""
    tools = [tool for tool in said if figure == "params" or tool != "torchsummary"]
    rows = [
        [case, f"{true[figure]:,}", *(one_figure(said[tool][case], true[figure], figure) for tool in tools)]
        for case, true in truth.items()
    ]
    return table(["model", ">PyTorch", *(f">{tool}" for tool in tools)], rows)


def one_figure(said: Mapping[str, Any], true: int, figure: str) -> str:
    """Return a cell: the figure, bold if it differs from the reference, or the error."""
    if "error" in said:
        return f"**{said['error'].partition(':')[0]}**"
    value = said[figure]
    if value == true:
        return f"{value:,}"
    return f"**{value:,}** ({value / true:.2g} times)" if value else "**0**"


def of_broken(tools: Mapping[str, Any]) -> str:
    """Return each tool's output for models that fail, and the changes it leaves on one."""
    rows = [
        [tool, one["broken"], _counts(one["fixtures"].values()), one["left on broken"]] for tool, one in tools.items()
    ]
    return table(["tool", "output", "of the six", "changes left on the model"], rows)


def _counts(answers: Collection[str]) -> str:
    answers = list(answers)
    return ", ".join(f"{one}: {answers.count(one)}" for one in sorted(set(answers)))


def of_needs(place: Environment) -> str:
    """Return the release, Python version and requirements of each package, except torch."""
    found = place.answer("bench.peers_needs", *PACKAGES)
    own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found["convlint"] |= {"requires": own["dependencies"]}
    rows = []
    for package, one in found.items():
        wanted = [Requirement(text) for text in one["requires"]]
        names = {w.name for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})}
        needed = ", ".join(sorted(names - {"torch"})) or "nothing"
        if package == "calflops":
            needed += ", and transformers, which it does not declare"
        rows.append([package, one["version"], one["python"] or "any", needed])
    return table(["package", "version", "Python", "requirements other than torch"], rows)


# --- the page


def figures(place: Environment) -> str:
    """Return the section that is the same on every machine."""
    truth = place.answer("bench.peers_tools", "PyTorch")
    tools = {tool: place.answer("bench.peers_tools", tool) for tool in COUNTING}
    said = {tool: one["counted"] for tool, one in tools.items()}
    audit = place.answer("bench.peers_audit", "fixtures")
    zoo = place.answer("bench.peers_audit", "zoo", path=[place.torchvision])
    with_bias = [tool for tool, one in tools.items() if one["bias"] and "," not in tool]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        planted = peers_linters.of_planted(peers_linters.of_fixtures(place, Path(folder)), audit)
        others = peers_linters.of_others(place, Path(other), audit)
    text = peers_linters.in_text(place, place.torchvision / "torchvision" / "models")
    return FIGURES.format(
        torch=truth["torch"],
        python=truth["python"],
        with_bias=" and ".join(with_bias),
        macs=of_counted(truth["counted"], said, "macs"),
        params=of_counted(truth["counted"], said, "params"),
        broken=of_broken(tools),
        frozen=table(["tool", "changes left on the model"], [[tool, one["frozen"]] for tool, one in tools.items()]),
        planted=planted,
        others=others,
        torchvision=torchvision_pin().partition("==")[2],
        working=peers_linters.of_working(text, zoo),
        needs=of_needs(place),
    )


def main() -> None:
    """Compare, and print or write the sections of the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--fresh", action="store_true", help="make the environment anew")
    parser.add_argument("--no-times", action="store_true", help="leave out what it takes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each time (5)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    try:
        place = made(fresh=options.fresh)
    except subprocess.CalledProcessError as error:  # pip has printed the reason
        parser.exit(2, f"{parser.prog}: could not install: {' '.join(map(str, error.cmd))}\n")
    parts = {"comparison": figures(place)}
    if not options.no_times:
        times = peers_time.measured(place, options.rounds)
        parts["comparison-times"] = TIMES.format(rounds=options.rounds, **times)
    for name, text in parts.items():
        if options.write:
            sections.record(PAGE, text, name)
        else:
            print(text)


if __name__ == "__main__":
    main()
