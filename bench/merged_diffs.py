"""Judge the diffs of ``convlint suggest`` as a reviewer would: ``python -m bench.merged_diffs [--write]``.

Every model of the tests, each in a project of its own: the proposed diff is applied with git, and the model is counted
from the new source by torchinfo and fvcore. Export, tracing, scripting, quantization and training are tried by convlint
itself, before and after.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import applied, sections
from bench.markdown import table
from bench.suggest import convlint, project
from bench.suggest_families import FAMILIES, Family

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "suggest.md"


@dataclass(frozen=True)
class Row:
    """The diff of one model. ``added`` are lines of the diff beyond those that replace a changed line.

    ``ratio`` is the processor time of ``suggest`` divided by that of ``check``; ``others`` whether torchinfo and fvcore
    count the same parameters and multiply-accumulates as convlint, each where it does so for the original.
    """

    name: str
    eligible: int
    rewritten: int
    added: int
    works: int
    broken: tuple[str, ...]
    others: bool
    ratio: float


def judged(family: Family) -> Row:
    """Run ``suggest`` on one model, apply the diff and count the result."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "project")
        folder.mkdir()
        project(family, folder)
        start = _processor_time()
        convlint("check", family, folder)
        checked = _processor_time()
        report = convlint("suggest", family, folder)
        ratio = (_processor_time() - checked) / (checked - start)
        (before,) = applied.measured(folder, family.target, family.inputs, ())
        chosen = {name for one in report["suggestions"] if one["chosen"] for name in one["instances"]}
        rewritten = report["rewritten"]
        original = _counted(folder, family)
        applied.git(folder, "apply", "-", stdin=rewritten["diff"].encode())
        counts = _counted(folder, family)
    ours, now = ([rewritten[side]["params"], rewritten[side]["macs"]] for side in ("before", "after"))
    broken = tuple(one["message"] for one in rewritten["consequences"] if one["kind"] == "breaks")
    eligible = set(before["dense"])
    return Row(
        family.name,
        len(eligible),
        len(eligible & chosen),
        _added(rewritten["diff"]),
        len(rewritten["works"]),
        broken,
        all(counts[tool] == now for tool, found in original.items() if found == ours),
        ratio,
    )


def _processor_time() -> float:
    """The seconds of all processes that have ended, which other programs on the machine do not change."""
    times = os.times()
    return times.children_user + times.children_system


def _added(diff: str) -> int:
    lines = diff.splitlines()
    plus = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    minus = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    return plus - minus


def _counted(folder: Path, family: Family) -> dict[str, list[int]]:
    """The counts of torchinfo and fvcore in a process of their own."""
    asked = json.dumps({"folder": str(folder), "target": family.target, "inputs": family.inputs})
    command = [sys.executable, "-m", "bench.merged_diffs", "--count", asked]
    environment = {**os.environ, **applied.ENVIRONMENT}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True)
    found: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    return found


def count(folder: str, target: str, inputs: list[list[int]]) -> dict[str, list[int]]:
    """Parameters and multiply-accumulates of convolutions and linear layers, without biases, as both tools count."""
    import torch
    import torchinfo
    from fvcore.nn import FlopCountAnalysis, parameter_count
    from torch import nn

    os.chdir(folder)
    sys.path.insert(0, folder)
    file, _, call = target.partition(":")
    module = importlib.import_module(".".join(Path(file).with_suffix("").parts))
    words = ast.parse(call if "(" in call else f"{call}()", mode="eval").body
    assert isinstance(words, ast.Call)
    options = {str(word.arg): ast.literal_eval(word.value) for word in words.keywords}
    model: nn.Module = getattr(module, ast.unparse(words.func))(**options).eval()
    x = tuple(torch.rand(1, *shape) for shape in inputs)
    flops = FlopCountAnalysis(model, x)
    flops.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    fvcore = sum(flops.by_operator()[name] for name in ("conv", "linear", "addmm", "matmul", "bmm", "einsum"))
    # torchinfo counts the additions of biases too
    bias = 0

    def note(layer: Any, _: Any, out: torch.Tensor) -> None:
        nonlocal bias
        bias += out.numel() if layer.bias is not None else 0

    hooks = [
        m.register_forward_hook(note)
        for m in model.modules()
        if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear | nn.ConvTranspose2d)
    ]
    with torch.no_grad():
        model(*x)
    for hook in hooks:
        hook.remove()
    info = torchinfo.summary(model, input_data=list(x), verbose=0)
    norms = sum(
        m.num_params for m in info.summary_list if m.is_leaf_layer and not m.is_recursive and "Norm" in m.class_name
    )
    macs = info.total_mult_adds - bias - norms
    return {"torchinfo": [info.total_params, macs], "fvcore": [parameter_count(model)[""], int(fvcore)]}


def section(rows: list[Row]) -> str:
    """Return the section of the page."""
    eligible, rewritten = sum(row.eligible for row in rows), sum(row.rewritten for row in rows)
    cells = [
        [
            row.name,
            f"{row.rewritten} of {row.eligible}",
            str(row.added),
            str(row.works),
            "; ".join(row.broken) or "-",
            "yes" if row.others else "no",
            f"{row.ratio:.1f}",
        ]
        for row in rows
    ]
    head = ["model", "layers", "lines added", "work as before", "break", "counters agree", "time / check"]
    return "\n".join(
        [
            "## How large the diffs are, and what still works",
            "",
            "Written by `python -m bench.merged_diffs --write`:",
            f"{len(rows)} of the models of the tests, written as users write them.",
            f"{rewritten} of {eligible} eligible layers are rewritten. The diff adds",
            f"{median(r.added for r in rows):g} lines at the median, besides the lines that it changes.",
            "*Work as before* counts what was tried with the rewritten model: `torch.export`,",
            "`torch.fx.symbolic_trace`, `torch.jit.script`, `torch.jit.trace`,",
            "preparation for eager and FX quantization, and methods that fuse",
            "layers; what fails for the original too is not counted. *Counters agree*: torchinfo and fvcore count the",
            "same parameters and multiply-accumulates, if they do so for the original. `suggest` takes",
            f"{median(r.ratio for r in rows):.1f} times the processor time of `check` at the median.",
            "",
            table(head, cells),
        ]
    )


def results(wanted: list[Family]) -> Iterator[Row]:
    for family in wanted:
        try:
            row = judged(family)
        except Exception as error:  # noqa: BLE001 - one model that fails is a line of the output
            print(family.name, "failed:", error, flush=True)
            continue
        print(json.dumps(asdict(row)), flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.merged_diffs", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this one; repeatable")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--count", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        print(json.dumps(count(**json.loads(options.count))))
        return
    wanted = [f for f in FAMILIES if f.package == "nets" and (not options.only or f.name in options.only)]
    text = section(list(results(wanted)))
    print(text)
    if options.write:
        sections.record(PAGE, text, "diffs")


if __name__ == "__main__":
    main()
