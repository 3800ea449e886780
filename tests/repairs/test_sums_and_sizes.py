"""Sums, concatenations, views and sizes: the line, the message, and PyTorch's word that the repaired model runs."""

from __future__ import annotations

import pytest

from convlint.ir import Finding
from convlint.source_text.edits import apply
from tests.repairs.small_programs import errors, folder, run

__all__ = ["folder"]

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
"""
CALL = """

if __name__ == "__main__":
    Net()(torch.zeros(2, 3, 32, 32))
"""


def net(init: str, forward: str) -> str:
    """A class with these lines; the guilty one ends in ``# <- `` and the text that repairs it, if there is one."""
    built = "".join(f"        {line}\n" for line in init.strip().splitlines())
    called = "".join(f"        {line}\n" for line in forward.strip().splitlines())
    return (
        f"{HEAD}\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{built}"
        f"\n    def forward(self, x):\n{called}{CALL}"
    )


BLOCK = """
class Block(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.a = nn.Conv2d(cin, cout, 3, stride, 1)
        self.b = nn.Conv2d(cout, cout, 3, padding=1)
        self.short = nn.Identity()
        if stride != 1 or cin != cout:
            self.short = nn.Conv2d(cin, cout, 1)  # <- , stride=stride

    def forward(self, x):
        return F.relu(self.b(self.a(x).relu()) + self.short(x))
"""
TEMPORAL = """
class Temporal(nn.Module):
    def __init__(self, width, kernel, dilation):
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, padding=dilation, dilation=dilation)  # <- dilation * (kernel - 1) // 2

    def forward(self, x):
        return x + self.conv(x).relu()
"""  # noqa: E501

REPAIRED = {
    "a shortcut without the stride": net(
        "self.stem = nn.Conv2d(3, 8, 3, padding=1)\n"
        "self.body = nn.Sequential(Block(8, 8), Block(8, 16, 2), Block(16, 16))",
        "return self.body(self.stem(x))",
    ).replace("\nclass Net", f"{BLOCK}\n\nclass Net"),
    "a dilated convolution without its padding": net(
        "self.stem = nn.Conv1d(96, 8, 1)\nself.body = nn.Sequential(Temporal(8, 5, 1), Temporal(8, 5, 2))",
        "return self.body(self.stem(x.flatten(1, 2)))",
    ).replace("\nclass Net", f"{TEMPORAL}\n\nclass Net"),
    "a branch without padding": net(
        "self.a = nn.Conv2d(3, 8, 1)\nself.b = nn.Conv2d(3, 8, 5, padding=1)  # <- 2\nself.out = nn.Conv2d(16, 2, 1)",
        "return self.out(torch.cat([self.a(x), self.b(x)], 1))",
    ),
    "a decoder without output_padding": net(
        "self.down = nn.Conv2d(3, 8, 3, 2, 1)\nself.up = nn.ConvTranspose2d(8, 3, 3, 2, 1)  # <- , output_padding=1",
        "return self.up(self.down(x).relu()) - x",
    ),
    "a pool that halves twice": net(
        "self.a = nn.Sequential(nn.Conv2d(3, 8, 1), nn.MaxPool2d(2))\n"
        "self.b = nn.Sequential(nn.Conv2d(3, 8, 1), nn.MaxPool2d(4))  # <- 2\nself.fc = nn.Linear(8 * 16 * 16, 5)",
        "return self.fc((self.a(x) + self.b(x)).flatten(1))",
    ),
    "a sum of two widths": net(
        "self.a = nn.Conv2d(3, 24, 1)\nself.b = nn.Conv2d(3, 20, 1)  # <- 24\nself.out = nn.Conv2d(24, 2, 1)",
        "return self.out(self.a(x) + self.b(x))",
    ),
    "the names of the parts of a concatenation": net(
        "wide, thin = 24, 10\nself.a = nn.Conv2d(3, wide, 1)\nself.b = nn.Conv2d(wide, thin, 1)\n"
        "self.c = nn.Conv2d(wide + thin, thin, 1)\nself.out = nn.Conv2d(wide + thin, 2, 1)  # <- wide + 2 * thin",
        "a = self.a(x)\nb = self.b(a)\nc = self.c(torch.cat([a, b], 1))\nreturn self.out(torch.cat([a, b, c], 1))",
    ),
    "a view of the whole batch": net(
        "self.conv = nn.Conv2d(3, 4, 3, 2, 1)\nself.fc = nn.Linear(4 * 16 * 16, 5)",
        "x = self.conv(x).relu()\nx = x.view(-1)  # <- x.flatten(1)\nreturn self.fc(x)",
    ),
    "a function that flattens the batch": net(
        "self.conv = nn.Conv2d(3, 4, 3, 2, 1)\nself.fc = nn.Linear(4 * 16 * 16, 5)",
        "x = torch.flatten(self.conv(x))  # <- torch.flatten(self.conv(x), 1)\nreturn self.fc(x)",
    ),
}


def expect_repair(source: str, found: list[Finding]) -> None:
    """Expect one error at the marked line, with the text that is marked, and let PyTorch run the repaired model."""
    (finding,) = found
    assert finding.site is not None
    line = finding.site.line
    assert [number for number, text in enumerate(source.splitlines(), 1) if "# <- " in text] == [line], finding.message
    assert [edit.text for edit in finding.repairs[0].edits] == [source.splitlines()[line - 1].partition("# <- ")[2]]
    with pytest.raises(RuntimeError):
        run(source)
    repaired = apply(source.encode(), finding.repairs[0].edits).decode()
    assert run(repaired) is not None


@pytest.mark.parametrize("source", REPAIRED.values(), ids=REPAIRED)
def test_a_repair_that_was_tried_is_at_the_guilty_line(source: str) -> None:
    expect_repair(source, errors(source))


@pytest.mark.slow
@pytest.mark.parametrize("source", REPAIRED.values(), ids=REPAIRED)
def test_a_run_finds_the_same_repair(source: str) -> None:
    expect_repair(source, errors(source, "net.py:Net", input=(3, 32, 32), batch_size=2))


# --- without a repair: the operation


WIDE = """
class Wide(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x)


class Net"""


def test_a_block_that_cannot_widen_is_reported_at_the_call_that_widens() -> None:
    source = net(
        "self.a = Wide(3, 3)\nself.b = Wide(3, 8)\nself.head = nn.Conv2d(8, 2, 1)",
        "return self.head(self.b(self.a(x)))",
    ).replace("\nclass Net", WIDE)
    (finding,) = errors(source)
    assert finding.site is not None
    assert source.splitlines()[finding.site.line - 1].strip() == "self.b = Wide(3, 8)"
    assert finding.message.startswith("cannot add 2x3x32x32 and 2x8x32x32: channels differ; use a projection")
    assert any(source.splitlines()[r.site.line - 1].strip() == "return x + self.conv(x)" for r in finding.related)
    assert not finding.repairs


def test_a_block_in_a_loop_is_reported_once_at_its_sum() -> None:
    source = net(
        "widths = [3, 8, 16, 32]\nself.body = nn.Sequential(*[Wide(a, b) for a, b in zip(widths, widths[1:])])",
        "return self.body(x)",
    ).replace("\nclass Net", WIDE)
    (finding,) = errors(source)
    assert finding.site is not None
    assert source.splitlines()[finding.site.line - 1].strip() == "return x + self.conv(x)"
    assert "use a projection of the input where the shapes differ" in finding.message


def test_an_odd_size_names_the_sizes_that_work() -> None:
    source = net(
        "self.a = nn.Conv2d(3, 8, 1)\nself.b = nn.Conv2d(8, 8, 3, padding=1)\nself.up = nn.Upsample(scale_factor=4)",
        "a = self.a(x)\nreturn a + self.up(F.max_pool2d(self.b(F.max_pool2d(a, 2)), 2))",
    ).replace("32, 32)", "30, 42)")
    (finding,) = errors(source)
    assert "heights and widths divisible by 4 work" in finding.message
    assert "F.max_pool2d reduces 30x42 to 15x21" in finding.message
    assert not finding.repairs


def test_what_depends_on_an_unknown_size_is_not_judged() -> None:
    source = net(
        "self.a = nn.Conv2d(3, 8, 3, 2, 1)\nself.b = nn.Conv2d(3, 6, 5)\nself.c = nn.Conv2d(14, 4, 20)\n"
        "self.fc = nn.Linear(4 * 9 * 9, 3)",
        "return self.fc(self.c(torch.cat([self.a(x), self.b(x)], 1)).flatten(1))",
    )
    (finding,) = errors(source)
    assert finding.message.startswith("cannot concatenate 2x8x16x16 and 2x6x28x28")


def test_a_size_that_is_not_known_is_a_letter() -> None:
    source = net(
        "self.a = nn.Conv2d(3, 8, 3)\nself.b = nn.Conv2d(3, 9, 3)\nself.c = nn.Conv2d(8, 8, 1)\n"
        "self.d = nn.Conv2d(9, 9, 1)",
        "a, b = self.c(self.a(x)), self.d(self.b(x))\nreturn a + b",
    ).replace(CALL, "")
    (finding,) = errors(source)
    assert finding.message == "cannot add Nx8x(H-2)x(W-2) and Nx9x(H-2)x(W-2): channels differ"


# --- views


def test_the_view_and_the_linear_layer_after_it_are_one_cause() -> None:
    source = net(
        "self.conv = nn.Conv2d(3, 16, 5)\nself.pool = nn.MaxPool2d(4)\nself.fc = nn.Linear(16 * 5 * 5, 10)",
        "x = self.pool(self.conv(x).relu())\nx = x.view(-1, 16 * 5 * 5)\nreturn self.fc(x)",
    )
    (finding,) = errors(source)
    assert "expects 400 features but receives 784 (16x7x7)" in finding.message
    assert [edit.text for edit in finding.repairs[0].edits] == ["16 * 7 * 7", "16 * 7 * 7"]
    assert run(apply(source.encode(), finding.repairs[0].edits).decode()) is not None


def test_a_view_that_expects_more_than_a_linear_layer_outputs() -> None:
    source = net(
        "self.fc = nn.Linear(3 * 32 * 32, 8 * 7 * 7)\nself.up = nn.ConvTranspose2d(16, 3, 4, 2, 1)",
        "return self.up(self.fc(x.flatten(1)).view(-1, 16, 5, 5))",
    )
    (finding,) = errors(source)
    assert finding.message == "the view expects 400 (16*5*5) values per sample but receives 392 from Linear `fc`"
    assert run(apply(source.encode(), finding.repairs[0].edits).decode()) is not None


@pytest.mark.slow
def test_a_run_with_one_sample_tries_two() -> None:
    source = net(
        "self.conv = nn.Conv2d(3, 4, 3, 2, 1)\nself.fc = nn.Linear(4 * 16 * 16, 5)",
        "x = self.conv(x).relu().view(1, -1)\nreturn self.fc(x)",
    )
    assert run(source, batch=1) is not None
    with pytest.raises(RuntimeError):
        run(source, batch=2)
    (finding,) = errors(source, "net.py:Net", input=(3, 32, 32))
    assert finding.code == "CVL114"
    assert (
        "with batch size 2, Linear `fc` expects 1024 features (4*16*16) but receives 2048 (2*4*16*16)"
        in finding.message
    )


PIXELS = {
    "a linear layer for each pixel": "x.permute(0, 2, 3, 1).reshape(-1, 12)",
    "rows that are viewed back": "x.permute(0, 2, 3, 1).reshape(-1, 12).view(len(x), 32, 32, 12)",
    "a map of one pixel": "F.adaptive_avg_pool2d(x, 1).view(-1, 12)",
}


@pytest.mark.parametrize("rows", PIXELS.values(), ids=PIXELS)
def test_pixels_may_be_samples(rows: str) -> None:
    source = net(
        "self.conv = nn.Conv2d(3, 12, 3, padding=1)\nself.fc = nn.Linear(12, 4)",
        f"x = self.conv(x)\nreturn self.fc({rows})",
    )
    assert errors(source) == []
    assert run(source) is not None


def test_a_linear_layer_that_fits_no_size_of_its_map() -> None:
    source = net(
        "self.conv = nn.Conv2d(3, 12, 3)\nself.fc = nn.Linear(400, 5)", "return self.fc(self.conv(x).flatten(1))"
    )
    (finding,) = errors(source.replace(CALL, ""))
    assert finding.message == (
        "Linear `fc` expects 400 input features but receives a multiple of 12 (12 channels from Conv2d `conv`)"
    )
    assert not finding.repairs


TWO_BRANCHES = f"""{HEAD}

class Down(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.conv = nn.Conv2d(width, out, 3, 2, 1)
        self.short = nn.Conv2d(width, out, 1)

    def forward(self, x):
        return self.conv(x) + self.short(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Down(3, 8), Down(8, 16))

    def forward(self, x):
        return self.body(x).mean((2, 3))
"""


def test_a_branch_without_the_stride_of_the_other_fails_for_maps_of_every_size() -> None:
    (finding,) = errors(TWO_BRANCHES)
    assert (finding.code, finding.severity) == ("CVL110", "error")
    assert [edit.text for edit in finding.repairs[0].edits] == [", stride=2"]
    repaired = apply(TWO_BRANCHES.encode(), finding.repairs[0].edits).decode()
    assert run(f"{repaired}{CALL}") is not None
    with pytest.raises(RuntimeError):
        run(f"{TWO_BRANCHES}{CALL}")


@pytest.mark.parametrize(
    "fits",
    [
        TWO_BRANCHES.replace("(width, out, 1)", "(width, out, 1, 2)"),
        TWO_BRANCHES.replace("3, 2, 1)", "3, 2, 1)\n        self.pool = nn.AdaptiveAvgPool2d(1)").replace(
            "+ self.short(x)", "+ self.short(self.pool(x))"
        ),
        TWO_BRANCHES.replace("(x) + ", "(x).repeat_interleave(2, 2).repeat_interleave(2, 3) + "),
    ],
    ids=["both strided", "a single pixel is broadcast", "enlarged again"],
)
def test_branches_of_sizes_that_can_be_equal_are_no_error(fits: str) -> None:
    assert errors(fits) == []


FIXED_SIZE = net(
    """
self.a = nn.Conv2d(3, 8, 3, padding=1)
self.b = nn.Conv2d(3, 8, 3, 2, 8)
""",
    "return torch.cat([self.a(x), self.b(x)], 1)",
).removesuffix(CALL)


def test_a_concatenation_that_fits_for_one_size_of_the_input_is_no_error() -> None:
    assert errors(FIXED_SIZE) == []


DILATED = f"""{HEAD}
class Crop(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.count = count

    def forward(self, x):
        return x[:, :, : -self.count, : -self.count]


class Block(nn.Module):
    def __init__(self, width, dilation):
        super().__init__()
        pad = 2 * dilation
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=pad, dilation=dilation), Crop(pad),
            nn.Conv2d(width, width, 3, padding=pad, dilation=dilation + 1), Crop(pad),
        )
        self.short = nn.Conv2d(width, width, 1)

    def forward(self, x):
        return self.body(x) + self.short(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), Block(8, 1), Block(8, 2), Block(8, 4))

    def forward(self, x):
        return self.body(x)
"""


def test_a_dilation_that_differs_from_that_of_the_layer_before_is_repaired() -> None:
    (finding,) = errors(DILATED + CALL)
    assert [edit.text for edit in finding.repairs[0].edits] == ["dilation"]
    assert run(apply(DILATED.encode(), finding.repairs[0].edits).decode()) is not None


def test_a_padding_that_keeps_the_size_is_written_with_the_dilation_as_it_is() -> None:
    program = DILATED.replace("2 * dilation\n", "dilation\n").replace(", Crop(pad),", ",")
    (finding,) = errors(program + CALL)
    assert [edit.text for edit in finding.repairs[0].edits] == ["dilation + 1"]
    assert run(apply(program.encode(), finding.repairs[0].edits).decode()) is not None


def test_a_sum_that_only_moves_its_failure_to_the_layer_after_it_is_one_error() -> None:
    program = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU())

    def forward(self, x):
        return self.body(x) + x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), Block(24, 24), Block(24, 48))
        self.head = nn.Conv2d(48, 5, 1)

    def forward(self, x):
        return self.head(self.body(x))
"""
    (finding,) = errors(program, "net.py:Net", input=(3, 32, 32))
    assert (finding.code, finding.repairs) == ("CVL110", ())


def test_maps_that_are_joined_along_their_height_are_joined_along_their_channels() -> None:
    program = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.colors = nn.Conv2d(3, 24, 3, padding=1)
        self.edges = nn.Conv2d(3, 8, 3, padding=1)
        self.mix = nn.Conv2d(32, 5, 1)

    def forward(self, x):
        return self.mix(torch.cat([self.colors(x), self.edges(x)], dim=2))
"""
    (finding,) = errors(program + CALL)
    assert finding.code == "CVL110"
    assert [edit.text for edit in finding.repairs[0].edits] == ["1"]
    assert run(apply(program.encode(), finding.repairs[0].edits).decode()).shape == (2, 5, 32, 32)


def test_a_view_that_splits_samples_is_repaired_and_not_the_layer_after_it() -> None:
    program = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 32 * 32, 24 * 4 * 4)
        self.up = nn.ConvTranspose2d(24, 1, 4, 2, 1)

    def forward(self, x):
        return self.up(self.fc(x.flatten(1)).view(-1, 8, 4, 4))
"""
    (finding,) = errors(program + CALL)
    assert [edit.text for edit in finding.repairs[0].edits] == ["24"]
    assert run(apply(program.encode(), finding.repairs[0].edits).decode()).shape == (2, 1, 8, 8)


def test_with_a_guessed_input_repairs_are_tried_at_the_size_that_a_linear_layer_requires() -> None:
    program = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, stride=2, padding=1)
        self.next = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.fc = nn.Linear(32 * 10 * 10, 4)

    def forward(self, x):
        return self.fc(self.next(self.conv(x)).flatten(1))
"""
    (finding,) = errors(program, "net.py:Net")
    assert finding.code == "CVL102"
    assert {repair.effect for repair in finding.repairs} == {"the model then runs"}


def test_a_run_finds_the_features_of_a_recurrent_layer_and_what_fails_after_it() -> None:
    program = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv1d(3, 20, 5), nn.BatchNorm1d(20))
        self.lstm = nn.LSTM(24, 16, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        return self.fc(self.lstm(self.conv(x.flatten(2)).transpose(1, 2))[0][:, -1])
"""
    found = errors(program, "net.py:Net", input=(3, 32, 32))
    assert [finding.repairs[0].edits[0].text for finding in found] == ["20", "32"]
    edits = [edit for finding in found for edit in finding.repairs[0].edits]
    assert run(apply(program.encode(), edits).decode()).shape == (2, 4)


def test_a_flatten_that_leaves_channels_is_repaired_and_not_the_layer_after_it() -> None:
    program = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 4, 4)
        self.fc = nn.Linear(24 * 8 * 8, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.conv(x), 2))
"""
    (finding,) = errors(program + CALL)
    assert [edit.text for edit in finding.repairs[0].edits] == ["torch.flatten(self.conv(x), 1)"]
    assert run(apply(program.encode(), finding.repairs[0].edits).decode()).shape == (2, 5)
