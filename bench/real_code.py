"""Check real code statically: ``python -m bench.real_code [--write]``.

This checks all model files of torchvision and timm. Errors (1xx) and latent bugs (2xx) are listed individually, each
with a verdict that a person wrote into real_code_verdicts.toml after reading the code. A finding without a verdict,
or a verdict without a finding, is a failure.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import sections
from bench.corpus import PARTS, copied, versions
from bench.markdown import table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "real-code.md"
VERDICTS = Path(__file__).with_name("real_code_verdicts.toml")
JUDGED = ("CVL1", "CVL2")


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Key of a verdict, which does not depend on line numbers."""

    code: str
    file: str
    function: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a finding is true, and the reason in one line."""

    true: bool
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """One finding."""

    key: Key
    line: int
    name: str
    severity: str
    message: str

    @property
    def needs_verdict(self) -> bool:
        return self.key.code.startswith(JUDGED) and self.severity != "info"


def check(folder: Path, parts: Sequence[str] = PARTS) -> list[Found]:
    """Return the findings in files and folders below ``folder``. Raises RuntimeError if anything could not be
    checked, other than a top level that takes too many steps.
    """
    command = [sys.executable, "-m", "convlint", "check", "--isolated", "--no-cache", "--exit-zero"]
    done = subprocess.run([*command, "--output-format", "json", *parts], cwd=folder, check=False, capture_output=True)
    try:
        document = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError((done.stdout[-2000:] + done.stderr[-2000:]).decode(errors="replace")) from None
    problems = [problem for problem in document["problems"] if problem["kind"] != "too-many-steps"]
    if problems:
        raise RuntimeError(f"{len(problems)} files could not be checked; the first: {problems[0]}")
    return [_found(finding, folder) for finding in document["findings"]]


def _found(finding: Mapping[str, Any], folder: Path) -> Found:
    file, line = finding["path"], finding["line"]
    key = Key(finding["code"], file, function_at(folder / file, line))
    return Found(key, line, finding["name"], finding["severity"], finding["message"])


def function_at(file: Path, line: int) -> str:
    """Return the qualified name of the innermost class or function around a line; empty at the top level."""
    node: ast.AST | None = ast.parse(file.read_bytes())
    names: list[str] = []
    while node is not None:
        around = (child for child in ast.iter_child_nodes(node) if _spans(child, line))
        node = next(around, None)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
    return ".".join(names)


def _spans(node: ast.AST, line: int) -> bool:
    first = getattr(node, "lineno", None)
    return first is not None and first <= line <= node.end_lineno  # type: ignore[attr-defined]


def verdicts(file: Path = VERDICTS) -> dict[Key, Verdict]:
    """Return the verdicts of a file by their keys."""
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("verdict", [])
    found: dict[Key, Verdict] = {}
    for row in rows:
        key = Key(row["code"], row["file"], row["function"])
        assert key not in found, f"two verdicts on {key}"
        found[key] = Verdict(row["true"], row["why"])
    return found


def judged(found: Iterable[Found], known: Mapping[Key, Verdict]) -> list[tuple[Found, Verdict]]:
    """Return the findings that need a verdict, with their verdicts. Raises LookupError with every finding without
    a verdict and every verdict without a finding.
    """
    needing = [one for one in found if one.needs_verdict]
    new = [one for one in needing if one.key not in known]
    stale = known.keys() - {one.key for one in needing}
    if new or stale:
        lines = [f"no verdict: {one.key}, line {one.line}: {one.message}" for one in new]
        lines += [f"no such finding: {key}" for key in sorted(stale)]
        raise LookupError("\n".join(lines))
    return [(one, known[one.key]) for one in needing]


# --- the page


TEXT = """## Models of torchvision and timm

Written by `python -m bench.real_code --write`. `convlint check` checks the model files of {versions}
statically: {files} files with {lines} lines. These models work. An error here would therefore be a false
alarm, and a latent bug is one that no published configuration triggers.

{counts}

Every error and every latent bug is listed with a verdict from reading the code
(`bench/real_code_verdicts.toml`): {true} of {all} are true.

{listed}
"""


def page(found: Sequence[Found], known: Mapping[Key, Verdict], files: int, lines: int) -> str:
    """Return the page for docs/. Raises LookupError like ``judged``."""
    counts = Counter((one.key.code, one.name, one.severity) for one in found)
    listed = judged(found, known)
    return TEXT.format(
        versions=versions(),
        files=files,
        lines=f"{lines:,}",
        counts=table(
            ("rule", "name", "severity", ">findings"), [(*rule, count) for rule, count in sorted(counts.items())]
        ),
        true=sum(verdict.true for _, verdict in listed),
        all=len(listed),
        listed=verdict_table(listed),
    )


def verdict_table(listed: Iterable[tuple[Found, Verdict]]) -> str:
    """Return the table of findings with their verdicts."""
    return table(
        ("rule", "location", "message", "true?", "reason"),
        [
            (one.key.code, f"{one.key.file}:{one.line}", one.message, "yes" if verdict.true else "no", verdict.why)
            for one, verdict in listed
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.real_code", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "sources")
        files = copied(folder)
        found = check(folder)
        lines = sum((folder / file).read_bytes().count(b"\n") for file in files)
    try:
        text = page(found, verdicts(), len(files), lines)
    except LookupError as error:
        sys.exit(str(error))
    print(text)
    if options.write:
        sections.record(PAGE, text, "models")


if __name__ == "__main__":
    main()
