"""Compare the time of ``convlint suggest`` and ``convlint check``: ``python -m bench.suggest_time [--write]``.

Whole commands on ResNet-50 at 224, in turns; every suggestion is verified.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench import sections
from bench.markdown import table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
MODEL = ("bench/resnet50.py:ResNet50", "--input", "3,224,224")
COMMANDS = {
    "convlint check": ("check", *MODEL),
    "convlint suggest, everything": ("suggest", *MODEL),
    "convlint suggest --kind depthwise-separable": (*("suggest", *MODEL), *("--kind", "depthwise-separable")),
}


def seconds(command: tuple[str, ...]) -> float:
    """Return the seconds of one whole process."""
    start = time.perf_counter()
    whole = [sys.executable, "-m", "convlint", *command]
    done = subprocess.run(whole, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    assert done.returncode < 2, "it could not be run"
    return time.perf_counter() - start


def suggested() -> tuple[int, int]:
    """Return the numbers of suggestions and of their layers."""
    command = [sys.executable, "-m", "convlint", "suggest", *MODEL, "--output-format", "json"]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found = json.loads(run.stdout)["suggestions"]
    return len(found), len({name for one in found for name in one["instances"]})


def page(rounds: int) -> str:
    """Return the section of the page."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    first = median(times["convlint check"])
    count, layers = suggested()
    rows = [[name, f"{median(found):.2f}", f"{median(found) / first:.1f}"] for name, found in times.items()]
    return "\n".join(
        [
            "## Suggestions",
            "",
            "Written by `python -m bench.suggest_time --write`. Whole processes on ResNet-50 at 224, medians of",
            f"{rounds} rounds in which the commands take turns. {count} suggestions for {layers} layers were verified:",
            "each rewritten model was built, run and trained for one step.",
            "",
            table(["command", ">seconds", ">relative to check"], rows),
        ]
    )


def main() -> None:
    """Measure, and print or write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    text = page(asked.rounds)
    if asked.write:
        sections.record(PAGE, text, "suggest-time")
    else:
        print(text)


if __name__ == "__main__":
    main()
