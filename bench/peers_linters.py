"""Compare the findings of linters for planted bugs and for working code."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.markdown import table
from bench.peers_env import ROOT, Environment
from bench.peers_examples import broken_models

MARK = re.compile(r"# (CVL\d+)$")
GDCONV_FILE = ROOT / "fixtures" / "gdconv.py"
GDCONV = {
    "nn.Conv2d(": ("CVL202", "`gdconv.py`: one group per input channel, any number of output channels"),
    "nn.BatchNorm2d(": ("CVL201", "`gdconv.py`: the norm is sized by the input channels"),
}
"""The two bugs of fixtures/gdconv.py, by the code on their lines."""

ABOUT = {"TA104": "CVL206", "TA400": "CVL301", "TA404": "CVL309", "TA500": "CVL305", "TA501": "CVL306"}
"""Rules of torch-audit and the convlint rules with the same subject. Its other rules also fire on good models."""

OTHERS = {
    "`torch.load` without `weights_only`": ("import torch\n\n\ndef read(path):\n    return torch.load(path)\n"),
    "`torch.solve`, which was removed": ("import torch\n\n\ndef solved(a, b):\n    return torch.solve(b, a)\n"),
    "`weight.require_grad = False`, misspelt": (
        "import torch\n\n\ndef frozen(model):\n    for weight in model.parameters():\n"
        "        weight.require_grad = False\n"
    ),
    "`queries @ keys` of annotated tensors, not transposed": (
        "from typing import Annotated\n\nimport torch\nfrom torchshapeflow import Shape\n\n\n"
        'def scores(\n    queries: Annotated[torch.Tensor, Shape("B", "T", "D")],\n'
        '    keys: Annotated[torch.Tensor, Shape("B", "S", "D")],\n):\n    return queries @ keys\n'
    ),
}
"""Bugs in files that other tools look for."""
OTHERS_IN_TRAINING = {
    "adam": ("Adam with the weight decay of AdamW", "TA401"),
    "dead": ("filters whose weights are all zero", "TA405"),
}
"""Training bugs by their names in ``bench.peers_audit``, and the rule for each."""

TEXT_TOOLS = ("convlint, static", "TorchFix", "TorchShapeFlow")


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug in a file of fixtures/ at a line; ``layer`` is the name of the layer built there, if any."""

    file: str
    line: int
    code: str
    layer: str | None
    what: str


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of a static linter."""

    file: str
    line: int
    code: str
    severity: str


def planted() -> list[Planted]:
    """Return every bug that is planted in the examples of the rules, and the two of GDConv."""
    found = []
    for name, file in (broken_models() | {"gdconv": GDCONV_FILE}).items():
        text = file.read_text(encoding="utf-8")
        what = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0].rstrip(".")
        for number, line in enumerate(text.splitlines(), 1):
            marks = [(match[1], what)] if (match := MARK.search(line)) else []
            if name == "gdconv":
                marks = [mark for sign, mark in GDCONV.items() if sign in line]
            layer = re.search(r"self\.(\w+) = ", line)
            module = layer[1] if layer else None
            found += [Planted(name, number, code, module, words) for code, words in marks]
    return found


# --- running the linters


def annotated(text: str) -> str:
    """Return a model whose input has an annotation for TorchShapeFlow; no line moves."""
    text = re.sub(
        r"^import torch$",
        "import torch; from typing import Annotated; from torchshapeflow import Shape",
        text,
        flags=re.MULTILINE,
    )
    net = text.rfind("def forward(self, x: torch.Tensor)")
    shape = '"B", 3, 32, 32' if "class Net" in text else '"B", "C", "H", "W"'
    return text[:net] + text[net:].replace("x: torch.Tensor", f"x: Annotated[torch.Tensor, Shape({shape})]", 1)


def by_convlint(place: Environment, folder: Path, *arguments: str) -> list[Found]:
    """Return the findings of ``convlint check`` for files or models, each at its line and where it first fails."""
    told = place.run(["convlint", "check", "--isolated", "--no-cache", "--output-format", "json", *arguments], folder)
    report = json.loads(told.stdout)
    assert not report["problems"], report["problems"]
    return [
        Found(Path(place["path"]).stem, place["line"], f["code"], f["severity"])
        for f in report["findings"]
        for place in (f, *(each for each in f["occurrences"] if each["line"] != f["line"]))
        if place["path"]
    ]


def by_torchfix(place: Environment, folder: Path) -> list[Found]:
    """Return the findings of ``torchfix`` with all its rules."""
    told = place.run(["torchfix", "--select", "ALL", "."], folder).stdout
    return [
        Found(Path(file).stem, int(line), code, "warning")
        for file, line, code in re.findall(r"^(\S+\.py):(\d+):\d+: (TOR\d+)", told, re.MULTILINE)
    ]


def by_torchshapeflow(place: Environment, folder: Path) -> list[Found]:
    """Return the errors of ``tsf check``. Its warnings report what it could not follow."""
    told = json.loads(place.run(["tsf", "check", "--json", "."], folder).stdout)
    return [
        Found(Path(one["path"]).stem, one["line"], one["code"], one["severity"])
        for file in told["files"]
        for one in file["diagnostics"]
        if one["severity"] == "error"
    ]


def in_text(place: Environment, folder: Path) -> dict[str, list[Found]]:
    """Return the findings of the static linters in a folder."""
    return {
        "convlint, static": by_convlint(place, folder, "."),
        "TorchFix": by_torchfix(place, folder),
        "TorchShapeFlow": by_torchshapeflow(place, folder),
    }


def of_fixtures(place: Environment, folder: Path) -> dict[str, list[Found]]:
    """Return the same for the examples of the rules, and the findings of a run with convlint."""
    for file in (*broken_models().values(), GDCONV_FILE):
        shutil.copy(file, folder)
    found = in_text(place, folder)
    nets = sorted(folder.glob("cvl*.py"))
    budget = [file for file in nets if "over_budget" in file.stem]
    found["convlint, run"] = [
        *by_convlint(place, folder, *(f"{file.name}:Net" for file in nets if file not in budget)),
        *by_convlint(place, folder, "--max-params=100000", f"{budget[0].name}:Net"),
        *by_convlint(place, folder, "--input=8,3,3", "gdconv.py:GDConv(8, 8, 3, 0)"),
    ]
    for file in folder.glob("*.py"):
        file.write_text(annotated(file.read_text(encoding="utf-8")), encoding="utf-8")
    found["TorchShapeFlow"] = by_torchshapeflow(place, folder)
    return found


# --- the tables


def of_planted(found: Mapping[str, list[Found]], audit: Mapping[str, Any]) -> str:
    """Return the table of planted bugs and of where each linter reports them."""
    texts = ("convlint, static", "convlint, run")
    columns = [*texts, "PyTorch", "torch-audit", "TorchShapeFlow", "TorchFix"]
    rows, at_line, told = [], Counter[str](), Counter[str]()
    defects = planted()
    for one in defects:
        cells = {tool: where(one, tool, found[tool]) for tool in (*texts, *TEXT_TOOLS[1:])}
        cells["PyTorch"] = _line(one, audit[one.file]["raises"])
        cells["torch-audit"] = audited(one, audit[one.file]["findings"])
        at_line.update(tool for tool in columns if cells[tool] == "its line")
        told.update(tool for tool in columns if cells[tool] not in {"", "as PyTorch"})
        rows.append([one.code, one.what, *(cells[tool] for tool in columns)])
    of = f" of {len(defects)}"
    rows.append(["", "**at its line**", *(f"**{at_line[tool]}**{of}" for tool in columns)])
    rows.append(["", "**reported at all**", *(f"**{told[tool]}**{of}" for tool in columns)])
    return table(["rule", "planted bug", *columns], rows)


def where(one: Planted, tool: str, found: list[Found]) -> str:
    """Describe how a static linter reports a bug. For convlint only the rule itself counts, for others any
    finding.
    """
    lines = {f.line for f in found if f.file == one.file and (f.code == one.code or not tool.startswith("convlint"))}
    return "its line" if one.line in lines else _line(one, min(lines, default=None))


def _line(one: Planted, line: int | None) -> str:
    if line is None:
        return ""
    return "its line" if line == one.line else f"line {line}"


def audited(one: Planted, findings: list[dict[str, Any]] | None) -> str:
    """Describe how torch-audit reports a bug: by layer names, without lines."""
    if findings is None:
        return "as PyTorch"
    about = [f for f in findings if ABOUT.get(f["code"]) == one.code]
    if not about:
        return ""
    modules = {f["module"] for f in about}
    return f"layer `{one.layer}`" if one.layer in modules else f"{about[0]['code']}, no layer"


def of_others(place: Environment, folder: Path, audit: Mapping[str, Any]) -> str:
    """Return the table of bugs that convlint does not look for, and of who finds them."""
    for number, text in enumerate(OTHERS.values()):
        (folder / f"other{number}.py").write_text(text, encoding="utf-8")
    found = in_text(place, folder)
    columns = ["TorchFix", "TorchShapeFlow", "torch-audit", "convlint"]
    rows = []
    for number, what in enumerate(OTHERS):
        cells = {
            tool.partition(",")[0]: ", ".join(sorted({f.code for f in findings if f.file == f"other{number}"}))
            for tool, findings in found.items()
        }
        rows.append([what, *(cells.get(tool, "") for tool in columns)])
    for name, (what, code) in OTHERS_IN_TRAINING.items():
        codes = {f["code"] for f in audit[name]["findings"]}
        ours = ", ".join(audit[name]["convlint"])
        rows.append([what, "", "", code if code in codes else "", ours])
    return table(["bug", *columns], rows)


def of_working(text: Mapping[str, list[Found]], zoo: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """Return the table of findings in torchvision's models: static for all, by a run for some."""
    files = "all source files"
    models = f"runs of {len(zoo)} models"
    rows = [[tool, files, *_levels(Counter(f"{f.code} {f.severity}" for f in text[tool]))] for tool in TEXT_TOOLS]
    for tool in ("convlint", "torch-audit"):
        counts = sum((Counter(one[tool]) for one in zoo.values()), Counter[str]())
        name = "convlint, run" if tool == "convlint" else tool
        rows.append([name, models, *_levels(counts)])
    return table(["tool", "input", "errors", "warnings", "info"], rows)


def _levels(counts: Counter[str]) -> list[str]:
    levels: dict[str, list[str]] = {"error": [], "warn": [], "info": []}
    for kind, count in sorted(counts.items()):
        code, _, severity = kind.partition(" ")
        levels[severity.removesuffix("ing")].append(f"{code}: {count:,}")
    return [", ".join(level) or "none" for level in levels.values()]
