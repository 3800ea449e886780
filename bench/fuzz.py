"""Fuzz the parsers of convlint: ``python -m bench.fuzz --seconds 3600``.

Each entry point of ``bench/fuzz_doors.py`` gets texts similar to its examples for its share of the time, in a
separate process that ends at the first crash. With atheris installed, the texts are guided by coverage; otherwise
they are random. Counts are written to ``--results`` continuously.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

SLOW = 5.0  # time limit per text, in seconds


class Counted:
    """Passes texts to an entry point, counts the results, and saves the counts in a file."""

    def __init__(self, name: str, results: Path) -> None:
        from bench.fuzz_doors import DOORS, enter, near

        self.near = near
        self.door = DOORS[name]
        self._enter = enter
        self._name = name
        self._results = results
        self._counts: Counter[str] = Counter()
        self._slowest = 0.0

    def __call__(self, data: bytes) -> None:
        began = time.process_time()
        try:
            became = self._enter(self.door, data)
        except BaseException:
            self._counts["failed"] += 1
            self.save(failed=data, why=traceback.format_exc(limit=-6))
            raise
        seconds = time.process_time() - began
        self._slowest = max(self._slowest, seconds)
        self._counts[became] += 1
        if seconds > SLOW:
            self.save(failed=data, why=f"{seconds:.1f} s")
            raise AssertionError(f"took {seconds:.1f} s")
        if self._counts.total() % 200 == 0:
            self.save()

    def save(self, **more: Any) -> None:
        row = {"door": self._name, "texts": self._counts.total(), **self._counts}
        row |= {"slowest": round(self._slowest, 3), **{k: repr(v) for k, v in more.items()}}
        self._results.write_text(json.dumps(row) + "\n", encoding="utf-8")


def fuzz(name: str, seconds: float, results: Path) -> None:
    """Fuzz one entry point in this process. Does not return if atheris runs it."""
    if find_spec("atheris") is None:
        counted = Counted(name, results)
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            counted(counted.near(Random(number), counted.door.examples))
            number += 1
        counted.save()
        return
    import atheris

    with atheris.instrument_imports(include=["convlint"]):
        counted = Counted(name, results)
    with tempfile.TemporaryDirectory() as corpus:
        for number in range(200):
            examples = counted.door.examples
            text = examples[number] if number < len(examples) else counted.near(Random(number), examples)
            (Path(corpus) / str(number)).write_bytes(text)
        arguments = [f"-max_total_time={seconds:.0f}", "-max_len=20000", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], f"-artifact_prefix={results}.", *arguments, corpus], counted)
        atheris.Fuzz()


def main() -> int:
    """Fuzz all entry points one after the other, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of all doors together")
    parser.add_argument("--only", help="one door")
    parser.add_argument("--results", type=Path, default=Path("build/fuzz"), help="a folder")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        fuzz(given.only, given.seconds, given.results)
        return 0
    from bench.fuzz_doors import DOORS

    names = [given.only] if given.only else list(DOORS)
    given.results.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in names:
        results = given.results.absolute() / f"{name}.json"
        results.unlink(missing_ok=True)
        share = given.seconds / len(names)
        command = [sys.executable, "-m", "bench.fuzz", "--here", "--only", name]
        command += ["--seconds", str(share), "--results", str(results)]
        with open(results.with_suffix(".log"), "wb") as log:
            done = subprocess.run(command, stdout=log, stderr=log, check=False)
        row = json.loads(results.read_text("utf-8")) if results.exists() else {"door": name}
        bad = bool(done.returncode) or "failed" in row or not row.get("texts")
        failed += bad
        print(json.dumps(row), f"(exit code {done.returncode})" if bad else "", flush=True)
    print(f"{len(names)} doors, {failed} with a text that was not met; see {given.results}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
