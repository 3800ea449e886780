"""Repairs of files that are checked statically: the line, the edit, and PyTorch's word that the edited model runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import convlint
from convlint.source_text.edits import apply
from tests.repairs.small_programs import HEAD, assert_mended, errors, folder, run

__all__ = ["folder"]


ARGUMENT_OF_A_BLOCK = f"""{HEAD}
class Attend(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.q = nn.Conv2d(c, c // 2, 1)
        self.v = nn.Conv2d(c, c, 1)
        self.o = nn.Conv2d(c, c, 1)

    def forward(self, x):
        return self.o(self.v(x) * self.q(x).mean(1, keepdim=True))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 20, 3)
        self.attend = Attend(40)  # <- 20
        self.head = nn.Conv2d(20, 4, 1)

    def forward(self, x):
        return self.head(self.attend(self.stem(x)))
"""

PARTS_OF_A_CAT = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 24, 3, padding=1)
        self.b = nn.Conv2d(3, 12, 3, padding=1)
        self.fuse = nn.Conv2d(24 + 20, 10, 1)  # <- 24 + 12

    def forward(self, x):
        return self.fuse(torch.cat([self.a(x), self.b(x)], 1))
"""

PIXELS_OF_A_LINEAR = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(8 * 4 * 4, 6)  # <- 8 * 8 * 8

    def forward(self, x):
        return self.fc(torch.flatten(self.features(x), 1))


if __name__ == "__main__":
    Net()(torch.zeros(1, 3, 32, 32))
"""

A_NAME_IN_SCOPE = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        hidden = width * 3
        self.up = nn.Conv2d(3, hidden, 1, bias=False)
        self.norm = nn.BatchNorm2d(width * 2)  # <- hidden
        self.down = nn.Conv2d(hidden, 3, 1)

    def forward(self, x):
        return self.down(self.norm(self.up(x)).relu())
"""

TWICE_THE_WIDTH = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=14):
        super().__init__()
        self.eyes = nn.ModuleList([nn.Conv2d(3, width, 3) for _ in range(2)])
        self.blend = nn.Conv2d(width, 8, 1)  # <- 2 * width

    def forward(self, x):
        return self.blend(torch.cat([eye(x) for eye in self.eyes], 1))
"""

A_FACTOR_TOO_MANY = f"""{HEAD}
class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs * 2, outputs, 3, padding=1)  # <- outputs

    def forward(self, x):
        return self.second(self.first(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(3, 16), Block(16, 24), Block(24, 8))

    def forward(self, x):
        return self.blocks(x)
"""

PROGRAMS = {
    "the argument of a block that builds several layers": ARGUMENT_OF_A_BLOCK,
    "a part of a concatenation": PARTS_OF_A_CAT,
    "the pixels of a linear layer": PIXELS_OF_A_LINEAR,
    "a name that is in scope": A_NAME_IN_SCOPE,
    "a width for each branch": TWICE_THE_WIDTH,
    "a factor too many in a block that is built three times": A_FACTOR_TOO_MANY,
}


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_one_cause_is_one_error_at_the_guilty_line_with_a_repair(source: str) -> None:
    (finding,) = errors(source)
    (repair,) = finding.repairs
    line = next(i for i, text in enumerate(source.splitlines(), 1) if "# <- " in text)
    assert finding.site is not None
    assert finding.site.line == line
    assert [edit.text for edit in repair.edits] == [source.splitlines()[line - 1].partition("# <- ")[2]]
    assert repair.verified == "static"


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_pytorch_refuses_the_program_and_runs_the_repaired_one(source: str) -> None:
    with pytest.raises(RuntimeError):
        run(source)
    (finding,) = errors(source)
    repaired = apply(source.encode(), finding.repairs[0].edits).decode()
    assert run(repaired) is not None
    assert errors(repaired) == []


def test_two_causes_are_two_errors_each_with_its_repair() -> None:
    source = PARTS_OF_A_CAT.replace("    def forward", "        self.head = nn.Linear(7, 2)\n\n    def forward")
    source = source.replace("self.fuse(torch", "self.head(self.fuse(torch").replace(", 1))", ", 1)).mean((2, 3)))")
    found = errors(source)
    assert [finding.code for finding in found] == ["CVL102", "CVL108"]
    assert all(finding.repairs for finding in found)


def test_two_causes_on_one_line_are_repaired_together() -> None:
    source = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(1600, 9, 3), nn.Conv2d(4, 7, 3), nn.Conv2d(7, 2, 1))

    def forward(self, x):
        return self.body(x)
"""
    found = errors(source)
    assert [[edit.text for edit in finding.repairs[0].edits] for finding in found] == [["8"], ["9"]]
    edits = [edit for finding in found for edit in finding.repairs[0].edits]
    assert run(apply(source.encode(), edits).decode()) is not None


def test_a_number_that_comes_from_elsewhere_has_no_repair() -> None:
    source = f"""{HEAD}
from library import WIDTH

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.b = nn.Conv2d(*[16, WIDTH, 3])

    def forward(self, x):
        return self.b(self.a(x))
"""
    for finding in errors(source):
        assert all("WIDTH" not in edit.text for repair in finding.repairs for edit in repair.edits)


def test_an_edit_in_another_file_is_proposed_there() -> None:
    Path("blocks.py").write_text(f"""{HEAD}
class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.b = nn.Conv2d(16, 4, 3)

    def forward(self, x):
        return self.b(self.a(x))
""")
    found = errors(f"""{HEAD}
from blocks import Body

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Body()

    def forward(self, x):
        return self.body(x)
""")
    assert [(finding.site and finding.site.path, finding.site and finding.site.line) for finding in found] == [
        ("blocks.py", 9)
    ]


def test_fixes_are_unsafe_and_applied_on_request() -> None:
    (finding,) = errors(PARTS_OF_A_CAT)
    assert finding.fix is not None
    assert finding.fix.applicability == "unsafe"
    assert finding.fix.edits == finding.repairs[0].edits


def test_a_failing_search_leaves_the_findings_and_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no search")

    monkeypatch.setattr("convlint.repairs.static_trials.proposed", fail)
    Path("net.py").write_text(PARTS_OF_A_CAT)
    report = convlint.check("net.py")
    assert [finding.code for finding in report if finding.severity == "error"] == ["CVL102"]
    assert [problem.kind for problem in report.problems] == ["internal"]
    assert report.exit_code == 2


def test_a_file_outside_of_the_working_directory_is_repaired_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inside,) = errors(PARTS_OF_A_CAT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (outside,) = (finding for finding in convlint.check("../net.py") if finding.severity == "error")
    assert [repair.title for repair in outside.repairs] == [repair.title for repair in inside.repairs] != []


def test_a_wrong_argument_is_not_repaired_by_a_factor_in_the_class(tmp_path: Path) -> None:
    """With ``width // 2`` in Residual the call for 32 and 64 works, and no other does."""
    Path("blocks.py").write_text("""
from torch import nn

class Residual(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x).relu()
""")
    Path("net.py").write_text("from blocks import Residual\n\nblock = Residual(32, 64)\n")
    for target in ("net.py", tmp_path):
        (found,) = (finding for finding in convlint.check(str(target)) if finding.severity == "error")
        assert found.site is not None
        assert (Path(found.site.path).name, found.site.line) == ("net.py", 3)
        assert [repair.title for repair in found.repairs] == ["replace `64` with `32`", "replace `32` with `64`"]


def test_a_head_reads_the_factor_of_the_block_that_a_name_chooses() -> None:
    (found,) = errors(f"""{HEAD}
class Slim(nn.Module):
    factor = 1

    def __init__(self, inputs, width):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 3)

    def forward(self, x):
        return self.conv(x)


class Wide(nn.Module):
    factor = 3

    def __init__(self, inputs, width):
        super().__init__()
        self.reduce = nn.Conv2d(inputs, width, 1)
        self.expand = nn.Conv2d(width, width * self.factor, 1)

    def forward(self, x):
        return self.expand(self.reduce(x))


KINDS = dict(slim=Slim, wide=Wide)


class Net(nn.Module):
    def __init__(self, kind, width=24):
        super().__init__()
        self.body = KINDS[kind](3, width)
        self.head = nn.Conv2d(width, 6, 1)

    def forward(self, x):
        return self.head(self.body(x))


net = Net("wide")
""")
    assert [repair.title for repair in found.repairs] == [
        "in_channels=72 (replace `width` with `width * self.body.factor`)"
    ]


def test_no_repair_changes_the_channels_of_images() -> None:
    (found,) = errors(f"""{HEAD}
class Conv(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x):
        return self.conv(x)


class Pair(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.left = nn.Conv2d(inputs, outputs, 1)
        self.right = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return torch.cat([self.left(x), self.right(x)], 1)


def build(table):
    layers, widths = [], [3]
    for kind, width in table:
        layers.append(kind(widths[-1], width))
        widths.append(width)
    return nn.Sequential(*layers)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = build([(Conv, 8), (Pair, 10), (Conv, 6)])

    def forward(self, x):
        return self.layers(x)
""")
    assert found.site is not None
    assert (found.site.line, found.repairs) == (27, ())


RECURRENT = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, padding=1)
        self.rnn = nn.KIND(SIZE, 20, batch_first=True, bidirectional=True)
        self.head = nn.Linear(40, 4)

    def forward(self, x):
        x = self.conv(x).mean(2).transpose(1, 2)
        return self.head(self.rnn(x)[0][:, -1])
"""


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_recurrent_layer_is_reported_where_it_is_built(kind: str) -> None:
    source = RECURRENT.replace("KIND", kind)
    assert errors(source.replace("SIZE", "24")) == []
    (found,) = errors(source.replace("SIZE", "32"))
    assert found.site is not None
    assert found.site.line == 9
    assert "expects 32 input features but receives 24 from Conv2d `conv`" in found.message
    assert found.repairs[0].title == "replace `32` with `24`"


def test_a_run_tries_the_repair_of_a_recurrent_layer() -> None:
    source = RECURRENT.replace("KIND", "LSTM")
    run(source.replace("SIZE", "24"))
    (found,) = errors(source.replace("SIZE", "32"), "net.py:Net", input=(3, 32, 32))
    assert found.site is not None
    assert (found.site.line, [repair.title for repair in found.repairs][:1]) == (9, ["replace `32` with `24`"])
    assert found.repairs[0].verified == "run"


ATTENTION = """\
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 4, 4)
        self.attention = LAYER
        self.head = nn.Linear(24, 4)

    def forward(self, x):
        x = self.conv(x).flatten(2).transpose(1, 2)
        return self.head(CALL)
"""
ATTENTION_LAYERS = {
    "nn.MultiheadAttention(SIZE, 4, batch_first=True)": "self.attention(x, x, x)[0]",
    "nn.TransformerEncoderLayer(SIZE, 4, 48, batch_first=True)": "self.attention(x)",
}


@pytest.mark.parametrize("layer", ATTENTION_LAYERS)
def test_attention_is_reported_where_it_is_built(layer: str) -> None:
    source = ATTENTION.replace("LAYER", layer).replace("CALL", ATTENTION_LAYERS[layer])
    assert errors(source.replace("SIZE", "24")) == []
    (found,) = errors(source.replace("SIZE", "32"))
    assert found.site is not None
    assert found.site.line == 7
    assert "expects 32 input features but receives 24 from Conv2d `conv`" in found.message
    assert found.repairs[0].title == "replace `32` with `24`"


def test_a_class_whose_attention_fits_no_width() -> None:
    source = ATTENTION.replace("LAYER", "nn.MultiheadAttention(2 * c, 4)").replace("CALL", "self.attention(x, x, x)[0]")
    source = source.replace("(self)", "(self, c=24)", 1).replace("(3, 24,", "(3, c,").replace("(24, 4)", "(c, 4)")
    assert errors(source.replace("2 * c, 4", "c, 4")) == []
    (found,) = errors(source)
    assert found.site is not None
    assert (found.site.line, found.repairs[0].title) == (7, "replace `2 * c` with `c`")


def test_a_run_goes_on_after_attention_of_another_width() -> None:
    source = ATTENTION.replace("LAYER", "nn.MultiheadAttention(32, 4)").replace("CALL", "self.attention(x, x, x)[0]")
    (found,) = errors(source.replace("(24, 4)", "(32, 4)"), "net.py:Net", input=(3, 32, 32))
    assert "was expecting embedding dimension of 32, but got 24" in found.message or found.repairs


COMPUTED = f"""{HEAD}
import numpy as np
class Net(nn.Module):
    def __init__(self, ratio=1.4, base=24):
        super().__init__()
        widths = [int(round(width)) for width in np.linspace(base, base * 4, 4)]
        self.stem = nn.Conv2d(3, widths[0], 3)
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 3) for a, b in zip(widths, widths[1:]))
        hidden = int(np.ceil(widths[-1] * ratio / 8) * 8)
        self.middle = nn.Conv2d(96, hidden, 1)
        self.norm = nn.BatchNorm2d(128)  # <- hidden
        self.head = nn.Linear(hidden, int(np.floor(np.sqrt(hidden))))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(self.middle(x)).mean((2, 3)))
"""


def test_names_of_a_comprehension_repair_nothing_outside_of_it() -> None:
    assert_mended(COMPUTED, "# <- hidden", "hidden")
