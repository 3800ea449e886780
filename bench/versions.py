"""Run the tests with other versions of torch and of Python: ``python -m bench.versions [--write]``.

For each pair of torch and torchvision an environment is made in ``--folder`` and kept there (2 to 6 GB each), and the
tests of run mode that take little time run in it. Static mode, which needs no torch, also runs in the newest Python
that Node.js can load: every file of ``fixtures`` and every example of a rule has to give the findings that it gives
here. ``--node`` is a folder in which ``npm install pyodide`` was run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from bench import sections
from bench.markdown import table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "versions.md"
PAIRS = ("2.6.0+0.21.0", "2.13.0+0.28.0", "2.14.1+0.29.1")
"""torch and torchvision: the lowest that pyproject.toml allows, and the newest two that can be installed here."""
TESTS = ("tests/api", "tests/runtime", "tests/rewriting", "tests/repairs", "tests/cli", "tests/ir")
WITHOUT = ("torch", "torchvision", "check-jsonschema", "mypy", "ruff", "playwright", "sarif-tools", "mkdocs")
"""Packages of constraints.txt that these tests need in another version, or not at all."""
FILES = ("fixtures", "convlint/rules/examples")
IN_NODE = """
import { readFileSync } from "fs";
import { loadPyodide } from "pyodide";
const [tree, packages, program] = process.argv.slice(2);
const python = await loadPyodide();
for (const [place, root] of [["/tree", tree], ["/packages", packages]]) {
    python.FS.mkdirTree(place);
    python.FS.mount(python.FS.filesystems.NODEFS, { root }, place);
}
python.runPython(readFileSync(program, "utf-8"));
"""
IN_PYTHON = f"""
import contextlib, io, json, os, sys
sys.path[:0] = ["/tree", "/packages"]
os.chdir("/tree")
from convlint.__main__ import main
sys.argv = ["convlint", "check", "--no-cache", "--output-format", "json", *{FILES!r}]
out = io.StringIO()
try:
    with contextlib.redirect_stdout(out):
        main()
except SystemExit as error:
    code = error.code
print(json.dumps([sys.version.split()[0], code, json.loads(out.getvalue())["findings"]]))
"""


@dataclass(frozen=True)
class Outcome:
    """The result of the tests in one environment."""

    torch: str
    python: str
    passed: int
    skipped: int
    failed: tuple[str, ...]


def environment(folder: Path, pair: str) -> Path:
    """Return the interpreter of an environment with a pair of versions, made if it does not exist."""
    torch, vision = pair.split("+")
    place = folder / f"torch-{torch}"
    python = place / "bin" / "python"
    if (place / "complete").exists():
        return python
    venv.create(place, with_pip=True)
    pip = (str(python), "-m", "pip", "install", "-q", "--no-cache-dir")
    subprocess.run([*pip, f"torch=={torch}", f"torchvision=={vision}"], check=True)
    pins = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1].isalpha()]
    wanted = [line for line in pins if line.partition("==")[0] not in WITHOUT]
    subprocess.run([*pip, *wanted], check=True)
    subprocess.run([*pip, "--no-deps", "-e", str(ROOT)], check=True)
    (place / "complete").touch()
    return python


def tested(python: Path, tests: Sequence[str]) -> Outcome:
    """Run tests in an environment. Raises CalledProcessError if they do not run to the end."""
    results = python.parents[1] / "results.xml"
    pytest = (
        str(python),
        "-m",
        "pytest",
        "-q",
        "-n2",
        "--dist=loadfile",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        f"--junitxml={results}",
    )
    done = subprocess.run([*pytest, *tests], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise subprocess.CalledProcessError(done.returncode, pytest, done.stdout, done.stderr)
    cases = [case for suite in JUnitXml.fromfile(str(results)) for case in suite]
    failed = [f"{case.classname}::{case.name}" for case in cases if _is(case, Failure, Error)]
    skipped = sum(_is(case, Skipped) for case in cases)
    ask = "import sys, torch; print(torch.__version__, sys.version.split()[0])"
    versions = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    return Outcome(versions[0], versions[1], len(cases) - skipped - len(failed), skipped, tuple(failed))


def _is(case: TestCase, *kinds: type) -> bool:
    return any(isinstance(result, kinds) for result in case.result)


def in_node(node: Path) -> tuple[str, int, int]:
    """Return the version of Python in Node.js, the number of findings there, and of those that are not as here."""
    import pathspec  # its folder is where the packages are

    command = (sys.executable, "-m", "convlint", "check", "--no-cache", "--output-format", "json", *FILES)
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    here = json.loads(output)["findings"]
    (node / "convlint.mjs").write_text(IN_NODE, encoding="utf-8")
    (node / "program.txt").write_text(IN_PYTHON, encoding="utf-8")
    packages = Path(pathspec.__file__).parents[1]
    done = subprocess.run(
        [shutil.which("node") or "node", "--stack-size=4000", "convlint.mjs", str(ROOT), str(packages), "program.txt"],
        cwd=node,
        capture_output=True,
        text=True,
        check=True,
    )
    version, _, there = json.loads(done.stdout.splitlines()[-1])
    texts = [sorted(json.dumps(each, sort_keys=True) for each in findings) for findings in (here, there)]
    return version, len(there), len(set(texts[0]) ^ set(texts[1]))


def section(outcomes: Sequence[Outcome], node: tuple[str, int, int] | None) -> str:
    """Return the page's section."""
    rows = [[each.torch, each.python, each.passed, each.skipped, len(each.failed)] for each in outcomes]
    folders = ", ".join(f"`{each}`" for each in TESTS)
    return "\n\n".join(
        [
            f"The tests of {folders} that are not slow, in an environment for each:",
            table(["torch", "Python", ">passed", ">skipped", ">failed"], rows),
            *_failures(outcomes),
            *_other_python(node),
        ]
    )


def _failures(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for each in outcomes:
        if each.failed:
            yield f"With torch {each.torch} these fail:"
            yield "\n".join(f"- `{name}`" for name in each.failed)


def _other_python(node: tuple[str, int, int] | None) -> Iterator[str]:
    if node is not None:
        version, count, other = node
        files = " and ".join(f"`{each}`" for each in FILES)
        yield (
            f"Static mode in Python {version} (Pyodide, in Node.js), over {files}: {count} findings, "
            f"{other} not as in Python {sys.version.split()[0]}."
        )


def main() -> None:
    """Run the tests in every environment."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "convlint-versions")
    parser.add_argument("--pairs", nargs="*", default=PAIRS)
    parser.add_argument("--tests", nargs="*", default=TESTS)
    parser.add_argument("--node", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    outcomes = [tested(environment(options.folder, pair), options.tests) for pair in options.pairs]
    text = section(outcomes, in_node(options.node) if options.node else None)
    print(text)
    if options.write:
        sections.record(PAGE, text, "versions")


if __name__ == "__main__":
    main()
