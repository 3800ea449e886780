"""Time whole commands, compared with their lower limit and an earlier revision: ``python -m bench.against [REV]
[--write]``.

The limit of a command is the work that no such command can avoid: starting Python, parsing the files, importing torch
and running the model once. The working tree and the revision take turns, and the shortest time of each counts.
"""

from __future__ import annotations

import argparse
import compileall
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import sections
from bench.corpus import PARTS, copied
from bench.markdown import table

ROOT = Path(__file__).parent.parent
GIT = shutil.which("git") or "git"
PAGE = ROOT / "docs" / "performance.md"
REVISION = "71d8a1f"
"""Default revision to compare with."""
RESNET = ("bench/resnet50.py:ResNet50", "--input", "3,224,224")
ONE_LAYER = ("bench/one_layer.py:OneLayer", "--input", "3,32,32")
BARE = (
    "import sys, torch; sys.path.insert(0, 'bench'); import {file}; "
    "m = {file}.{name}().eval(); torch.no_grad().__enter__(); m(torch.zeros(1, {size}))"
)
PARSE = "import ast, sys\nfor file in sys.argv[1:]: ast.parse(open(file, 'rb').read())"


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments of a convlint command, and Python code (with its arguments) that does the unavoidable work."""

    command: tuple[str, ...]
    limit: tuple[str, ...]
    what: str  # the unavoidable work, in words


def cases(corpus: Path) -> dict[str, Case]:
    """Return the commands by name. ``corpus`` contains the model files of torchvision and timm."""
    folders = [corpus / part for part in PARTS]
    files = [str(file) for folder in folders for file in sorted(folder.rglob("*.py"))]
    one_file = "bench/hundred_lines.py"
    return {
        "convlint --version": Case(("--version",), ("pass",), "`python -c pass`"),
        "check, a file of 100 lines": Case(
            ("check", one_file, "--no-cache", "--isolated"), (PARSE, one_file), "`ast.parse`"
        ),
        f"check, {len(files)} files": Case(
            ("check", *map(str, folders), "--no-cache", "--isolated", "--quiet"), (PARSE, *files), "`ast.parse`"
        ),
        "check, a model of one layer": Case(("check", *ONE_LAYER), (_bare(ONE_LAYER),), _RUN),
        "check, ResNet-50": Case(("check", *RESNET), (_bare(RESNET),), _RUN),
        "suggest, ResNet-50": Case(("suggest", *RESNET), (_bare(RESNET),), _RUN),
    }


_RUN = "import torch, build, and one bare forward"


def _bare(asked: tuple[str, ...]) -> str:
    """Return code that builds a model and runs it once, from the arguments of a check."""
    path, name = asked[0].split(":")
    return BARE.format(file=Path(path).stem, name=name, size=asked[-1])


def seconds(command: list[str], tree: Path) -> float:
    """Return the seconds of a whole process that imports convlint from ``tree``."""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if "Traceback" in done.stderr or done.returncode > 2:
        raise RuntimeError(f"{command[:6]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def measured(found: Mapping[str, Case], trees: Mapping[str, Path], rounds: int) -> dict[str, dict[str, float]]:
    """Return the shortest seconds of each case in each tree, and of its limit, after a warm-up round."""
    best: dict[str, dict[str, float]] = {name: {} for name in found}
    for number in range(rounds + 1):
        for name, case in found.items():
            commands = {
                tree: ([sys.executable, "-P", "-m", "convlint", *case.command], path) for tree, path in trees.items()
            }
            commands["limit"] = ([sys.executable, "-c", *case.limit], ROOT)
            for which, (command, path) in commands.items():
                took = seconds(command, path)
                if number:
                    best[name][which] = min(best[name].get(which, took), took)
    return best


def page(revision: str, rounds: int) -> str:
    """Return the section of the page."""
    with tempfile.TemporaryDirectory() as scratch:
        before, corpus = Path(scratch, "before"), Path(scratch, "corpus")
        before.mkdir()
        archive = subprocess.run([GIT, "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(before, filter="data")
        copied(corpus)
        found = cases(corpus)
        for tree in (before, ROOT):  # compiled, as after an installation
            compileall.compile_dir(tree / "convlint", quiet=1)
        times = measured(found, {"before": before, "now": ROOT}, rounds)
    rows = [
        (
            name,
            f"{times[name]['now']:.3f}",
            f"{times[name]['before'] / times[name]['limit']:.1f}",
            f"{times[name]['now'] / times[name]['limit']:.1f}",
            f"{times[name]['limit']:.3f}",
            case.what,
        )
        for name, case in found.items()
    ]
    columns = ("command", ">seconds", ">relative to the limit, before", ">now", ">limit", "work")
    return f"""## Compared with the lower limit

Written by `python -m bench.against {revision} --write`. Whole processes, the shortest of {rounds} rounds in which they
take turns. *Before* is revision {revision}. The limit is the work that no command of this kind can avoid.

{table(columns, rows)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.against", description=__doc__)
    parser.add_argument("revision", nargs="?", default=REVISION)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    asked = parser.parse_args()
    text = page(asked.revision, asked.rounds)
    print(text)
    if asked.write:
        sections.record(PAGE, text, "against")


if __name__ == "__main__":
    main()
