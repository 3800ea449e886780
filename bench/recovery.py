"""Plant mistakes in published packages and score what convlint says: ``python -m bench.recovery [--write]``.

The files that a model needs are copied into a folder, so that they are the project's own, and one or two numbers are
changed in them. Only mistakes that make PyTorch refuse the model count; the judge of a repair is PyTorch as well, with
the copy after the repair. The mistakes depend on ``--seed`` and are kept in ``--cache``, with the answers of
each state of convlint's code: an interrupted program goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from bench import children, home_packages, planted, recovery_families, sections
from bench.home_packages import Family
from bench.planted import Mistake
from bench.recovery_scores import MODES, Answer, Case, Error, Score, score, section
from convlint.ir import Edit, Site
from convlint.source_text.edits import EditError, apply

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "recovery.md"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convlint" / "recovery"


def cases(family: Family, singles: int, pairs: int, seed: int, folder: Path) -> list[Case]:
    """Return cases with one and with two mistakes, each of which PyTorch refuses. The copy is made in ``folder``."""
    files = originals(family)
    random = Random(f"{family} {seed}")
    home_packages.write(folder, files)
    possible: list[Mistake] = children.call(planted.candidates, folder, family, seed)
    random.shuffle(possible)
    by_kind: dict[str, list[Mistake]] = {}
    for mistake in possible:
        by_kind.setdefault(mistake.kind, []).append(mistake)
    chosen: dict[Mistake, str] = {}
    tries = 5 * singles
    while any(by_kind.values()) and len(chosen) < singles and tries:
        for kind in [*by_kind]:
            if by_kind[kind] and len(chosen) < singles and tries:
                tries -= 1
                mistake = by_kind[kind].pop()
                error = tried(family, planted.planted(files, (mistake,)), folder)[0]
                now = planted.kind(mistake.kind, error)
                if now is not None:
                    chosen[Mistake(**{**asdict(mistake), "kind": now})] = error
    found = [Case(family, (mistake,)) for mistake in chosen]
    together = [pair for pair in combinations(chosen, 2) if _are_apart(*pair)]
    random.shuffle(together)
    for pair in together[: 4 * pairs]:
        if len(found) >= len(chosen) + pairs:
            break
        ordered = tuple(sorted(pair, key=lambda each: (each.path, each.line, each.start)))
        if tried(family, planted.planted(files, ordered), folder)[0] in [chosen[mistake] for mistake in pair]:
            found.append(Case(family, ordered))
    return found


def _are_apart(one: Mistake, other: Mistake) -> bool:
    """Two mistakes next to each other may be one: a convolution and its norm, both doubled."""
    return one.path != other.path or abs(one.call_line - other.call_line) > _APART


_APART = 5


def originals(family: Family) -> dict[str, str]:
    """Return the files that the model of a family needs."""
    return home_packages.sources(recovery_families.folder(family.package), family.module)


def tried(family: Family, files: dict[str, str], folder: Path) -> tuple[str, list[tuple[int, ...]]]:
    """Return PyTorch's error for a copy ("" if it runs), and the shapes of its parameters."""
    home_packages.write(folder, files)
    try:
        error, shapes = children.call(_run, folder, family)
    except children.ChildFailedError as failure:
        return str(failure), []
    return error, shapes


def _run(folder: Path, family: Family) -> tuple[str, list[tuple[int, ...]]]:
    try:
        return "", home_packages.built_and_run(home_packages.imported(folder, family), family)
    except Exception as error:  # noqa: BLE001 - that it fails is the question
        return f"{type(error).__name__}: {error}", []


_OTHER_CHANNELS = re.compile(r"expected input\[\d+, (\d+), .*\] to have (\d+) channels")
_OTHER_FEATURES = re.compile(r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")

_STRIDE = 32  # of most models as a whole


def runs_on_another_input(case: Case, folder: Path) -> bool:
    """Return whether PyTorch runs the model with one of the mistakes on an input of other channels, or another width:
    its text alone does not show that mistake.
    """
    for mistake in [mistake for mistake in case.mistakes if mistake.kind in ("channels", "linear")]:
        files = planted.planted(originals(case.family), (mistake,))
        error, _ = tried(case.family, files, folder)
        channels, *rest, width = case.family.input
        others: list[tuple[int, ...]] = []
        if (found := _OTHER_CHANNELS.search(error)) and int(found[1]) == channels:
            others = [(int(found[2]), *rest, width)]
        elif (found := _OTHER_FEATURES.search(error)) and int(found[2]) % int(found[1]) == 0:
            columns = int(found[2]) // int(found[1])  # of the last map, which may be pooled with a stride of 1
            others = [(channels, *rest, width * columns), (channels, *rest, width + _STRIDE * (columns - 1))]
        if any(not tried(replace(case.family, input=shape), files, folder)[0] for shape in others):
            return True
    return False


# --- answers


def answer(case: Case, mode: str, folder: Path) -> Answer:
    """Let convlint check a case, and PyTorch judge its repairs. The copy is made in ``folder``."""
    original = originals(case.family)
    files = planted.planted(original, case.mistakes)
    home_packages.write(folder, files)
    paths = list(dict.fromkeys([case.family.file, *(mistake.path for mistake in case.mistakes)]))
    found = Answer(*checked(folder, case.family, paths, mode))
    edits = [edit for error in found.errors for edit in error.edits]
    if edits and all(error.edits for error in found.errors):
        try:
            repaired = _edited(files, edits)
        except EditError as error:
            found.runs, found.after = False, str(error)
            return found
        found.after, shapes = tried(case.family, repaired, folder)
        found.runs = not found.after
        found.restores = found.runs and shapes == tried(case.family, original, folder)[1]
    return found


def _answer_as_json(case: Case, mode: str, folder: Path) -> dict[str, Any]:
    return asdict(answer(case, mode, folder))


def checked(folder: Path, family: Family, paths: list[str], mode: str) -> tuple[list[Error], float]:
    """Return the errors for the copy in ``folder``, and the seconds that the command took."""
    target = [f"{family.file}:{family.call}", "--input", ",".join(map(str, family.input))]
    command = ["check", *(paths if mode == "static" else target), "--no-cache", "--output-format", "json"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "convlint", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    report = json.loads(done.stdout)
    errors = [_error(finding) for finding in report["findings"] if finding["severity"] == "error"]
    if not errors and report["problems"]:
        print(f"{family}: {report['problems'][0]['message']}", flush=True)
    return errors, seconds


def _error(finding: dict[str, Any]) -> Error:
    repairs = [repair["edits"] for repair in finding["repairs"] if repair["verified"]]
    edits = [
        (edit["path"], edit["line"], edit["column"], edit["end_line"], edit["end_column"], edit["text"])
        for edit in (repairs[0] if repairs else [])
    ]
    path = os.path.normpath(finding["path"] or "")
    return Error(path, finding["line"] or 0, f"{finding['code']} {finding['message']}", edits)


def _edited(files: dict[str, str], edits: Iterable[Sequence[Any]]) -> dict[str, str]:
    by_path: dict[str, list[Edit]] = {}
    for path, line, column, end_line, end_column, text in edits:
        by_path.setdefault(os.path.normpath(path), []).append(
            Edit(Site(path, line, column, end_line, end_column), text)
        )
    return {**files, **{path: apply(files[path].encode(), each).decode() for path, each in by_path.items()}}


# --- the program


class Kept:
    """Results by key in a file of JSON lines, written as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._known = dict(json.loads(line) for line in lines)

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        """Return the known result of a key, or compute and keep it."""
        if key not in self._known:
            self._known[key] = compute()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._known[key]]) + "\n")
        return self._known[key]


def state() -> str:
    """Return a digest of convlint's code, on which answers depend."""
    files = sorted((ROOT / "convlint").rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def measured(
    families: Sequence[Family], modes: Sequence[str], counts: tuple[int, int], seed: int, cache: Path
) -> Iterator[tuple[Case, str, Answer | None]]:
    """Yield the cases of families with what convlint says of them in each mode; None where it cannot know."""
    known_cases = Kept(cache / f"cases-{seed}.jsonl")
    known_answers = Kept(cache / f"answers-{state()}.jsonl")
    for family in families:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)

            def planned(family: Family = family, folder: Path = folder) -> list[list[dict[str, Any]]]:
                try:
                    found = cases(family, *counts, seed, folder)
                except children.ChildFailedError as failure:  # it needs another package, or another torch
                    print(f"{family} does not run: {str(failure).splitlines()[-1]}", flush=True)
                    found = []
                return [[asdict(m) for m in case.mistakes] for case in found]

            for rows in known_cases.get(f"{family} {counts}", planned):
                case = Case(family, tuple(Mistake(**each) for each in rows))
                for mode in modes:
                    by_input = partial(runs_on_another_input, case, folder)
                    if mode == "static" and known_cases.get(f"{case.key} on another input", by_input):
                        yield case, mode, None
                        continue
                    raw = known_answers.get(f"{mode} {case.key}", partial(_answer_as_json, case, mode, folder))
                    yield case, mode, Answer(**{**raw, "errors": [Error(**error) for error in raw["errors"]]})


def main() -> None:
    """Measure, print what went wrong, and print or write the section."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--mode", choices=MODES, action="append", help="one mode only")
    parser.add_argument("--singles", type=int, default=6, help="models with one mistake for each family (6)")
    parser.add_argument("--pairs", type=int, default=2, help="models with two mistakes for each family (2)")
    parser.add_argument("--families", default="", help="only those whose module contains this text")
    parser.add_argument("--every", type=int, default=1, help="only every Nth family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of mistakes and answers")
    options = parser.parse_args()
    families = [each for each in recovery_families.FAMILIES if options.families in each.module][:: options.every]
    counts = options.singles, options.pairs
    scored: list[tuple[Case, str, Score]] = []
    left_out = 0
    for case, mode, said in measured(families, options.mode or MODES, counts, options.seed, options.cache):
        if said is None:
            print(f"runs on another input: {case.key}", flush=True)
            left_out += len(case.mistakes)
            continue
        result = score(case, said)
        scored.append((case, mode, result))
        is_right = result.first == result.mistakes == result.errors and (result.runs or not result.repaired)
        print(f"{'ok ' if is_right else 'BAD'} {mode} {case.key} ({said.seconds:.1f} s)", flush=True)
        if not is_right or not result.restores:
            for error in said.errors:
                print(f"      {error.path}:{error.line}: {error.message} {error.edits}")
            print(f"      runs: {said.runs}, restores: {said.restores} {said.after[:200]}")
    given = f" --every {options.every}" * (options.every > 1) + "".join(
        f" --mode {mode}" for mode in options.mode or ()
    )
    text = section(scored, options.seed, given, left_out)
    print(text)
    print(Counter(case.family.package for case, _, _ in scored))
    if options.write:
        sections.record(PAGE, text, "planted")


if __name__ == "__main__":
    main()
