"""Rewrite the layers of real models: ``python -m bench.suggest [--write] [--only NAME]``.

Each model is in a project of its own, as user code. Every diff of ``convlint suggest`` is applied with git, and the
model is run again from the new source: the savings must be as stated, both as measured by convlint and as counted by
PyTorch alone (``bench/applied.py``). Results are saved in ``bench/results/suggest.jsonl`` continuously, and a second
start continues after the last.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from bench import applied, sections
from bench.suggest_families import FAMILIES, Family
from bench.suggest_score import Result, diffs_of, score, section
from bench.vendored import vendored
from tests.runtime.net_list import FOLDER as NETS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "suggest.md"
RESULTS = ROOT / "bench" / "results" / "suggest.jsonl"
TIMEOUT = 3600.0  # seconds for all suggestions of one model


def project(family: Family, folder: Path) -> None:
    """Write the project of a family into the empty ``folder``, as a git repository."""
    file = Path(family.file)
    if family.package != "nets":
        vendored(folder, family.package)
    elif len(file.parts) > 1:
        part = file.parts[0]
        shutil.copytree(NETS / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(NETS / file, folder)
    applied.start(folder)


def convlint(command: str, family: Family, folder: Path) -> dict[str, Any]:
    """Return the JSON output of a command for a family's model. Raises RuntimeError if the command fails."""
    inputs = [word for shape in family.inputs for word in ("--input", ",".join(map(str, shape)))]
    words = [command, family.target, *inputs, "--output-format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "convlint", *words],
        cwd=folder,
        env={**os.environ, **applied.ENVIRONMENT},
        check=False,
        capture_output=True,
        timeout=TIMEOUT,
    )
    said = done.stderr.decode(errors="replace").strip()
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"{command}: exit code {done.returncode}: {said[-2000:]}") from None
    if answer["problems"]:
        raise RuntimeError(f"{command}: {answer['problems']}")
    return answer


def try_one(family: Family) -> Result | str:
    """Return the result for a family, or the reason for its absence."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "project")
        folder.mkdir()
        try:
            project(family, folder)
            checked = convlint("check", family, folder)
            start = time.monotonic()
            suggested = convlint("suggest", family, folder)
            seconds = time.monotonic() - start
            diffs = diffs_of(suggested)
            runs = applied.measured(folder, family.target, family.inputs, diffs)
        except (RuntimeError, subprocess.SubprocessError) as error:
            return str(error)
    if "failed" in runs[0]:
        return f"the model as it is: {runs[0]['failed']}"
    return score(family.name, family.path, checked, suggested, runs, seconds)


def sweep(wanted: Sequence[Family], workers: int) -> Iterator[tuple[str, Result | str]]:
    """Yield names and results of all families, starting with results of earlier runs."""
    known = stored()
    yield from ((f.name, known[f.name]) for f in wanted if f.name in known)
    rest = [family for family in wanted if family.name not in known]
    RESULTS.parent.mkdir(exist_ok=True)
    with ThreadPoolExecutor(workers) as pool, RESULTS.open("a", encoding="utf-8") as file:
        waiting = {pool.submit(try_one, family): family.name for family in rest}
        for done in as_completed(waiting):
            result = done.result()
            if isinstance(result, Result):
                file.write(json.dumps(result.as_dict()) + "\n")
                file.flush()
            yield waiting[done], result


def stored() -> dict[str, Result]:
    """Return the results of earlier runs."""
    if not RESULTS.exists():
        return {}
    rows = map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())
    return {row["name"]: Result.from_dict(row) for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.suggest", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this one; repeatable")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("-j", "--workers", type=int, default=2)
    options = parser.parse_args()
    if options.fresh:
        RESULTS.unlink(missing_ok=True)
    wanted = [f for f in FAMILIES if not options.only or f.name in options.only]
    results: dict[str, Result | str] = {}
    for name, result in sweep(wanted, options.workers):
        results[name] = result
        print(f"{len(results):3}/{len(wanted)} {name}: {result}", flush=True)
        for failure in () if isinstance(result, str) else result.failures:
            print("  ", failure, flush=True)
    text = section({f.name: results[f.name] for f in wanted})
    print(text)
    if options.write:
        sections.record(PAGE, text, "sweep")


if __name__ == "__main__":
    main()
