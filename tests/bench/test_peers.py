"""The bench that has convlint and other tools on the same cases, as far as the tests have the tools installed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from bench import peers, peers_audit, peers_left, peers_linters, peers_tools
from bench.peers_cases import CASES, Broken, Frozen
from bench.peers_env import PINS, ROOT, cache_folder
from bench.peers_examples import broken_models
from bench.peers_linters import Found, Planted

INSTALLED = ("convlint", "torchinfo", "fvcore", "ptflops", "ptflops, aten", "torchsummary")
"""The counting tools that the tests have."""


def column(title: str, tool: str) -> list[str]:
    """The cells of a tool in the published table below a heading."""
    page = peers.PAGE.read_text(encoding="utf-8")
    table = page.partition(f"### {title}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    rows = [[cell.strip("| ") for cell in row] for row in rows]
    place = rows[0].index(tool)
    return [row[place] for row in rows[2:]]


def row(title: str, tool: str) -> list[str]:
    """The published cells of a table that has a row for each tool."""
    page = peers.PAGE.read_text(encoding="utf-8")
    table = page.partition(f"### {title}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    (found,) = [line for line in table.splitlines() if line.startswith(f"| {tool} |")]
    return [cell.strip() for cell in found.strip("|").split(" | ")]


# What they count


@pytest.mark.parametrize("case", CASES)
def test_convlint_counts_as_pytorch_does(case: str) -> None:
    model = CASES[case]().eval()
    assert peers_tools.counted("convlint", CASES[case]()) == peers_tools.true(model)


def test_the_truth_has_the_products_of_attention() -> None:
    pixels, channels = 32 * 32, 8
    products = 2 * pixels * pixels * channels
    scaled = peers_tools.true(CASES["`scaled_dot_product_attention`"]().eval())
    assert scaled.macs == pixels * channels * 3 * channels + products
    heads = peers_tools.true(CASES["`nn.MultiheadAttention`"]().eval())
    assert heads.macs == pixels * channels * channels * (1 + 3 + 1) + products


@pytest.mark.parametrize("tool", INSTALLED)
def test_the_published_figures_are_what_a_tool_says(tool: str) -> None:
    titles = {"macs": "Multiply-accumulates", "params": "Parameters"}
    said = {case: peers_tools.of_case(tool, case) for case in CASES}
    peers_left.unpatch()
    for figure, title in titles.items():
        if (tool, figure) == ("torchsummary", "macs"):
            continue
        true = {case: getattr(peers_tools.true(CASES[case]().eval()), figure) for case in CASES}
        cells = [peers.one_figure(said[case], true[case], figure) for case in CASES]
        assert cells == column(title, tool), "run `python -m bench.peers --write --no-times`"


@pytest.mark.slow
@pytest.mark.parametrize("tool", INSTALLED)
def test_what_is_published_of_models_that_fail_is_what_a_tool_does(tool: str) -> None:
    says, left = peers_tools.of_broken(tool), peers_tools.left_behind(tool, Broken())
    published = row("A broken model", tool)
    assert [published[1], published[3]] == [says, left]
    assert row("A working model", tool)[1] == peers_tools.left_behind(tool, Frozen())


def test_a_function_of_pytorch_that_was_replaced_is_noticed_and_put_back() -> None:
    before = torch.nn.functional.relu
    try:
        torch.nn.functional.relu = lambda x: before(x)  # noqa: PLW0108  as calflops wraps it
        assert peers_left.patches() == [(torch.nn.functional, "relu")]
        peers_left.unpatch()
        assert torch.nn.functional.relu is before
    finally:
        torch.nn.functional.relu = before


def test_what_is_left_on_a_model_is_counted() -> None:
    model = Frozen()
    before = peers_left.noted(model)
    assert before.changes(model) == "nothing"
    model.conv.register_forward_hook(lambda *_: None)
    model.register_buffer("total_ops", torch.zeros(1))
    model.norm.train()
    model.norm.flops = 0
    found = "hooks: 1, attributes: 1, buffers: 1, training flags changed: 1"
    assert before.changes(model) == found


# What they find


def test_every_broken_model_and_gdconv_are_planted() -> None:
    found = peers_linters.planted()
    assert {one.file for one in found} == broken_models().keys() | {"gdconv"}
    assert {(one.line, one.code, one.layer) for one in found if one.file == "gdconv"} == {
        (14, "CVL202", "conv"),
        (17, "CVL201", "bn"),
    }


def test_an_annotation_moves_no_line() -> None:
    for file in broken_models().values():
        text = file.read_text(encoding="utf-8")
        annotated = peers_linters.annotated(text)
        assert ast.parse(annotated)
        assert "x: Annotated[torch.Tensor, Shape(" in annotated
        assert len(annotated.splitlines()) == len(text.splitlines())


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], ""),
        ([Found("net", 4, "X1", "error")], "its line"),
        ([Found("net", 9, "X1", "error")], "line 9"),
        ([Found("net", 9, "X1", "error"), Found("net", 4, "X2", "error")], "its line"),
        ([Found("other", 4, "X1", "error")], ""),
    ],
)
def test_where_a_linter_tells_a_defect(found: list[Found], told: str) -> None:
    planted = Planted("net", 4, "CVL301", "stem", "")
    assert peers_linters.where(planted, "TorchFix", found) == told


def test_of_convlint_only_the_rule_of_the_defect_counts() -> None:
    planted = Planted("net", 4, "CVL301", "stem", "")
    other = [Found("net", 4, "CVL302", "warning")]
    assert peers_linters.where(planted, "convlint, text", other) == ""


def test_torch_audit_tells_a_defect_by_its_layer() -> None:
    planted = Planted("net", 4, "CVL305", "stem", "")
    unused = {"code": "TA500", "severity": "error", "module": "stem"}
    assert peers_linters.audited(planted, [unused]) == "layer `stem`"
    assert peers_linters.audited(planted, [{**unused, "module": None}]) == "TA500, no layer"
    assert peers_linters.audited(planted, [{**unused, "code": "TA200"}]) == ""
    assert peers_linters.audited(planted, None) == "as PyTorch"


def test_the_line_at_which_pytorch_raises() -> None:
    lines = {}
    for code in ("cvl101_groups_not_dividing", "cvl102_conv_input_channels", "cvl301_bias_before_norm"):
        file = broken_models()[code]
        scope: dict[str, type[torch.nn.Module]] = {}
        exec(compile(file.read_text(encoding="utf-8"), file, "exec"), scope)  # noqa: S102
        lines[code[:6]] = peers_audit.raising_line(scope["Net"], torch.zeros(1, 3, 32, 32), file)
    assert lines == {"cvl101": 13, "cvl102": 17, "cvl301": None}


def test_the_published_table_of_convlint_has_every_planted_bug_at_its_line() -> None:
    cells = column("Planted bugs", "convlint, run")
    count = len(peers_linters.planted())
    assert cells[:count] == ["its line"] * count


# Their environment


def test_both_environments_have_the_same_releases() -> None:
    def pins(file: Path) -> dict[str, str]:
        lines = re.sub(r"#.*", "", file.read_text(encoding="utf-8")).split()
        return {one.name: str(one.specifier) for one in map(Requirement, lines)}

    theirs, ours = pins(PINS), pins(ROOT / "constraints.txt")
    assert {name: theirs[name] for name in theirs.keys() & ours.keys()} == {
        name: ours[name] for name in theirs.keys() & ours.keys()
    }
    assert all(specifier.startswith("==") for specifier in theirs.values())


def test_their_environment_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert cache_folder() == Path("/var/cache/me/convlint/peers")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/convlint/peers")


@pytest.mark.sweep
def test_the_comparison_is_current() -> None:
    command = [sys.executable, "-m", "bench.peers", "--no-times"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    page = peers.PAGE.read_text(encoding="utf-8")
    assert done.stdout.strip() in page, "run `python -m bench.peers --write --no-times`"
