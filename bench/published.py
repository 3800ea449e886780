"""Check published packages statically: ``python -m bench.published [--write]``.

The packages of published.txt are downloaded (not installed, and none of their code is run) and checked. Each error is
listed with the verdict of a person who read the code, from published_verdicts.toml. An error without a verdict, or a
verdict without an error, is a failure.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import real_code, sections
from bench.markdown import table
from bench.real_code import Found, Key, Verdict

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "real-code.md"
PINS = Path(__file__).with_name("published.txt")
VERDICTS = Path(__file__).with_name("published_verdicts.toml")


@dataclass(frozen=True, slots=True)
class Read:
    """Numbers of packages, files, files that name a convolution, and lines; run time and memory."""

    packages: int
    files: int
    convolutional: int
    lines: int
    seconds: float
    peak_bytes: int


def downloaded(folder: Path, only: Collection[str] = ()) -> list[str]:
    """Return the names of the packages, of ``only`` those if given, each unpacked into a folder of its name unless it
    exists.
    """
    pins = [pin for pin in PINS.read_text(encoding="utf-8").split() if not only or pin.partition("==")[0] in only]
    names = [pin.partition("==")[0] for pin in pins]
    for name, pin in zip(names, pins, strict=True):
        if (folder / name).exists():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, pin]
            subprocess.run(pip, check=True)
            (archive,) = Path(scratch).iterdir()
            kind = "zip" if archive.suffix in (".whl", ".zip") else None
            shutil.unpack_archive(archive, folder / name, kind)
    return names


def errors(found: Sequence[Found], known: Mapping[Key, Verdict]) -> list[tuple[Found, Verdict]]:
    """Return the errors with their verdicts. Raises LookupError like ``real_code.judged``."""
    return real_code.judged([one for one in found if one.severity == "error"], known)


TEXT = """## Published packages

Written by `python -m bench.published --write`. {packages} packages as published on PyPI
(`bench/published.txt`), {files} Python files with {lines} lines; {convolutional} of the files name a convolution.
Checking them took {seconds:.0f} s and at most {peak:.1f} GB.

{counts}

Each error has a verdict from reading the code (`bench/published_verdicts.toml`): {true} of {all} are true.
Latent bugs and advice were not reviewed individually.

{listed}
"""


def section(found: Sequence[Found], known: Mapping[Key, Verdict], read: Read) -> str:
    """Return the section of the page. Raises LookupError like ``errors``."""
    counts = Counter((one.key.code, one.name, one.severity) for one in found)
    listed = errors(found, known)
    return TEXT.format(
        packages=read.packages,
        files=f"{read.files:,}",
        convolutional=f"{read.convolutional:,}",
        lines=f"{read.lines:,}",
        seconds=read.seconds,
        peak=read.peak_bytes / 1e9,
        counts=table(
            ("rule", "name", "severity", ">findings"), [(*rule, count) for rule, count in sorted(counts.items())]
        ),
        true=sum(verdict.true for _, verdict in listed),
        all=len(listed),
        listed=real_code.verdict_table(listed),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.published", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--folder", type=Path, help="where they are kept for the next time")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        names = downloaded(folder)
        start = time.perf_counter()
        found = real_code.check(folder, names)
        seconds = time.perf_counter() - start
        texts = [file.read_bytes() for file in folder.rglob("*.py")]
        read = Read(
            packages=len(names),
            files=len(texts),
            convolutional=sum(b"Conv2d" in text or b"conv2d" in text for text in texts),
            lines=sum(text.count(b"\n") for text in texts),
            seconds=seconds,
            peak_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        )
    try:
        text = section(found, real_code.verdicts(VERDICTS), read)
    except LookupError as error:
        sys.exit(str(error))
    print(text)
    if asked.write:
        sections.record(PAGE, text, "published")


if __name__ == "__main__":
    main()
