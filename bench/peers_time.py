"""Measure run time and memory of each tool: whole processes, one forward, and static checks of files."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from bench.markdown import table
from bench.peers_env import ROOT, Environment
from bench.source import PARSE, Spent, medians

MB = 2**20
FILES = {"ResNet-50": ("resnet50", "ResNet50", 224), "small net": ("peers_small", "SmallNet", 32)}
"""By network: its module in bench/, its class, and the height and width of its input."""

START = (
    "import sys, torch; sys.path.insert(0, {folder!r}); from {module} import {name}; "
    "m = {name}().eval(); x = torch.zeros(1, 3, {side}, {side}); "
)
USES = {
    "bare script": "torch.no_grad().__enter__(); m(x)",
    "torchinfo": "from torchinfo import summary; summary(m, input_data=x)",
    "fvcore": "import fvcore.nn as f; print(f.flop_count_table(f.FlopCountAnalysis(m, x)))",
    "ptflops": "from ptflops import get_model_complexity_info as g; g(m, tuple(x.shape[1:]))",
    "thop": "from thop import profile; print(profile(m, inputs=(x,)))",
    "calflops": "from calflops import calculate_flops as c; c(m, input_shape=tuple(x.shape))",
    "torchsummary": "from torchsummary import summary; summary(m, tuple(x.shape[1:]), device='cpu')",
}
"""Whole scripts: each loads torch, builds the model, runs it and prints a table."""


def commands(place: Environment, net: str) -> dict[str, list[str]]:
    """Return the commands for a network. The command of torch-audit does not run the model."""
    module, name, side = FILES[net]
    folder = str(ROOT / "bench")
    start = START.format(folder=folder, module=module, name=name, side=side)
    target = [f"{folder}/{module}.py:{name}", f"--input=3,{side},{side}"]
    scripts = {tool: [place.program("python"), "-c", start + use] for tool, use in USES.items()}
    return {
        "bare script": scripts.pop("bare script"),
        "`convlint summary`": [place.program("convlint"), "summary", *target],
        "`convlint check`": [place.program("convlint"), "check", "--isolated", *target],
        **scripts,
        "torch-audit": [place.program("torch-audit"), f"{module}:{name}"],
    }


def processes(place: Environment, net: str, rounds: int) -> dict[str, tuple[float, int]]:
    """Return the shortest time in seconds and the peak memory in bytes of each process."""
    chosen = commands(place, net)
    best = dict.fromkeys(chosen, float("inf"))
    peaks = {name: peak(place, command) for name, command in chosen.items()}  # loads all files
    for _ in range(rounds):
        for name, command in chosen.items():
            start = time.perf_counter()
            with _started(place, command) as process:
                process.wait()
            best[name] = min(best[name], time.perf_counter() - start)
            if process.returncode not in {0, 1}:
                raise RuntimeError(f"{command} ended with {process.returncode}")
    return {name: (best[name], peaks[name]) for name in chosen}


def _started(place: Environment, command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=place.folder,
        env=place.variables([ROOT / "bench"]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def peak(place: Environment, command: Sequence[str]) -> int:
    """Return the peak memory of a process and its children; shared memory counts once."""
    most = 0
    with _started(place, command) as process:
        while process.poll() is None:
            most = max(most, _proportional(process.pid))
            time.sleep(0.01)
    return most


def _proportional(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    held = 0
    for process in family:
        try:
            held += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has just ended
    return held


def reading(place: Environment, rounds: int) -> dict[str, Spent]:
    """Return the processor time (median) of the static linters for torchvision's models."""
    models = place.torchvision / "torchvision" / "models"
    files = sorted(str(file) for file in models.rglob("*.py"))
    ours = ["check", "--isolated", "--no-cache", "--jobs=1", str(models)]
    looks: Mapping[str, Sequence[str]] = {
        "`ast.parse`": [place.program("python"), "-c", PARSE, *files],
        "convlint": [place.program("convlint"), *ours],
        "TorchShapeFlow": [place.program("tsf"), "check", str(models)],
        "TorchFix": [place.program("torchfix"), "-j", "1", "--select", "ALL", str(models)],
    }
    return medians(looks, place.torchvision, rounds)


# --- the tables


def of_processes(times: Mapping[str, Mapping[str, tuple[float, int]]]) -> str:
    """Return one row per process: for each network the ratio to the bare script, and the memory."""
    columns = ["process"]
    for net in times:
        columns += [f">{net}, relative to the bare script", ">peak MB"]
    rows = []
    for name in next(iter(times.values())):
        row = [name]
        for of_net in times.values():
            seconds, held = of_net[name]
            bare = of_net["bare script"][0]
            share = f"{seconds:.2f} s" if name == "bare script" else f"{seconds / bare:.2f}"
            row += [share, f"{held / MB:.0f}"]
        rows.append(row)
    return table(columns, rows)


def of_forwards(times: Mapping[str, Mapping[str, float]]) -> str:
    """Return one row per tool: for each network the ratio to the bare forward."""
    rows = []
    for name in next(iter(times.values())):
        row = [name]
        for of_net in times.values():
            bare = of_net["bare"]
            row.append(f"{bare * 1000:.1f} ms" if name == "bare" else f"{of_net[name] / bare:.2f}")
        rows.append(row)
    return table(["tool", *(f">{net}" for net in times)], rows)


def of_reading(spent: Mapping[str, Spent]) -> str:
    """Return one row per linter, relative to Python's own parser."""
    parse = spent["`ast.parse`"].seconds
    return table(
        ["program", ">times `ast.parse`", ">peak MB"],
        [
            [name, f"{parse:.2f} s" if one.seconds == parse else f"{one.seconds / parse:.1f}", f"{one.peak / MB:.0f}"]
            for name, one in spent.items()
        ],
    )


def measured(place: Environment, rounds: int) -> dict[str, Any]:
    """Return all tables by name."""
    forwards = place.answer("bench.peers_forward", str(rounds))
    return {
        "processes": of_processes({net: processes(place, net, rounds) for net in FILES}),
        "forward": of_forwards(forwards["forward"]),
        "step": of_forwards(forwards["step"]),
        "reading": of_reading(reading(place, min(rounds, 3))),
    }
