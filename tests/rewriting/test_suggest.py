"""``convlint suggest`` from end to end: what it prints and writes, and that git and PyTorch agree with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.outputs.test_json import SCHEMA, ordered, strict
from tests.rewriting.suggest_project import Project, Result

ROOT = Path(__file__).parents[2]
CONV = (ROOT / "fixtures" / "conv.py").read_text(encoding="utf-8")
NET = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self, width=64):
        super().__init__(
            nn.Conv2d(3, width, 3, padding=1),  # the stem
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.Conv2d(2 * width, 8, 1),
            nn.Flatten(),
            nn.Linear(8 * 14 * 14, 32),
        )
"""
INPUT = ("--input", "3,14,14")


@pytest.fixture
def here(kept: Project) -> Project:
    return kept.emptied()


@pytest.fixture
def net(here: Project) -> Project:
    here.write("net.py", NET)
    return here


def counts(project: Project, call: str, *shape: int, name: str = "net.py") -> tuple[int, int]:
    """Parameters and multiply-accumulates of a model as PyTorch counts them."""
    model = eval(call, project.load(name))  # noqa: S307 - a call of these tests
    with FlopCounterMode(display=False) as flops:
        model(torch.zeros(1, *shape))
    return sum(p.numel() for p in model.parameters()), flops.get_total_flops() // 2


# --- the numbers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "params", "macs"),
    [
        (("--kind", "grouped", "--groups", "8"), 18_688, 9 * 64 * 256 // 8),
        (("--kind", "depthwise-separable"), 576 + 16_640, 9 * 64 + 64 * 256),
    ],
)
def test_a_dense_convolution_as_the_command_rewrites_it(
    here: Project, arguments: tuple[str, ...], params: int, macs: int
) -> None:
    here.write("conv.py", CONV)
    shape = ("--input", "64,224,224")
    result = here.shell("conv.py:Conv(64, 256)", *shape, *arguments, "--output-format", "diff")
    assert result.code == 0, result
    assert f"params: 147,712 -> {params:,} " in result.err
    assert counts(here, "Conv(64, 256)", 64, 224, 224, name="conv.py")[0] == 147_712
    here.apply(result.out)
    after = counts(here, "Conv(64, 256)", 64, 224, 224, name="conv.py")
    assert after == (params, macs * 224 * 224)
    assert here.load("conv.py")["Conv"](64, 256)(torch.zeros(1, 64, 9, 9)).shape == (1, 256, 9, 9)


def suggestions(result: Result) -> list[dict[str, Any]]:
    assert result.code == 0, result
    found: list[dict[str, Any]] = result.document["suggestions"]
    return found


@pytest.mark.slow
def test_every_suggestion_by_itself_does_what_it_says(net: Project) -> None:
    found = suggestions(net.suggest("net.py:Net(64)", *INPUT, "--output-format", "json"))
    assert {one["code"] for one in found} == {"CVL501", "CVL502", "CVL503", "CVL504"}
    params, macs = counts(net, "Net(64)", 3, 14, 14)
    for one in found:
        net.write("net.py", NET)
        net.apply(one["diff"])
        saved = params - one["saved"]["params"], macs - one["saved"]["macs"]
        assert counts(net, "Net(64)", 3, 14, 14) == saved
        assert counts(net, "Net(width=24)", 3, 14, 14)  # it can be built otherwise, as before


FACTORY = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=32, device=None, dtype=None):
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.one = nn.Conv2d(width, width, 3, padding=1, **dd)
        self.two = nn.Conv2d(width, width, 5, padding=2, padding_mode="circular")
        self.three = nn.Conv2d(width, 2 * width, 3, 2, 1, dilation=1, dtype=dtype)
        self.four = nn.Conv2d(2 * width, width, kernel_size=(3, 3), padding="same")

    def forward(self, x):
        x = self.two(self.one(self.stem(x)))
        return self.four(self.three(x)).mean((2, 3))
"""
PASSED_ON = """\
from torch import nn


def conv(c_in, c_out, **options):
    return nn.Conv2d(c_in, c_out, 3, padding=1, **options)


class Net(nn.Module):
    def __init__(self, width=32, device=None):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.one = conv(width, width, device=device)
        self.two = nn.Conv2d(width, width, 3, padding=1, device=device, padding_mode="reflect")

    def forward(self, x):
        return self.two(self.one(self.stem(x))).mean((2, 3))
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", [FACTORY, PASSED_ON])
def test_every_chosen_suggestion_works_without_the_others(here: Project, text: str) -> None:
    here.write("net.py", text)
    found = suggestions(here.suggest("net.py:Net", "--input", "3,16,16", "--output-format", "json"))
    params, macs = counts(here, "Net()", 3, 16, 16)
    chosen = [one for one in found if one["chosen"]]
    assert len(chosen) > 1
    for one in chosen:
        here.write("net.py", text)
        here.apply(one["diff"])
        saved = params - one["saved"]["params"], macs - one["saved"]["macs"]
        assert counts(here, "Net()", 3, 16, 16) == saved


@pytest.mark.slow
def test_all_together_are_what_the_totals_say(net: Project) -> None:
    document = net.suggest("net.py:Net", *INPUT, "--output-format", "json").document
    chosen = [one for one in document["suggestions"] if one["chosen"]]
    assert [one["instances"] for one in chosen] == [["3"], ["1"], ["6"]]
    before, after = document["rewritten"]["before"], document["rewritten"]["after"]
    assert counts(net, "Net()", 3, 14, 14) == (before["params"], before["macs"])
    assert after["params"] == before["params"] - sum(one["saved"]["params"] for one in chosen)
    net.apply(document["rewritten"]["diff"])
    assert counts(net, "Net()", 3, 14, 14) == (after["params"], after["macs"])
    text = (net.folder / "net.py").read_text()
    assert text.count("class DepthwiseSeparableConv2d") == 1
    assert "nn.Conv2d(3, width, 3, padding=1),  # the stem\n" in text


def test_one_call_is_rewritten_for_all_the_layers_that_it_builds(here: Project) -> None:
    text = """\
        from torch import nn
        def block(a, b):
            return nn.Conv2d(a, b, 3, padding=1)
        def mixed(a, b):
            return nn.Sequential(block(a, b), nn.Conv2d(b, b, 1))
        def net():
            return nn.Sequential(*[mixed(32, 32) for _ in range(3)], mixed(32, 64))
        """
    here.write("net.py", "\n".join(line[8:] for line in text.splitlines()))
    arguments = ("net.py:net", "--input", "32,30,30", "--kind", "grouped")
    (one,) = suggestions(here.suggest(*arguments, "--output-format", "json"))
    assert (one["instances"], one["line"], one["title"]) == (["0.0", "1.0", "2.0", "3.0"], 3, "2 groups")
    here.apply(one["diff"])
    assert {layer[0].groups for layer in here.load("net.py")["net"]()} == {2}


# --- formats


def test_a_diff_alone_is_on_stdout_and_all_else_on_stderr(net: Project) -> None:
    result = net.suggest("net.py:Net", *INPUT, "--output-format", "diff")
    assert (result.code, result.out[:32]) == (0, "diff --git a/net.py b/net.py\n---")
    assert "CVL502" in result.err
    assert "diff --git" not in result.err
    net.apply(result.out)
    assert "Conv2d(3, width, 3" in (net.folder / "net.py").read_text()


def test_git_applies_the_text_as_it_is(net: Project) -> None:
    result = net.suggest("net.py:Net", *INPUT)
    assert (result.code, result.err) == (0, "")
    net.apply(result.out)
    assert (net.folder / "net.py").read_text() != NET


def test_the_text_shows_the_call_and_what_becomes_of_it(net: Project) -> None:
    out = net.suggest("net.py:Net", *INPUT, "--kind", "grouped", "--color", "never").out
    assert "net.py:10:13: CVL501 8 groups\n" in out
    assert "10 |             nn.Conv2d(2 * width, 2 * width, 3, padding=1),\n" in out
    weights = 9 * 128 * 128
    assert f"params: {weights + 128:,} -> {weights // 8 + 128:,} (-87.4 %)" in out
    assert f"MACs: {weights * 196:,} -> {weights * 196 // 8:,} (-87.5 %)" in out
    assert "+            nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=8),\n" in out
    assert "\033[" in net.suggest("net.py:Net", *INPUT, "--color", "always").out


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--groups", "7"), ("--weights", "net.pt", "--kind", "grouped")])
def test_json_is_what_the_schema_describes(net: Project, arguments: tuple[str, ...]) -> None:
    torch.save(net.load("net.py")["Net"]().state_dict(), net.folder / "net.pt")
    document = net.suggest("net.py:Net", *INPUT, *arguments, "--output-format", "json").document
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(document)
    ordered(document, SCHEMA)
    assert document["suggestions"]
    assert document["rewritten"]["verified"]["params_equal"] is True
    assert bool(document["refusals"]) == ("--kind" not in arguments)
    errors = [one["weight_error"] for one in document["suggestions"]]
    assert all((error is not None) == ("--weights" in arguments) for error in errors)


@pytest.mark.slow
def test_measured_times_stand_beside_what_is_saved(net: Project) -> None:
    arguments = ("--measure", "--kind", "grouped", "--top", "1", "--output-format", "json")
    document = net.suggest("net.py:Net", *INPUT, *arguments).document
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(document)
    (one,) = document["suggestions"]
    assert (set(one["latency"]), set(document["rewritten"]["latency"])) == ({"layers"}, {"model"})
    for layouts in (*one["latency"].values(), *document["rewritten"]["latency"].values()):
        assert set(layouts) == {"contiguous", "channels-last"}
        for timing in layouts.values():
            for side in ("before", "after"):
                assert 0 < timing[side]["min"] <= timing[side]["median"] < 1


@pytest.mark.slow
def test_markdown_has_a_table_and_the_diff(net: Project) -> None:
    result = net.suggest("net.py:Net", *INPUT, "--output-format", "markdown", "--explain")
    lines = result.out.splitlines()
    table = [line for line in lines if (line.startswith("|") and "CVL50" in line) or line.startswith("| rewrite")]
    assert lines[0].startswith("**")
    assert " parameters (-" in lines[0]
    assert "| depthwise-separable" in result.out
    assert len({line.count("|") - line.count("\\|") for line in table}) == 1
    assert len([line for line in table if "CVL50" in line]) >= 4
    _, diff = result.out.split("```diff\n")
    net.apply(diff.split("```")[0])
    assert "Not rewritten:" in lines


# --- writing


def test_write_replaces_the_files_and_says_so(net: Project) -> None:
    result = net.suggest("net.py:Net", *INPUT, "--kind", "grouped", "--write")
    assert (result.code, result.err) == (0, "Wrote net.py.\n")
    written = (net.folder / "net.py").read_bytes()
    net.write("net.py", NET)
    net.apply(result.out)
    assert (net.folder / "net.py").read_bytes() == written
    assert [p.name for p in net.folder.iterdir() if p.name != ".git"] == ["net.py"]


def test_what_was_written_is_shown_as_it_was_before(net: Project) -> None:
    shown = net.suggest("net.py:Net", *INPUT, "--kind", "grouped").out
    assert net.suggest("net.py:Net", *INPUT, "--kind", "grouped", "--write").out == shown


@pytest.mark.slow
def test_a_second_run_finds_nothing_more_to_write(net: Project) -> None:
    net.suggest("net.py:Net", *INPUT, "--kind", "depthwise-separable", "--write")
    written = (net.folder / "net.py").read_bytes()
    result = net.suggest("net.py:Net", *INPUT, "--kind", "depthwise-separable", "--write")
    assert (result.code, result.err) == (0, "")
    assert "Nothing to rewrite." in result.out
    assert (net.folder / "net.py").read_bytes() == written


@pytest.mark.slow
def test_several_files_are_rewritten_together(here: Project) -> None:
    here.write("pack/__init__.py", "")
    block = "from torch.nn import Conv2d\r\n\r\n\r\ndef block(a, b):\r\n    return Conv2d(a, b, 3)\r\n"
    here.write("pack/block.py", block)
    net = "from torch import nn\n\nfrom .block import block\n\n\ndef net():\n    return nn.Sequential("
    here.write("pack/net.py", f"{net}block(32, 32), nn.Conv2d(32, 64, 3))\n")
    options = ("--kind", "depthwise-separable", "--write")
    result = here.suggest("pack/net.py:net", "--input", "32,9,9", *options)
    assert result.err == "Wrote pack/block.py, pack/net.py.\n"
    assert b"\n" not in (here.folder / "pack/block.py").read_bytes().replace(b"\r\n", b"")
    here.write("pack/block.py", block)
    here.write("pack/net.py", f"{net}block(32, 32), nn.Conv2d(32, 64, 3))\n")
    here.apply(result.out)
    (model,) = here.suggest("pack/net.py:net", "--input", "32,9,9", "--output-format", "json").document["models"]
    separable = (9 * 32 + 32 * 32 + 32) + (9 * 32 + 32 * 64 + 64)
    assert model["totals"]["params"] == separable


# --- which


def layers(project: Project, *arguments: str) -> list[tuple[str, list[str]]]:
    """Codes and layers of what is chosen."""
    found = suggestions(project.suggest("net.py:Net", *INPUT, *arguments, "--output-format", "json"))
    return [(one["code"], one["instances"]) for one in found if one["chosen"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (("--kind", "grouped"), [("CVL501", ["3"]), ("CVL501", ["1"])]),
        (
            ("--kind", "grouped", "--kind", "global-depthwise"),
            [("CVL501", ["3"]), ("CVL501", ["1"]), ("CVL504", ["6"])],
        ),
        (("--kind", "factorised"), [("CVL503", ["3"])]),
        (("--kind", "grouped", "--layer", "1"), [("CVL501", ["1"])]),
        (("--kind", "grouped", "--layer", "[12]", "--layer", "4"), [("CVL501", ["1"])]),
        (("--kind", "grouped", "--top", "1"), [("CVL501", ["3"])]),
        (("--kind", "grouped", "--min-saving", "30%"), [("CVL501", ["3"])]),
        (("--kind", "grouped", "--min-saving", "0.9"), []),
        (("--kind", "grouped", "--groups", "64"), [("CVL501", ["3"]), ("CVL501", ["1"])]),
        (("--kind", "grouped", "--groups", "128"), [("CVL501", ["3"])]),
        (("--pairs", "2", "--kind", "depthwise-separable"), [("CVL505", ["3"]), ("CVL505", ["1"])]),
    ],
)
def test_which_layers_are_rewritten(
    net: Project, arguments: tuple[str, ...], chosen: list[tuple[str, list[str]]]
) -> None:
    assert layers(net, *arguments) == chosen


@pytest.mark.parametrize("most", [200_000, 100_000, 60_000])
def test_a_budget_of_parameters_is_reached_as_cheaply_as_can_be(net: Project, most: int) -> None:
    given = ("net.py:Net", *INPUT, "--target-params", f"{most / 1000}k", "--output-format", "json")
    document = net.suggest(*given).document
    rewritten = document["rewritten"]
    assert rewritten["after"]["params"] <= most < rewritten["before"]["params"]
    assert rewritten["goal"] == f"at most {most:,} parameters: reached"
    saved = [one["saved"]["params"] for one in document["suggestions"] if one["chosen"]]
    assert rewritten["after"]["params"] + min(saved) > most  # none can be left out
    net.apply(rewritten["diff"])
    assert counts(net, "Net()", 3, 14, 14)[0] == rewritten["after"]["params"]


def test_a_budget_that_cannot_be_reached_is_said_not_to_be(net: Project) -> None:
    result = net.suggest("net.py:Net", *INPUT, "--target-macs", "1k", "--target-params", "1M")
    assert result.code == 0
    assert "goal: at most 1,000,000 parameters and 1,000 MACs: not reached" in result.out


def test_a_budget_that_is_kept_already_asks_for_nothing(net: Project) -> None:
    result = net.suggest("net.py:Net", *INPUT, "--target-params", "10M", "--output-format", "json")
    assert result.document["rewritten"] is None
    assert not any(one["chosen"] for one in suggestions(result))


def weights_of(net: Project) -> tuple[str, str]:
    torch.save(net.load("net.py")["Net"]().state_dict(), net.folder / "net.pt")
    return "--weights", "net.pt"


def test_a_search_for_a_size_that_the_model_has_already_says_so(net: Project) -> None:
    result = net.suggest("net.py:Net", *INPUT, *weights_of(net), "--target-params", "10M", "--output-format", "json")
    reasons = {one["reason"] for one in result.document["refusals"]}
    assert "the model has at most 10,000,000 parameters already" in reasons


# --- what stands between, and what does not run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("between", "kinds"),
    [
        ("none", []),
        ("norm", ["BatchNorm2d"]),
        ("norm-relu", ["BatchNorm2d", "ReLU"]),
        ("norm-prelu", ["BatchNorm2d", "PReLU"]),
    ],
)
def test_what_stands_between_both_halves(net: Project, between: str, kinds: list[str]) -> None:
    arguments = ("--kind", "depthwise-separable", "--between", between, "--layer", "1")
    result = net.suggest("net.py:Net", *INPUT, *arguments)
    assert result.code == 0
    net.apply(result.out)
    made = net.load("net.py")["Net"]()[1]
    assert [type(m).__name__ for m in made.children()] == ["Conv2d", *kinds, "Conv2d"]


def test_the_model_does_not_run(here: Project) -> None:
    here.write("net.py", NET.replace("2 * width, 8, 1", "width, 8, 1"))
    result = here.suggest("net.py:Net", *INPUT)
    assert result.code == 2
    assert result.out.splitlines()[0].startswith("net.py:Net: problem [does-not-run] the model does not run")
    assert "diff --git" not in result.out


@pytest.mark.slow
def test_what_the_model_prints_is_told_once_and_not_in_the_diff(here: Project) -> None:
    here.write("net.py", NET.replace("super()", "print('a word'); super()"))
    result = here.shell("net.py:Net", *INPUT, "--output-format", "diff", "--kind", "grouped")
    assert result.code == 0
    assert "a word" not in [line.strip("+- ") for line in result.out.splitlines()]
    assert result.err.splitlines().count("a word") == 1
    here.apply(result.out)
