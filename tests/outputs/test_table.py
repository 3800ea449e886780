"""The layer table: what it prints, that it adds up, and that it fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from convlint.analysis import cost
from convlint.ir import Call, Failure, Graph, Layer, Model, Node, Site, Tensor
from convlint.outputs.parts import table
from convlint.outputs.parts.columns import COLUMNS, DEFAULT, KEPT_FIRST, TableOptions
from convlint.outputs.parts.tree import BRANCHES

MAP = (1, 64, 56, 56)
CONV = 64 * 64 * 9  # weights of a 3x3 convolution from 64 to 64 channels, without bias


class Net:
    """A graph written by hand: layers called one after the other, all on 64 maps of 56x56."""

    def __init__(self) -> None:
        self.layers = [Layer("", "Net", "Module", leaf=False)]
        self.nodes = [Node(0, "input", outputs=(Tensor(0, MAP),))]
        self.calls: list[Call] = []

    @contextmanager
    def module(self, name: str, kind: str, **facts: Any) -> Iterator[None]:
        """A module around the layers that are called meanwhile."""
        self.layers.append(Layer(name, kind, "Module", leaf=False, **facts))
        start = len(self.nodes)
        yield
        stop = len(self.nodes)
        self.calls.append(Call(name, (start - 1,), (stop - 1,), start, stop))

    def conv(self, name: str, kernel: int = 3, line: int = 1, **facts: Any) -> None:
        attrs = {
            **dict.fromkeys(("in_channels", "out_channels"), 64),
            "kernel_size": (kernel, kernel),
            "groups": 1,
            "bias": False,
            "transposed": False,
        }
        site = Site("net.py", line, 5, line, 20)
        weights = parameters(64 * 64 * kernel * kernel)
        self._call(Layer(name, "Conv2d", "Conv2d", site=site, **weights, **facts), "conv2d", attrs)

    def relu(self, name: str, **facts: Any) -> None:
        self._call(Layer(name, "ReLU", "ReLU", **facts), "relu", {})

    def scripted(self, name: str) -> None:
        """A layer whose inside was not seen."""
        self._call(Layer(name, "Scripted", "Module", **parameters(10)), "unseen", {})

    def _call(self, layer: Layer, op: str, attrs: dict[str, object]) -> None:
        n = len(self.nodes)
        self.layers.append(layer)
        self.nodes.append(Node(n, op, layer=layer.name, inputs=(n - 1,), outputs=(Tensor(n, MAP),), attrs=attrs))
        self.calls.append(Call(layer.name, (n - 1,), (n,), n, n + 1))

    def report(self, **facts: Any) -> Model:
        last = len(self.nodes)
        graph = Graph(
            target="net.py:Net",
            layers=tuple(self.layers),
            nodes=tuple(self.nodes),
            calls=(Call("", (0,), (last - 1,), 1, last), *self.calls),
            inputs=("x: 1x64x56x56 float32",),
            outputs=("1x64x56x56 float32",),
            input_source="--input",
            input_bytes=4 * 64 * 56 * 56,
        )
        graph.lint()
        return cost.model_report(replace(graph, **facts))


def parameters(count: int) -> dict[str, int]:
    return {"params": count, "trainable_params": count, "params_bytes": 4 * count}


@cache
def blocks() -> Model:
    """A stem, three equal blocks of a convolution and a ReLU, and a head."""
    net = Net()
    net.conv("stem", kernel=1)
    with net.module("body", "Sequential"):
        for n in range(3):
            with net.module(f"body.{n}", "Block"):
                net.conv(f"body.{n}.conv", line=10 + n)
                net.relu(f"body.{n}.act")
    net.conv("head", kernel=1)
    return net.report()


def shown(model: Model, *columns: str, width: int | None = None, **options: Any) -> str:
    return table.render(model, TableOptions(columns, **options), width=width)


def grid(text: str) -> list[str]:
    """The lines of the table itself, without what stands above and below."""
    lines = text.splitlines()
    rule = next(n for n, line in enumerate(lines) if line.startswith("---"))
    end = next(n for n in range(rule, len(lines)) if not lines[n] or lines[n].startswith("stopped"))
    return lines[rule + 1 : end]


def cells(text: str) -> list[list[str]]:
    """The cells of each line, without branches; those of the first column may hold single spaces."""
    return [re.split(r" {2,}", line.strip(BRANCHES)) for line in grid(text)]


def counts(text: str) -> list[int]:
    """The last column of a table of counts; "-" is none."""
    last = [line[-1].replace(",", "") for line in cells(text)]
    return [0 if cell == "-" else int(cell) for cell in last]


# --- what is printed


def test_tree_folds_equal_blocks_and_ends_with_totals() -> None:
    text = shown(blocks(), "name", "kind", "calls", "output", "kernel", "params", "macs")
    assert text == dedent("""\
        model: net.py:Net
        input: x: 1x64x56x56 float32 (--input)
        output: 1x64x56x56 float32

        layer            kind        calls      output  kernel   params         MACs
        ----------------------------------------------------------------------------
        (model)          Net             1  1x64x56x56          118,784  372,506,624
        ├─stem           Conv2d          1  1x64x56x56     1x1    4,096   12,845,056
        ├─body           Sequential      1  1x64x56x56          110,592  346,816,512
        │ └─0 .. 2 (x3)  Block           3  1x64x56x56          110,592  346,816,512
        │   ├─conv       Conv2d          3  1x64x56x56     3x3  110,592  346,816,512
        │   └─act        ReLU            3  1x64x56x56                -            -
        └─head           Conv2d          1  1x64x56x56     1x1    4,096   12,845,056

        Params: 119 k (119 k trainable, 0 frozen)
        MACs: 373 M (FLOPs = 2 x MACs)
        Memory in use, measured (1 MB = 2**20 bytes):
          Peak inference memory (MB): not measured
          Saved for backward (MB): not measured
          Training step (MB): not measured
        (xN) N equal consecutive layers, added up in one line
        """)


def test_exact_totals_and_the_classic_memory() -> None:
    text = shown(blocks(), "name", "params", exact=True, classic=True)
    assert text.endswith(
        dedent("""\
        Params: 118,784 (118,784 trainable, 0 frozen)
        MACs: 372,506,624 (FLOPs = 2 x MACs)
        Memory as torchsummary estimates it (1 MB = 2**20 bytes):
          Input size (MB): 0.77
          Forward/backward pass size (MB): 12.25
          Params size (MB): 0.45
          Total (MB): 13.47
        (xN) N equal consecutive layers, added up in one line
        """)
    )


def test_branches_join_the_modules_of_a_tree() -> None:
    net = Net()
    with net.module("a", "A"):
        with net.module("a.b", "B"):
            net.conv("a.b.x")
        net.conv("a.y", kernel=1)
    with net.module("c", "C"):
        net.conv("c.z")
    names = [line.rstrip() for line in grid(shown(net.report(), "name"))]
    assert names == ["(model)", "├─a", "│ ├─b", "│ │ └─x", "│ └─y", "└─c", "  └─z"]


def test_flat_lists_layers_by_their_whole_names() -> None:
    assert cells(shown(blocks(), "params", flat=True)) == [
        ["stem", "4,096"],
        ["body.0.conv", "36,864"],
        ["body.0.act", "-"],
        ["body.1.conv", "36,864"],
        ["body.1.act", "-"],
        ["body.2.conv", "36,864"],
        ["body.2.act", "-"],
        ["head", "4,096"],
    ]


def test_sorting_puts_the_largest_first_and_lists() -> None:
    names = [line[0] for line in cells(shown(blocks(), "macs", sort="macs"))]
    assert names[:3] == ["body.0.conv", "body.1.conv", "body.2.conv"]
    assert names[3:5] == ["stem", "head"]
    values = counts(shown(blocks(), "macs", sort="macs"))
    assert values == sorted(values, reverse=True)


def test_sorting_by_text_is_alphabetical() -> None:
    names = [line[0] for line in cells(shown(blocks(), "name", "params", sort="name"))]
    assert names == sorted(names)


def test_column_that_is_sorted_by_is_shown() -> None:
    assert shown(blocks(), "params", sort="kernel").splitlines()[4].split() == [*("layer", "params", "kernel")]


def test_depth_sums_up_what_lies_deeper() -> None:
    assert cells(shown(blocks(), "params", depth=1)) == [
        ["(model)", "118,784"],
        ["stem", "4,096"],
        ["body", "110,592"],
        ["head", "4,096"],
    ]
    assert cells(shown(blocks(), "params", depth=0)) == [["(model)", "118,784"]]


def test_depth_holds_for_a_list_too() -> None:
    assert cells(shown(blocks(), "params", depth=2, flat=True)) == [
        ["stem", "4,096"],
        ["body.0 .. body.2 (x3)", "110,592"],
        ["head", "4,096"],
    ]


def test_blocks_that_differ_are_not_folded() -> None:
    net = Net()
    net.conv("0", kernel=1)
    net.conv("1", kernel=3)
    net.conv("2", kernel=3)
    names = [line[0] for line in cells(shown(net.report(), "params"))]
    assert names == ["(model)", "0", "1 .. 2 (x2)"]


def test_share_stands_for_both_shares() -> None:
    assert cells(shown(blocks(), "share", depth=1)) == [
        ["(model)", "100.0", "100.0"],
        ["stem", "3.4", "3.4"],
        ["body", "93.1", "93.1"],
        ["head", "3.4", "3.4"],
    ]


def test_every_column_can_be_shown() -> None:
    head = shown(blocks(), *COLUMNS).splitlines()[4]
    assert re.split(r" {2,}", head) == [column.title for column in COLUMNS.values()]
    assert "net.py:11:5" in shown(blocks(), "site", flat=True)


def test_default_columns_are_ranked() -> None:
    assert sorted(DEFAULT) == sorted(KEPT_FIRST)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ("macz",)}, "unknown column 'macz': did you mean macs?"),
        ({"sort": "kernel_size"}, "unknown column 'kernel_size': did you mean kernel?"),
        ({"columns": ("!",)}, "unknown column '!': choose from name, kind, calls"),
        ({"depth": -1}, "depth must be 0 or more, not -1"),
    ],
)
def test_bad_options_say_what_to_write(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TableOptions(**options)


# --- that it adds up


@pytest.mark.parametrize("options", [{"flat": True}, {"sort": "name"}, {"flat": True, "depth": 1}])
@pytest.mark.parametrize("column", ["params", "macs"])
def test_a_list_adds_up_to_the_totals(column: str, options: dict[str, Any]) -> None:
    total = getattr(blocks().totals, column)
    assert sum(counts(shown(blocks(), column, **options))) == total
    assert f"{total:,}" in shown(blocks(), exact=True).split("\n\n")[2]


def test_parameters_of_a_container_are_counted_once() -> None:
    net = Net()
    with net.module("encoder", "Encoder", **parameters(768)):  # a class token, say
        net.conv("encoder.conv")
    assert cells(shown(net.report(), "params")) == [
        ["(model)", f"{768 + CONV:,}"],
        ["encoder", f"{768 + CONV:,}"],
        ["conv", f"{CONV:,}"],
    ]
    assert sum(counts(shown(net.report(), "params", flat=True))) == 768 + CONV


def test_what_a_module_saves_between_its_parts_is_in_its_sum() -> None:
    net = Net()
    with net.module("block", "Block", saved_bytes=2**20):
        net.conv("block.conv", saved_bytes=2**21)
    assert cells(shown(net.report(saved_bytes=3 * 2**20), "saved")) == [
        ["(model)", "3.00"],
        ["block", "3.00"],
        ["conv", "2.00"],
    ]


def test_a_real_model_adds_up_to_what_pytorch_counts() -> None:
    import torch
    from torch import nn

    from convlint.runtime.record.record import record

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.body = nn.Sequential(*[nn.Conv2d(4, 4, 3) for _ in range(3)], nn.BatchNorm2d(4))
            self.head = nn.Linear(4, 2)
            self.unused = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(x * self.scale).mean((2, 3)))

    net = Net().requires_grad_(False)
    net.head.requires_grad_()
    model = cost.model_report(record(net, (torch.zeros(1, 4, 16, 16),)).graph())
    total = sum(p.numel() for p in net.parameters())
    assert sum(counts(shown(model, "params", flat=True))) == total
    assert f"Params: {total} (10 trainable, {total - 10} frozen)" in shown(model)
    convs = 4 * 4 * 9 * (14 * 14 + 12 * 12 + 10 * 10)
    assert counts(shown(model, "macs"))[0] == convs + 4 * 2


# --- that it fits


@given(width=st.integers(min_value=40, max_value=200), flat=st.booleans())
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width: int, flat: bool) -> None:
    whole = {cell for line in cells(shown(blocks(), flat=flat)) for cell in line[1:]}
    text = shown(blocks(), width=width, flat=flat)
    assert max(map(len, text.splitlines())) <= width
    assert {cell for line in cells(text) for cell in line[1:]} <= whole


def test_a_narrow_table_names_what_it_left_out() -> None:
    text = shown(blocks(), width=60)
    left = text.split("columns hidden in this width: ")[1].split()
    assert re.split(r" {2,}", text.splitlines()[4]) == ["layer", "kind", "params", "MACs", "MACs %"]
    shown_ones = {"name", "kind", "params", "macs", "macs_share"}
    unmeasured = {"saved"}
    assert [name.strip(",") for name in left] == [name for name in DEFAULT if name not in shown_ones | unmeasured]


def test_the_column_sorted_by_stays() -> None:
    head = shown(blocks(), width=38, flat=True).splitlines()[4]
    assert re.split(r" {2,}", head) == ["layer", "params", "MACs"]
    head = shown(blocks(), width=38, sort="output_bytes").splitlines()[4]
    assert re.split(r" {2,}", head) == ["layer", "kind", "params", "output MB"]


def test_a_long_name_keeps_its_end() -> None:
    net = Net()
    net.conv("a_very_long_name_of_a_module_that_says_little.conv")
    text = shown(net.report(), "params", width=34, flat=True)
    assert cells(text) == [["..le_that_says_little.conv", f"{CONV:,}"]]


def test_a_layer_that_fails_is_marked_also_where_its_name_is_cut() -> None:
    net = Net()
    name = "a_very_long_name_of_a_module_that_says_little.conv"
    net.conv(name)
    failure = Failure("forward", "RuntimeError", "it broke", Site("net.py", 9, 5), name)
    text = shown(net.report(status="partial", failure=failure), "params", width=34, flat=True)
    assert cells(text) == [["! .._that_says_little.conv", f"{CONV:,}"]]


def test_a_name_of_wide_characters_is_cut_by_the_columns_that_they_take() -> None:
    net = Net()
    net.conv("模块" * 20)
    net.conv("x" + "模块" * 20)
    lines = shown(net.report(), "params", width=35, flat=True).splitlines()
    assert {wcswidth(line) for line in lines if "模块" in line} == {35}


# --- what could not be seen or run


def test_macs_that_were_not_seen_are_a_question_mark() -> None:
    net = Net()
    with net.module("body", "Sequential"):
        net.conv("body.0", kernel=1)
        net.scripted("body.1")
    text = shown(net.report(untraced=(("body.1", "a scripted module"),)), "macs")
    assert cells(text) == [["(model)", ">=12,845,056"], ["body", ">=12,845,056"], ["0", "12,845,056"], ["1", "?"]]
    assert "MACs: at least 12.8 M" in text
    assert "? not traced into; not included in sums" in text
    assert "not traced: body.1: a scripted module" in text


def test_a_partial_table_ends_where_the_run_did() -> None:
    net = Net()
    net.conv("stem", kernel=1)
    net.conv("broken")
    net.layers.append(Layer("head", "Linear", "Linear", **parameters(10)))
    failure = Failure("forward", "RuntimeError", "it\nbroke", Site("net.py", 9, 5), "broken")
    model = net.report(status="partial", failure=failure, outputs=())
    lines = shown(model, "params").splitlines()
    assert lines[2] == "status: partial"
    assert [line.split() for line in lines[6:9]] == [
        ["(model)", f"{4096 + CONV:,}"],
        ["├─stem", "4,096"],
        ["└─!", "broken", f"{CONV:,}"],
    ]
    assert lines[9] == (
        "stopped in `broken` at net.py:9:5: RuntimeError: it broke; not reached: 1 layer with 10 parameters"
    )
    assert "! fails as written" in lines


def test_a_model_that_was_never_built_has_no_table() -> None:
    failure = Failure("constructor", "TypeError", "no", Site("net.py", 3, 1))
    text = table.render(cost.model_report(Graph("net.py:Net", status="failed", failure=failure)))
    assert text.splitlines()[:4] == [
        "model: net.py:Net",
        "input: none",
        "status: failed",
        "stopped at net.py:3:1: TypeError: no",
    ]


def test_memory_saved_in_eval_mode_says_so() -> None:
    net = Net()
    net.conv("conv")
    text = shown(net.report(saved_bytes=2**20, saved_bytes_mode="eval"))
    assert "Saved for backward (MB): 1.00 (in eval mode)" in text


# --- terminals


def test_colours_change_nothing_but_colours() -> None:
    plain = table.render(blocks())
    colored = table.render(blocks(), color=True)
    assert "\x1b[" not in plain
    assert "\x1b[36m" in colored  # kinds are cyan
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == plain


def test_a_name_cannot_steer_the_terminal() -> None:
    net = Net()
    net.conv("\x1b[2Jgone")
    text = shown(net.report(), "params", flat=True)
    assert "\x1b" not in text
    assert "\\x1b[2Jgone" in text
