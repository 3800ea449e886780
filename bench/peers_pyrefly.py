"""Compare convlint with Pyrefly, which follows tensor shapes: ``python -m bench.peers_pyrefly [--write]``.

Pyrefly is installed with its stubs of torch into an environment of its own, and reads the installed torch. Its preset
is the default one. It sees no shape in a parameter without an annotation, so the programs are annotated.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path

from bench import corpus, sections
from bench.markdown import table
from bench.peers_env import ROOT
from bench.peers_examples import broken_models
from tests.repairs import test_ranking, test_static_repairs

PAGE = ROOT / "docs" / "comparison.md"
PINS = ("pyrefly==1.5.0", "pyrefly-torch-stubs==1.4.0", "pyrefly-shape-extensions==1.4.0")
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convlint" / "pyrefly"
EXAMPLES = ("cvl101", "cvl102", "cvl103", "cvl105", "cvl108", "cvl109", "cvl110", "cvl114", "cvl115")
"""Rules about errors, whose first bad example is one of the programs."""


def programs() -> dict[str, tuple[str, int]]:
    """Return programs with one error each, annotated, by what is wrong; and the line with the mistake."""
    found = {}
    for name, text in {**test_static_repairs.PROGRAMS, **test_ranking.PROGRAMS}.items():
        line = next(number for number, line in enumerate(text.splitlines(), 1) if "# <- " in line)
        found[name] = re.sub(r"def forward\(self, (\w+)", r"def forward(self, \1: torch.Tensor", text), line
        found[name] = re.sub(r"Tensor, (\w)\)", r"Tensor, \1: torch.Tensor)", found[name][0]), line
    for name, file in broken_models().items():
        if name.startswith(EXAMPLES):
            text = file.read_text(encoding="utf-8")
            code = name.partition("_")[0].upper()
            line = next(number for number, each in enumerate(text.splitlines(), 1) if each.endswith(f"# {code}"))
            found[f"the example of {code}"] = text, line
    return found


def installed() -> Path:
    """Return Pyrefly's command, installed if it is not yet."""
    command = FOLDER / "bin" / "pyrefly"
    if not command.exists():
        venv.create(FOLDER, with_pip=True)
        subprocess.run([FOLDER / "bin" / "pip", "install", "-q", "--no-deps", *PINS], check=True)
    return command


def by_pyrefly(command: Path, folder: Path, *paths: str) -> dict[tuple[str, int], str]:
    """Return the errors of Pyrefly about shapes, by file and line."""
    torch = importlib.util.find_spec("torch")
    assert torch is not None
    assert torch.origin is not None
    places = [str(next(FOLDER.glob("lib/python*/site-packages"))), str(Path(torch.origin).parent.parent)]
    settings = f'site-package-path = {json.dumps(places)}\npython-version = "3.12"\npreset = "default"\n'
    (folder / "pyrefly.toml").write_text(settings, encoding="utf-8")
    told = subprocess.run(
        [command, "check", "--output-format", "min-text", *paths],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.findall(r"^ERROR (\S+?):(\d+):\S+ (.*Tensor\[\[.*)$", told, re.MULTILINE)
    return {(file, int(line)): message for file, line, message in found}


def by_convlint(folder: Path, *paths: str) -> dict[tuple[str, int], str]:
    """Return the errors of a static check, by file and line."""
    command = ["check", "--isolated", "--no-cache", "--output-format", "json", *paths]
    told = subprocess.run(
        [sys.executable, "-m", "convlint", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    findings = json.loads(told)["findings"]
    return {(f["path"], f["line"]): f"{f['code']} {f['message']}" for f in findings if f["severity"] == "error"}


TEXT = """## Pyrefly

Written by `python -m bench.peers_pyrefly --write`, with
{pins}.
Pyrefly is a type checker that follows the shapes of tensors. It is used with its default preset, and only its errors
about shapes count. The programs have one error each, and PyTorch refuses all of them; tensors are annotated as
`torch.Tensor`. *No* means that no error is reported.

{programs}

Of {count} errors, convlint reports {ours} and Pyrefly {theirs}; {our_lines} and {their_lines} of them at the line of
the mistake. The {files} files of the models of torchvision and timm work: convlint reports {our_alarms} errors there,
and Pyrefly {their_alarms} about shapes, without the annotations that it is made for.
"""


def section() -> str:
    """Return the section of the page."""
    command, cases = installed(), programs()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = {name: f"program_{number:02d}.py" for number, name in enumerate(cases)}
        for name, (text, _) in cases.items():
            (folder / names[name]).write_text(text, encoding="utf-8")
        ours, theirs = by_convlint(folder, *names.values()), by_pyrefly(command, folder, *names.values())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sources"
        files = corpus.copied(folder)
        our_alarms = by_convlint(folder, *corpus.PARTS)
        their_alarms = by_pyrefly(command, folder, *corpus.PARTS)
    rows = [
        (name, line, said(ours, names[name], line), said(theirs, names[name], line))
        for name, (_, line) in cases.items()
    ]
    return TEXT.format(
        pins=", ".join(f"`{pin}`" for pin in PINS),
        programs=table(("program", ">line", "convlint, static", "Pyrefly"), rows),
        count=len(cases),
        ours=len({file for file, _ in ours}),
        theirs=len({file for file, _ in theirs}),
        our_lines=sum((names[name], line) in ours for name, (_, line) in cases.items()),
        their_lines=sum((names[name], line) in theirs for name, (_, line) in cases.items()),
        files=len(files),
        our_alarms=len(our_alarms),
        their_alarms=len(their_alarms),
    )


def said(found: Mapping[tuple[str, int], str], file: str, line: int) -> str:
    """Return what is said of a program, with the line if it is another one than ``line``."""
    texts = [
        (message if at == line else f"line {at}: {message}") for (name, at), message in found.items() if name == file
    ]
    return "; ".join(texts) or "no"


def main() -> None:
    """Compare, and print or write the section."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers_pyrefly", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    text = section()
    print(text)
    if parser.parse_args().write:
        sections.record(PAGE, text, "pyrefly")


if __name__ == "__main__":
    main()
