"""Measure how far static analysis follows published classes: ``python -m bench.coverage [PACKAGE]... [--write]``.

Every class that builds a convolution counts: it is followed if all its layers were, to the end of its ``forward``. The
reasons are the first unknown values of those that were not. ``--folder`` has unpacked packages, a folder for each.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench import sections
from bench.markdown import table
from convlint.analysis import ops
from convlint.ir import Coverage, Finding
from convlint.source_text.texts import SourceTexts
from convlint.static import Project, check_file, coverage
from convlint.static.exploration.explore import Exploration

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "real-code.md"
INSTALLED = ("torchvision", "timm")
_MOST_LINES = 200_000


@dataclass(frozen=True, slots=True)
class Followed:
    """A class with convolutions, the package that it is in, how far it was followed, and why not further."""

    package: str
    coverage: Coverage
    cause: str


def followed(package: str, folder: Path) -> Iterator[Followed]:
    """Yield the classes with convolutions in the files of a package."""
    texts = SourceTexts()
    root = str(folder.parent)
    project = Project(root, (), texts)
    for file in sorted(folder.rglob("*.py")):
        found: list[Followed] = []

        def search(_: Project, explorations: Sequence[Exploration], findings: Sequence[Finding]) -> Sequence[Finding]:
            found.extend(_classes(package, explorations))  # noqa: B023 - called before the next file
            return findings

        if project.lines > _MOST_LINES:
            project = project.without_trees()
        check_file(str(file), texts.data(str(file)), project, search=search)
        yield from found


def _classes(package: str, explorations: Sequence[Exploration]) -> Iterator[Followed]:
    convolutional = {
        each.entry_point.value.qualname
        for each in explorations
        if each.entry_point.kind == "class"
        and any(_is_convolution(layer.kind) for path in each.paths for layer in path.interpreter.creators)
    }
    for found in coverage.covered(explorations):
        if found.name in convolutional:
            yield Followed(package, found, _kind(found.stopped[0].reason) if found.stopped else "")


def _is_convolution(kind: str | None) -> bool:
    return kind is not None and kind.startswith("Conv") and ops.spatial_dims(kind.lower()[:-2] + kind[-2:]) > 0


def _kind(reason: str) -> str:
    """Say why an execution ended, in words that are the same for all places of a kind."""
    _, separator, why = reason.rpartition(": ")
    return why if separator else reason


def section(classes: Sequence[Followed], seconds: float) -> str:
    """Return the section of the page."""
    rows = []
    for package in dict.fromkeys(each.package for each in classes):
        of_package = [each for each in classes if each.package == package]
        complete = sum(each.coverage.is_complete for each in of_package)
        layers = sum(each.coverage.layers for each in of_package)
        known = sum(each.coverage.followed for each in of_package)
        rows.append(
            (package, len(of_package), f"{complete / len(of_package):.0%}", layers, f"{known / max(layers, 1):.0%}")
        )
    causes = Counter(each.cause for each in classes if not each.coverage.is_complete)
    shares = table(("package", ">classes with convolutions", ">followed to the end", ">layers", ">followed"), rows)
    reasons = table(("first reason", ">classes"), causes.most_common(10))
    return f"""## Coverage of static analysis

Written by `python -m bench.coverage --write` in {seconds:.0f} s. A class is followed if the numbers and inputs of all
its layers are known up to the end of its `forward`.

{shares}

The ten most frequent reasons why a class was not:

{reasons}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.coverage", description=__doc__)
    parser.add_argument("packages", nargs="*", default=INSTALLED)
    parser.add_argument("--folder", type=Path, help="unpacked packages")
    parser.add_argument("--list", action="store_true", help="list the classes that were not followed to the end")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    start = time.process_time()
    classes: list[Followed] = []
    for package in options.packages:
        spec = None if options.folder else find_spec(package.partition("/")[0])
        folder = (
            options.folder / package if options.folder else Path(spec.origin).parent if spec and spec.origin else None
        )
        if folder is None or not folder.exists():
            sys.exit(f"{package} is not installed")
        classes += followed(package, folder)
    text = section(classes, time.process_time() - start)
    if options.list:
        for each in classes:
            if not each.coverage.is_complete:
                done = f"{each.coverage.followed} of {each.coverage.layers}"
                stop = each.coverage.stopped[0] if each.coverage.stopped else None
                where = "" if stop is None else f"{stop.path}:{stop.line}: {stop.reason}"
                print(f"{each.coverage.path}:{each.coverage.line} {each.coverage.name}: {done} {where}")
    print(text)
    if options.write:
        sections.record(PAGE, text, "coverage")


if __name__ == "__main__":
    main()
