"""Count the latent defects that static mode finds in real classes: ``python -m bench.latent [--write]``.

One channel expression in the constructor of a class of timm or torchvision is replaced by another in scope. PyTorch
judges every mutant with many arguments (``bench.latent_classes``): it fails for some of those with which the original
works, for all, or for none. convlint checks the file of each mutant. A mutant counts as found if the file gets an error
or a warning that it did not have, among them that a width is ignored (CVL205), and as found at its line if the first of
them is at the edited call. The class is then run with the arguments of the finding, before and after its repair, as
``check --confirm`` does. Findings in the original files are listed: each must be confirmed by a run.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from bench import children, corpus, latent_classes, latent_runs, sections
from bench.latent_classes import Judged, Mutant, Original
from bench.markdown import table
from convlint.ir import Finding, Proof, Verdict
from convlint.pipelines.file_linter import lint_text
from convlint.source_text.texts import SourceTexts
from convlint.static import Project

PAGE = Path(__file__).parent.parent / "docs" / "latent.md"
SEED = 1
PER_CLASS = 2
_SECONDS = 60.0  # for the classes of one module, and for the mutants of one class


@dataclass(frozen=True, slots=True)
class Score:
    """The result of convlint for one mutant; ``verdict`` is that of a run, if the finding claims something."""

    judged: Judged
    is_found: bool
    is_at_line: bool
    is_verified: bool
    verdict: Verdict | None = None
    reason: str = ""


def originals(cache: Path | None = None, modules: Sequence[str] | None = None) -> Iterator[Original]:
    """Yield the classes that PyTorch runs with several arguments."""
    for module in modules or latent_classes.modules():
        known = cache / f"{module}.pickle" if cache else None
        if known and known.exists():
            yield from pickle.loads(known.read_bytes())  # noqa: S301  the benchmark wrote it
            continue
        try:
            found = children.call(latent_classes.classes_of, module, timeout=_SECONDS)
        except children.ChildFailedError:
            found = []
        if known:
            known.write_bytes(pickle.dumps(found))
        yield from found


def judged(original: Original, seed: int, count: int, cache: Path | None = None) -> list[Judged]:
    """Return mutants of a class with the verdicts of PyTorch."""
    known = cache / f"{original.module}.{original.name}-{seed}-{count}.pickle" if cache else None
    if known and known.exists():
        found: list[Judged] = pickle.loads(known.read_bytes())  # noqa: S301  the benchmark wrote it
        return found
    mutants: list[Mutant] = latent_classes.mutants(original, Random(f"{seed} {original}"), count)
    try:
        found = children.call(latent_classes.judged, mutants, timeout=_SECONDS)
    except children.ChildFailedError:
        found = []
    if known:
        known.write_bytes(pickle.dumps(found))
    return found


class Checker:
    """Checks files of packages that were copied into a folder, with edits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._project = Project(str(folder))
        self._before: dict[str, set[tuple[str, str]]] = {}

    def findings(self, path: str, source: str) -> list[Finding]:
        """The errors and warnings in a file with other contents, the first of the file first."""
        full = str(self._folder / path)
        texts = SourceTexts().with_overlays({full: source.encode()})
        found = lint_text(full, source.encode(), self._project.with_texts(texts)).findings
        loud = [each for each in found if each.severity != "info" and each.site is not None and each.code < "CVL206"]
        return sorted(loud, key=lambda each: each.site.line if each.site else 0)

    def score(self, judged: Judged) -> Score:
        """Check one mutant."""
        mutant = judged.mutant
        path = mutant.original.path
        source = (self._folder / path).read_text(encoding="utf-8")
        if path not in self._before:
            self._before[path] = {(each.code, each.message) for each in self.findings(path, source)}
        new = [
            each
            for each in self.findings(path, mutant.apply(source))
            if (each.code, each.message) not in self._before[path]
        ]
        site = new[0].site if new else None
        at_line = site is not None and site.line <= mutant.line <= max(site.end_line, site.line)
        verified = bool(new and new[0].repairs and new[0].repairs[0].verified)
        found = Score(judged, bool(new), at_line, verified)
        if not new:
            return found
        first = next((each for each in new if each.claim is not None or each.calls), new[0])
        proof = latent_runs.proof(mutant.original.module, path, mutant.apply(source), first)
        return replace(found, verdict=proof.verdict, reason=proof.reason)


_COLUMNS = (
    "mutant",
    ">mutants",
    ">found",
    ">at the edited line",
    ">with a verified repair",
    ">confirmed by a run",
    ">refuted by a run",
)


def page(
    scores: Sequence[Score], classes: int, original: Sequence[tuple[Finding, Proof]], folder: Path, seed: int = SEED
) -> str:
    """Return the section of the page."""
    rows = []
    for verdict, words in (("latent", "fails for some arguments"), ("fails", "fails for all arguments")):
        of = [score for score in scores if score.judged.verdict == verdict]
        count = Counter(
            found=sum(s.is_found for s in of),
            line=sum(s.is_at_line for s in of),
            verified=sum(s.is_verified for s in of),
            run=sum(s.verdict == "fails" for s in of),
            refuted=sum(s.verdict == "works" for s in of),
        )
        rows.append((words, len(of), *(count[key] for key in ("found", "line", "verified", "run", "refuted"))))
    listed = [
        (
            each.site and f"{Path(each.site.path).relative_to(folder)}:{each.site.line}",
            each.code,
            each.message,
            _shown(run),
        )
        for each, run in original
    ]
    return (
        f"Written by `python -m bench.latent --write`: {len(scores)} mutants of {classes} classes of "
        f"{corpus.versions()}, seed {seed}; "
        "mutants that fail for no arguments are left out.\n\n"
        + table(_COLUMNS, rows)
        + "\n\nLatent defects that are reported in the original files of these classes:\n\n"
        + table(("line", "rule", "message", "run"), listed)
    )


def _shown(proof: Proof) -> str:
    """What a run showed, for a cell of a table."""
    witness = proof.witness
    return f"`{witness.call}` fails: {witness.error}" if witness else f"{proof.verdict}: {proof.reason}"


def measure(
    count: int | None, per_class: int, seed: int, cache: Path | None, most: int | None = None
) -> tuple[list[Judged], int]:
    """Return the mutants that fail, and the number of their classes: ``most`` of all."""
    classes = list(originals(cache))
    Random(seed).shuffle(classes)
    found: list[Judged] = []
    used = 0
    for original in classes[:most]:
        if count is not None and len(found) >= count:
            break
        used += 1
        found += [each for each in judged(original, seed, per_class, cache) if each.verdict != "equivalent"]
    return found[:count], used


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latent", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--count", type=int, help="stop after this many mutants")
    parser.add_argument("--classes", type=int, help="draw this many classes")
    parser.add_argument("--seed", type=int, default=SEED, help="of the classes and mutants that are drawn")
    parser.add_argument("--cache", type=Path, help="a folder that keeps PyTorch's verdicts")
    parser.add_argument("--verbose", action="store_true", help="print each mutant that is missed")
    options = parser.parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    mutants, classes = measure(options.count, PER_CLASS, options.seed, options.cache, options.classes)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        corpus.copied(folder)
        checker = Checker(folder)
        scores = []
        for each in sorted(mutants, key=lambda each: each.mutant.original.path):
            score = checker.score(each)
            scores.append(score)
            if options.verbose and score.is_found and score.verdict != "fails":
                print("not confirmed", each.mutant.original.name, each.mutant.line, score.verdict, score.reason)
            if options.verbose and not score.is_at_line:
                mutant = each.mutant
                place = f"{mutant.original.path}:{mutant.line} {mutant.original.name}"
                print("missed" if not score.is_found else "elsewhere", place, mutant.before, "->", mutant.after)
        original = []
        modules = {each.mutant.original.path: each.mutant.original.module for each in mutants}
        for path, module in sorted(modules.items()):
            source = (folder / path).read_text(encoding="utf-8")
            found = [each for each in checker.findings(path, source) if "CVL2" < each.code < "CVL205"]
            original += [(each, latent_runs.proof(module, path, source, each)) for each in found]
        text = page(scores, classes, original, folder, options.seed)
    print(text)
    if options.write:
        sections.record(PAGE, text, "latent")


if __name__ == "__main__":
    main()
