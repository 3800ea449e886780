"""Static analysis never fails: random Python, and real models with misplaced tokens.

``pytest -m sweep tests/static/test_fuzz.py`` runs for an hour, or for ``CONVLINT_FUZZ_MINUTES``.
"""

from __future__ import annotations

import ast
import hashlib
import keyword
import os
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from textwrap import indent
from typing import Any

import libcst
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from convlint.static import CheckedFile, Project, check_file
from tests.programs.generator import random_program
from tests.static.test_bad_names import CALLS, LAYERS
from tests.static.test_bad_names import ODD as ODD_ARGUMENTS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its parser generator
    import hypothesmith

ROOT = Path(__file__).parents[2]
NET = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, c=3, d=8, *args, flag=False, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(c, d, 3)
{init}

    def forward(self, x, y=None):
{forward}
        return self.conv(x)


net = Net(3, 8)
net(torch.randn(1, 3, 32, 32))
"""
LAYER = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, c, d=8, k=3):
        super().__init__()
        self.conv = nn.Conv2d({0}, {1}, {2})
        self.norm = nn.BatchNorm2d({1})
        self.pool = nn.MaxPool2d(({2}), {0})

    def forward(self, x):
        return self.pool(self.norm(self.conv(x))).view({0}, {1})


Net({1}, d={2})
nn.Sequential(nn.Conv2d({2}, {0}, {1}), nn.Linear({1}, {0}))(torch.zeros({0}, {2}))
"""
KNOWN = (
    *("nn", "torch", "F", "self", "x", "y", "c", "d", "flag", "args", "kwargs", "Net", "net"),
    *("Conv2d", "BatchNorm2d", "Sequential", "ModuleList", "Linear", "conv", "shape", "size"),
    *("append", "view", "cat", "items", "len", "range", "zip", "int", "list", "super", "__init__"),
)
ODD = ("0", "-1", "1.5", "'a'", "None", "10**9", "[]", "()", "{}", "x", "self", "True", "*x", "nn")


def check(text: str) -> CheckedFile:
    """Check a text, in limited time and without an error in convlint."""
    start = time.process_time()
    found = check_file("nowhere/net.py", text.encode(), Project("nowhere"))
    assert time.process_time() - start < 10, text
    assert not [p for p in found.problems if p.kind == "internal"], text
    last = len(re.split(r"\r\n|\r|\n", text))
    assert all(f.site is not None and 1 <= f.site.line <= last for f in found.findings), text
    return found


# --- random Python


def with_familiar_names(text: str) -> str:
    """The same text with names that exist: random names would be unknown values."""

    def known(match: re.Match[str]) -> str:
        name = match[0]
        if name[0].isdigit() or keyword.iskeyword(name) or text[match.end() :][:1] in "'\"":
            return name
        return KNOWN[hashlib.sha256(name.encode()).digest()[0] % len(KNOWN)]

    return re.sub(r"\w+", known, text)


def _statements() -> st.SearchStrategy[str]:
    kinds = [libcst.SimpleStatementLine, libcst.If, libcst.For, libcst.FunctionDef, libcst.With]
    made = st.one_of([hypothesmith.from_node(kind, auto_target=False) for kind in kinds])
    return made.map(with_familiar_names)


def _expressions() -> st.SearchStrategy[str]:
    made = hypothesmith.from_node(libcst.Expr, auto_target=False)
    return made.map(lambda text: f"({with_familiar_names(text).strip()})")


def _in_a_net(init: str, forward: str) -> str:
    return NET.format(init=indent(init, " " * 8), forward=indent(forward, " " * 8))


KINDS: dict[str, st.SearchStrategy[str]] = {
    "grammar": hypothesmith.from_grammar(auto_target=False).map("import torch\n{}".format),
    "module": hypothesmith.from_node(auto_target=False).map("import torch\n{}".format),
    "statements": st.builds(_in_a_net, _statements(), _statements()),
    "expressions": st.tuples(*[_expressions()] * 3).map(lambda three: LAYER.format(*three)),
}


def fuzz(kind: str, examples: int, start: int = 0) -> Counter[str]:
    """Check random texts of a kind; count them, and those that do not parse."""
    counts: Counter[str] = Counter()

    @seed(start)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(KINDS[kind])
    def each(text: str) -> None:
        codes = {finding.code for finding in check(text).findings}
        counts[f"{kind}, no Python" if "CVL901" in codes else kind] += 1

    each()
    return counts


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of hypothesmith's strategies
@pytest.mark.parametrize("kind", KINDS)
def test_random_python(kind: str) -> None:
    counts = fuzz(kind, 12)
    assert counts[kind] > counts[f"{kind}, no Python"]


# --- layers and operations in a row, with unusual arguments


def odd_calls(random: Random) -> str:
    """A model of random layers and operations."""
    usual = ("3", "8", "(3, 3)", "2", "1", "x", "(2, 8, -1)", "c")

    def given(template: str) -> str:
        odd = random.choice([*usual, *usual, *ODD_ARGUMENTS[1:]])
        return template.format(odd)

    layers = [given(random.choice(LAYERS)) for _ in range(4)]
    steps = [f"x = self.a{number}(x)" for number in range(4)]
    steps += [f"x = {given(random.choice(CALLS))}" for _ in range(4)]
    random.shuffle(steps)
    init = "\n".join(f"x = c\nself.a{number} = nn.{layer}" for number, layer in enumerate(layers))
    return _in_a_net(init, "\n".join(steps))


def fuzz_odd_calls(count: int, start: int = 0) -> Counter[str]:
    """Check models of odd calls."""
    counts: Counter[str] = Counter()
    for number in range(start, start + count):
        codes = {finding.code for finding in check(odd_calls(Random(number))).findings}
        counts["odd calls, no Python" if "CVL901" in codes else "odd calls"] += 1
        counts["odd calls with a finding"] += bool(codes - {"CVL901", "CVL902"})
    return counts


@pytest.mark.slow
def test_odd_calls_in_a_row() -> None:
    counts = fuzz_odd_calls(300)
    assert counts["odd calls"] == 300
    assert counts["odd calls with a finding"] > 100


# --- real models with misplaced tokens


def _models() -> list[str]:
    """Files of models, long ones class by class."""
    paths = [*ROOT.glob("fixtures/**/*.py"), *ROOT.glob("tests/rules/latent_[bg]*.py")]
    found = []
    for path in sorted(paths):
        text = path.read_text(encoding="utf-8")
        found += [text] if text.count("\n") < 120 else _classes(text)
    return found


def _classes(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    head = "\n".join(map(ast.unparse, imports))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield f"{head}\n\n\n{ast.get_source_segment(text, node)}\n"


def mutant(random: Random, text: str) -> str:
    """A text with a few tokens dropped, doubled, swapped, or replaced by others."""
    tokens: list[str] = re.findall(r"\w+|\s+|[^\w\s]", text)
    real = [place for place, token in enumerate(tokens) if not token.isspace()]
    place, other = random.choice(real), random.choice(real)
    match random.choice(["drop", "double", "swap", "copy", "odd"]):
        case "drop":
            tokens[place] = ""
        case "double":
            tokens[place] += f" {tokens[place]}"
        case "swap":
            tokens[place], tokens[other] = tokens[other], tokens[place]
        case "copy":
            tokens[place] = tokens[other]
        case "odd":
            tokens[place] = random.choice(ODD)
    return "".join(tokens)


def graft(random: Random, text: str) -> str:
    """A text with an expression or a statement in the place of another: it mostly parses."""
    kind = random.choice([ast.expr, ast.expr, ast.expr, ast.stmt])
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kind)]
    place, other = random.choice(nodes), random.choice(nodes)
    lines = [0, *[match.end() for match in re.finditer("\n", text)]]
    start = lines[place.lineno - 1] + place.col_offset
    end = lines[(place.end_lineno or 1) - 1] + (place.end_col_offset or 0)
    given = ast.get_source_segment(text, other) or "pass"
    if kind is ast.expr:
        given = f"({given})" if random.random() < 0.8 else random.choice(ODD)
    return text[:start] + given + text[end:]


def _changed(random: Random, text: str) -> str:
    for _ in range(random.choice([1, 1, 2, 4])):
        try:
            text = random.choice([graft, graft, mutant])(random, text)
        except (SyntaxError, ValueError, IndexError):
            return text
    return text


def fuzz_models(count: int, start: int = 0) -> Counter[str]:
    """Check mutants of real models and of random programs."""
    counts: Counter[str] = Counter()
    models = _models()
    for number in range(start, start + count):
        random = Random(number)
        text = random_program(number).source if number % 4 == 0 else random.choice(models)
        codes: set[Any] = {finding.code for finding in check(_changed(random, text)).findings}
        counts["mutants, no Python" if "CVL901" in codes else "mutants"] += 1
        counts["mutants with a finding"] += bool(codes - {"CVL901", "CVL902"})
    return counts


@pytest.mark.slow
def test_real_models_with_misplaced_tokens() -> None:
    counts = fuzz_models(400)
    assert counts["mutants"] > 200
    assert counts["mutants with a finding"] > 50


# --- for an hour


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of the strategy, in a message
def test_for_an_hour(capsys: pytest.CaptureFixture[str]) -> None:
    end = time.monotonic() + 60 * float(os.environ.get("CONVLINT_FUZZ_MINUTES", "60"))
    start = int(os.environ.get("CONVLINT_FUZZ_SEED", "0"))
    counts: Counter[str] = Counter()
    while time.monotonic() < end:
        for kind in KINDS:
            counts += fuzz(kind, 100, start)
        counts += fuzz_models(1000, 1000 * start)
        counts += fuzz_odd_calls(1000, 1000 * start)
        start += 1
        with capsys.disabled():
            sys.stdout.write(f"{start}: {dict(counts)}\n")
    assert counts["mutants"]
