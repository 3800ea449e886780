"""Run convlint on every model of torchvision and timm: ``python -m bench.zoo [--reduced] [--write] [NAME ...]``.

Each model runs in a child process with a time limit. Results are saved in ``bench/results/zoo.jsonl`` continuously,
and a second start continues after the last. ``--write`` writes the table in docs/. Construction times are measured
for the chosen models.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from bench import children, sections
from bench.corpus import versions
from bench.markdown import table
from bench.zoo_check import Result, check
from bench.zoo_models import LARGEST_REAL, Entry, all_entries, entries

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results" / "zoo.jsonl"
TABLE = ROOT / "docs" / "zoo.md"
TIMEOUT = 600.0


def reduced() -> list[Entry]:
    """Return the small models, for the tests: the first below 4 million parameters of every family."""
    small = [entry for entry in entries() if entry.params < 4_000_000]
    first: dict[str, Entry] = {}
    for entry in small:
        first.setdefault(family(entry), entry)
    return list(first.values())


def family(entry: Entry) -> str:
    """Return the common name of a model and its variants: up to the first digit or underscore."""
    library, name = entry.name.split("/")
    stem = name.removeprefix("test_")
    end = next((i for i, letter in enumerate(stem) if letter.isdigit() or letter == "_"), None)
    return f"{library}/{stem[:end]}"


def try_one(entry: Entry) -> Result | str:
    """Return the result for a model, or the reason for its absence."""
    try:
        row = children.call(check, entry, _repeats(entry), timeout=TIMEOUT)
    except children.ChildFailedError as error:
        return str(error).strip()
    return as_result(row)


@functools.cache
def _chosen() -> frozenset[str]:
    return frozenset(entry.name for entry in entries())


def _repeats(entry: Entry) -> int:
    """Return how often to time the construction of a model."""
    return 0 if entry.name not in _chosen() else 3 if entry.params < 30e6 else 1


def as_result(row: dict[str, Any]) -> Result:
    """Return a result from its JSON form, in which tuples are lists."""
    frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Result(**frozen)


def sweep(wanted: list[Entry], workers: int) -> Iterator[tuple[str, Result | str]]:
    """Yield names and results of all models, starting with results of earlier runs."""
    known = stored()
    yield from ((e.name, known[e.name]) for e in wanted if isinstance(known.get(e.name), Result))
    rest = [e for e in wanted if not isinstance(known.get(e.name), Result)]
    RESULTS.parent.mkdir(exist_ok=True)
    with ThreadPoolExecutor(workers) as pool, RESULTS.open("a", encoding="utf-8") as file:
        waiting = {pool.submit(try_one, entry): entry.name for entry in rest}
        for done in as_completed(waiting):
            name, result = waiting[done], done.result()
            row = {"name": name, "failed": result} if isinstance(result, str) else vars(result)
            file.write(json.dumps(row) + "\n")
            file.flush()
            yield name, result


def stored() -> dict[str, Result | str]:
    """Return the latest result of every model."""
    if not RESULTS.exists():
        return {}
    rows = map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())
    return {row["name"]: row["failed"] if "failed" in row else as_result(row) for row in rows}


PAGE = """# Model zoo

Every model of torchvision and timm, built without pretrained weights and run at the input size that it was trained
with. Written by `python -m bench.zoo --write`, {versions}.
Every figure is compared with PyTorch: `sum(p.numel())`, `FlopCounterMode` over the convolutions,
the convolutions that reach the dispatcher, and the call expressions of the parsed source. It is also compared with
fvcore, where fvcore can trace the model. (fvcore omits convolutions whose padding is a string, such as
`padding="same"`.) A model with more than {largest} parameters is built on the meta device.

Each process has one thread, with two processes at a time on two cores; memory is the peak memory of a process,
including both libraries and the counters of PyTorch and fvcore.

{totals}

Findings by rule:

{findings}

{models}
"""


def page(results: dict[str, Result | str]) -> str:
    """Return the page for docs/."""
    good = [result for result in results.values() if isinstance(result, Result)]
    built = [r.build_s for r in good if r.device == "cpu" and r.build_s]
    traced = [r for r in good if r.fvcore is not None]
    status = Counter("not run" if isinstance(r, str) else r.status for r in results.values())
    sites, carried = ([times[way] / times[0] for times in built] for way in (1, 2))
    totals = {
        "models": len(results),
        "on the meta device": sum(r.device == "meta" for r in good),
        "run completes": status["complete"],
        "run ends early": status["partial"],
        "does not run": status["failed"] + status["not run"],
        "parameters agree": _agree(good, "params"),
        "multiply-accumulates of the convolutions agree": _agree(good, "macs"),
        "multiply-accumulates agree with fvcore": f"{sum(r.fvcore == r.macs[0] for r in traced)} of {len(traced)}",
        "numbers of convolution calls agree": _agree(good, "convs"),
        "convolution calls": f"{sum(r.convs[1] for r in good):,}",
        "models with an error finding": sum(bool(r.errors) for r in good),
        "Conv2d instances": f"{sum(r.sites[1] for r in good):,}",
        "Conv2d instances at the exact span of their call": f"{sum(r.sites[0] for r in good):,}",
        "recorded forwards, total (minutes)": f"{sum(r.seconds for r in good) / 60:.1f}",
        "longest recorded forward (seconds)": f"{max(r.seconds for r in good):.1f}",
        "peak memory of a process, MB (median)": f"{statistics.median(r.memory for r in good) / 2**20:,.0f}",
        "peak memory of a process, MB (maximum)": f"{max(r.memory for r in good) / 2**20:,.0f}",
        "construction with sites recorded, relative to without (median)": f"{statistics.median(sites):.2f}",
        "the same with recorded expressions (median)": f"{statistics.median(carried):.2f}",
    }
    columns = ("model", ">params", ">conv MACs", ">conv calls", ">sites", "findings", "remarks")
    rows = [_row(name, result) for name, result in sorted(results.items())]
    codes = Counter(code for result in good for code in result.findings)
    models = Counter(code for result in good for code in set(result.findings))
    found = [(code, codes[code], models[code]) for code in sorted(codes)]
    return PAGE.format(
        versions=versions(),
        largest=f"{LARGEST_REAL:,}",
        findings=table(("rule", ">findings", ">models"), found),
        totals=table(("measurement", ">value"), totals.items()),
        models=table(columns, rows),
    )


def _row(name: str, result: Result | str) -> tuple[object, ...]:
    if isinstance(result, str):
        return (name, "", "", "", "", "", result.splitlines()[-1])
    codes = [f"{code} x{count}" for code, count in Counter(result.findings).items()]
    sizes = (f"{result.params[0]:,}", f"{result.macs[0]:,}", result.convs[0], result.lines)
    return (name, *sizes, ", ".join(codes), result.remarks)


def _agree(good: list[Result], what: str) -> str:
    return f"{sum(getattr(r, what)[0] == getattr(r, what)[1] for r in good)} of {len(good)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", help="models to try, by default all")
    parser.add_argument("--reduced", action="store_true", help="the small models only")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.fresh:
        RESULTS.unlink(missing_ok=True)
    wanted = reduced() if options.reduced else all_entries()
    wanted = [e for e in wanted if not options.names or e.name in options.names]
    results = {}
    for name, result in sweep(wanted, options.workers):
        results[name] = result
        told = result if isinstance(result, str) else result.wrong
        print(f"{len(results):3}/{len(wanted)} {name}: {told or 'ok'}", flush=True)
    if options.write:
        sections.record(TABLE, page(results))


if __name__ == "__main__":
    main()
