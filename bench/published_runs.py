"""Run the latent defects that are reported in published packages: ``python -m bench.published_runs --folder FOLDER``.

Each class is built with the arguments that should fail and with those that should work, and run. Libraries that its
package needs and that are missing become stubs (``stubs.py``); some small ones are installed next to the folder. An
argument that should have no effect is changed: the parameters of all layers must stay as they are.
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench import children, sections
from bench.markdown import table
from bench.published import PAGE, ROOT, downloaded
from convlint.ir import Claim, Edit, Finding, Proof, Site, Witness
from convlint.pipelines.lint_files import Linter, read_files
from convlint.settings.config import Config

CALLS = Path(__file__).with_name("published_calls.toml")
NEEDS = Path(__file__).with_name("published_needs.txt")
_SECONDS = 120.0
_IGNORED = re.compile(r"`(\w+)` of `([\w.]+)` has no effect")
_VALUES = (8, 16, 32, 64)
_WORDS = {"fails": "confirmed", "works": "refuted", "unknown": "not decided"}


@dataclass(frozen=True, slots=True)
class Ran:
    """A finding in a file, and what a run showed."""

    file: str
    finding: Finding
    proof: Proof


def findings(files: Sequence[str]) -> list[Finding]:
    """Return the warnings about latent defects in files below the working directory, as ``check`` reports them."""
    contents, _ = read_files(files)
    return [each for each in Linter(Config()).find(contents) if is_latent(each.code, each.severity)]


def is_latent(code: str, severity: str) -> bool:
    return code in ("CVL201", "CVL203", "CVL204", "CVL205", "CVL207") and severity != "info"


def run(folder: Path, file: str, finding: Finding) -> Ran:
    """Build and run the class of a finding in a process of its own."""
    try:
        proof: Proof = children.call(_proof, str(folder), file, finding, timeout=_SECONDS)
    except children.ChildFailedError as error:
        proof = Proof("unknown", reason=str(error).strip().splitlines()[-1])
    return Ran(file, finding, proof)


def _proof(folder: str, file: str, finding: Finding) -> Proof:
    """Only for a process of its own."""
    from bench import stubs
    from convlint.runtime.counterexample.prove import prove_job
    from convlint.settings.jobs import ClaimJob

    os.chdir(folder)
    own = Path(folder, finding.claim.path if finding.claim is not None else file)
    sys.path.insert(0, f"{folder}-needs")
    stubs.install(Path(folder), own)
    cls = finding.claim.cls if finding.claim is not None else (_IGNORED.search(finding.message) or ["", "", ""])[2]
    is_ignored = finding.code == "CVL205"
    by_hand = next((call for call in _calls() if call.is_of(own.relative_to(folder), cls, is_ignored=is_ignored)), None)
    if by_hand is not None:
        return by_hand.proof(vars(stubs.load(own)), cls, is_ignored=is_ignored)
    if finding.claim is None:
        return _of_ignored(folder, file, finding)
    result = prove_job(ClaimJob(_absolute(finding.claim), _SECONDS / 2, root=folder))
    return result.proof or Proof("unknown", reason="; ".join(problem.message for problem in result.problems))


@dataclass(frozen=True, slots=True)
class Call:
    """Calls of a class that a person wrote."""

    files: Sequence[str]
    fails: str = ""
    works: str = ""
    inputs: str = ""
    works_inputs: str = ""
    same: str = ""
    config: str = ""

    def is_of(self, file: Path, cls: str, *, is_ignored: bool) -> bool:
        text = self.same if is_ignored else self.fails
        return str(file) in self.files and re.search(rf"\b({cls}|CLASS)\b", text) is not None

    def proof(self, names: dict[str, Any], cls: str, *, is_ignored: bool) -> Proof:
        """Run both calls. What the calls themselves need must be there, or an error proves nothing."""
        import torch

        class Method(torch.nn.Module):
            """Another method than ``forward``."""

            def __init__(self, model: torch.nn.Module, name: str) -> None:
                super().__init__()
                self.model, self.name = model, name

            def forward(self, *inputs: Any) -> Any:
                return getattr(self.model, self.name)(*inputs)

        added = {"Namespace": SimpleNamespace, "rand": torch.rand, "torch": torch, "nn": torch.nn}
        names |= added | {"Method": Method, "CLASS": names.get(cls)}
        exec(self.config, names)  # noqa: S102
        if is_ignored:
            return _same_parameters(
                [self.same.replace("CLASS", cls).replace("VALUE", str(value)) for value in _VALUES], names
            )
        try:
            _run(self.works, self.works_inputs or self.inputs, names)
        except Exception as error:  # noqa: BLE001
            return Proof("unknown", reason=f"{self.works}: {type(error).__name__}: {error}")
        works, fails = (text.replace("CLASS", cls) for text in (self.works, self.fails))
        try:
            _run(self.fails, self.inputs, names)
        except (RuntimeError, ValueError) as error:
            return Proof("fails", Witness(fails, (self.inputs,), f"{type(error).__name__}: {error}", works))
        except Exception as error:  # noqa: BLE001
            return Proof("unknown", reason=f"{fails}: {type(error).__name__}: {error}")
        return Proof("works", reason=fails)


def _run(model: str, inputs: str, names: dict[str, Any]) -> None:
    import torch

    with torch.no_grad():
        built = eval(model, names).eval()  # noqa: S307  the calls of this file
        built(*(eval(f"({inputs.removesuffix(',')},)", names) if inputs else ()))  # noqa: S307


def _calls() -> list[Call]:
    return [Call(**row) for row in tomllib.loads(CALLS.read_text(encoding="utf-8"))["call"]]


def _same_parameters(texts: Sequence[str], names: dict[str, Any]) -> Proof:
    """Return whether calls build the same parameters."""
    import torch

    with torch.device("meta"):
        models = [eval(text, names) for text in texts]  # noqa: S307
    shapes = [[(key, tuple(tensor.shape)) for key, tensor in model.state_dict().items()] for model in models]
    if any(each != shapes[0] for each in shapes):
        return Proof("works", reason=f"{texts[0]} and {texts[-1]} have different parameters")
    return Proof("fails", Witness(texts[0], (), "has the same parameters", texts[-1]))


def _absolute(claim: Claim) -> Claim:
    def moved(site: Site) -> Site:
        return replace(site, path=os.path.abspath(site.path))

    edits = tuple(Edit(moved(edit.site), edit.text) for edit in claim.edits)
    return replace(claim, path=os.path.abspath(claim.path), sites=tuple(map(moved, claim.sites)), edits=edits)


def _of_ignored(folder: str, file: str, finding: Finding) -> Proof:
    """Build a class with several values of an argument that should have no effect."""
    import torch

    from convlint.runtime.build import load_target
    from convlint.runtime.counterexample.call_again import CannotCallError, class_call
    from convlint.settings.targets import Target

    said = _IGNORED.search(finding.message)
    if said is None:
        return Proof("unknown", reason="no argument is named")
    name, qualname = said.groups()
    cls = load_target.find_object(Target(qualname, file, name=qualname), folder)
    shapes, texts, reason = [], [], "the class cannot be built"
    for value in _VALUES:
        try:
            call = class_call(cls, (), ((name, value),), examples=True)
            with torch.device("meta"):
                model = call.build()
        except (CannotCallError, Exception) as error:  # noqa: BLE001  another value may work
            reason = f"{type(error).__name__}: {error}"
            continue
        texts.append(call.text)
        shapes.append([(key, tuple(tensor.shape)) for key, tensor in model.state_dict().items()])
    if len(shapes) < 2:
        return Proof("unknown", reason=reason)
    if any(each != shapes[0] for each in shapes[1:]):
        return Proof("works", reason=f"{texts[0]} and {texts[-1]} have different parameters")
    return Proof("fails", Witness(texts[0], (), "has the same parameters", texts[-1]))


# --- the page


TEXT = """## Latent defects in published packages

Written by `python -m bench.published_runs --write`. Each warning about a latent defect (CVL201 and CVL203
to CVL205) was run: the class was built with the arguments that should fail, and with those that should work. Libraries
that a package needs and that are missing are stubs. Classes that need a configuration or several inputs have calls that
a person wrote (`bench/published_calls.toml`). {counts}.

{listed}
"""
UNDECIDED = """
Without such a run, and why:

{listed}
"""


def section(ran: Sequence[Ran]) -> str:
    counts: Counter[str] = Counter(each.proof.verdict for each in ran)
    rows, others = [], []
    for each in ran:
        site, proof = each.finding.site, each.proof
        location = f"{each.file}:{site.line if site else 0}"
        if proof.verdict == "fails" and (witness := proof.witness) is not None:
            row = _code(witness.call), _cell(witness.error), _code(witness.control)
            rows.append((each.finding.code, location, *row))
        else:
            others.append((each.finding.code, location, _WORDS[proof.verdict], _cell(proof.reason)))
    text = TEXT.format(
        counts=f"Of {len(ran)}: " + ", ".join(f"{counts[verdict]} {word}" for verdict, word in _WORDS.items()),
        listed=table(("rule", "location", "fails", "with", "works"), rows),
    )
    undecided = UNDECIDED.format(listed=table(("rule", "location", "verdict", "why"), others))
    return text + undecided if others else text


def _cell(text: str) -> str:
    """Text in a cell of a table."""
    return text[:90].replace("|", "/")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _needs(folder: Path) -> None:
    """Install what stubs cannot replace next to the folder."""
    target = folder.with_name(f"{folder.name}-needs")
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), "-r", str(NEEDS)]
        subprocess.run(pip, check=True)


def naming_a_width(folder: Path, names: Collection[str]) -> list[str]:
    """The files that may contain a layer."""
    files = (file for name in names for file in sorted((folder / name).rglob("*.py")))
    return [str(file.relative_to(folder)) for file in files if b"nn" in file.read_bytes()]


def ran_in(folder: Path, name: str, kept: Path | None) -> list[Ran]:
    """Check a package and run what is found; the results of this revision that are kept are taken from there."""
    file = kept / f"{sections.revision()}-{name}.pickle" if kept else None
    if file is not None and file.exists():
        ran: list[Ran] = pickle.loads(file.read_bytes())  # noqa: S301  written below
        return ran
    found = findings(naming_a_width(folder, [name]))
    ran = [run(folder, each.site.path, each) for each in found if each.site is not None]
    if file is not None:
        file.write_bytes(pickle.dumps(ran))
    return ran


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.published_runs", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--folder", type=Path, required=True, help="where the packages are kept")
    parser.add_argument("--kept", type=Path, help="a folder for the results of each package, for the next time")
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    kept = asked.kept and asked.kept.absolute()
    names = downloaded(folder)
    _needs(folder)
    start = time.perf_counter()
    os.chdir(folder)
    text = section([each for name in names for each in ran_in(folder, name, kept)])
    print(text)
    print(f"{time.perf_counter() - start:.0f} s")
    if asked.write:
        sections.record(PAGE, text, "latent")


if __name__ == "__main__":
    main()
