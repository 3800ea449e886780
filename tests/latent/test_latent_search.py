"""Classes that fail for arguments that they accept: what static mode reports, and which of its repairs PyTorch accepts.

Each class is reported at its marked line. With the repair written into it, PyTorch runs all the calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from convlint.ir import Finding
from convlint.latent.findings import arguments_text
from convlint.pipelines.file_linter import lint_text
from convlint.source_text import edits
from convlint.source_text.texts import SourceTexts
from convlint.static import Project

HEAD = "import torch\nfrom torch import nn\n\n"
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Defect:
    """A class with a mark ``# CODE`` at the guilty line, and calls of it: those that fail, with input shapes."""

    text: str
    fails: tuple[tuple[str, Shape], ...]
    works: tuple[tuple[str, Shape], ...] = ()
    more: tuple[Shape, ...] = ()


DEFECTS = {
    "a norm behind the first conv of a residual block": Defect(
        """
class Block(nn.Module):
    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inplanes)  # CVL201
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample
    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + identity)
""",
        (("Block(4, 8, 1, nn.Conv2d(4, 8, 1))", (2, 4, 8, 8)),),
        (("Block(4, 4)", (2, 4, 8, 8)),),
    ),
    "an embedding that may be left out": Defect(
        """
class Modulated(nn.Module):
    def __init__(self, dim, dim_out, *, embedding_dim=None):
        super().__init__()
        self.mlp = nn.Linear(embedding_dim, dim) if embedding_dim is not None else None  # CVL203
        self.conv = nn.Conv2d(dim, dim_out, 3, padding=1)
    def forward(self, x, embedding=None):
        h = self.conv(x)
        if self.mlp is not None and embedding is not None:
            h = h + self.mlp(embedding)[:, :, None, None]
        return torch.relu(h)
""",
        (("Modulated(4, 8, embedding_dim=6)", (2, 4, 8, 8)),),
        (("Modulated(8, 8, embedding_dim=6)", (2, 8, 8, 8)),),
        more=((2, 6),),
    ),
    "groups of the input behind a width that may be given": Defect(
        """
class Waist(nn.Module):
    def __init__(self, inp, oup, mid=None):
        super().__init__()
        mid = mid or inp
        self.a = nn.Conv2d(inp, mid, 1)
        self.b = nn.Conv2d(mid, mid, 3, padding=1, groups=inp)  # CVL202
        self.c = nn.Conv2d(mid, oup, 1)
    def forward(self, x):
        return self.c(self.b(self.a(x)))
""",
        (("Waist(4, 8, mid=6)", (2, 4, 8, 8)),),
        (("Waist(4, 8)", (2, 4, 8, 8)), ("Waist(4, 8, mid=8)", (2, 4, 8, 8))),
    ),
    "a ratio whose default hides it": Defect(
        """
class Mixer(nn.Module):
    def __init__(self, dim, *, tokens=16, ratio=1.0):
        super().__init__()
        hidden = int(tokens * ratio)
        self.expand = nn.Conv1d(tokens, hidden, 1)
        self.reduce = nn.Conv1d(tokens, tokens, 1)  # CVL203
        self.norm = nn.LayerNorm(dim)
    def forward(self, x):
        return x + self.reduce(torch.relu(self.expand(self.norm(x))))
""",
        (("Mixer(4, tokens=8, ratio=2.0)", (2, 8, 4)),),
        (("Mixer(4, tokens=8)", (2, 8, 4)),),
    ),
    "widths that a loop adds up": Defect(
        """
class Dense(nn.Module):
    def __init__(self, width, growth, depth=3):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(growth + n * width, growth, 3, 1, 1) for n in range(depth)])  # CVL203
        self.last = nn.Conv2d(width + depth * growth, width, 1)
    def forward(self, x):
        for conv in self.convs:
            x = torch.cat([x, torch.relu(conv(x))], 1)
        return self.last(x)
""",
        (("Dense(4, 8)", (2, 4, 8, 8)),),
        (("Dense(4, 4)", (2, 4, 8, 8)),),
    ),
    "a list in the wrong order": Defect(
        """
class Pyramid(nn.Module):
    def __init__(self, widths=(16, 16, 16), dim=8):
        super().__init__()
        prev = 3
        self.down = nn.ModuleList()
        for width in widths:
            self.down.append(nn.Conv2d(prev, width, 3, 2, 1))
            prev = width
        self.side = nn.ModuleList([nn.Conv2d(width, dim, 1) for width in widths])  # CVL203
    def forward(self, x):
        maps = []
        for down in self.down:
            x = down(x)
            maps.append(x)
        return [side(each) for side, each in zip(self.side, reversed(maps))]
""",
        (("Pyramid((4, 8, 12))", (2, 3, 16, 16)),),
        (("Pyramid()", (2, 3, 16, 16)),),
    ),
    "a norm in a loop over the widths of a list": Defect(
        """
class Parallel(nn.Module):
    def __init__(self, planes, widths):
        super().__init__()
        self.count = len(widths)
        for i, w in enumerate(widths):
            setattr(self, f"conv{i}", nn.Conv2d(planes, w, 3, padding=1))
            setattr(self, f"norm{i}", nn.BatchNorm2d(planes))  # CVL201
        self.mix = nn.Conv2d(sum(widths), planes, 1)
    def forward(self, x):
        parts = [getattr(self, f"norm{i}")(getattr(self, f"conv{i}")(x)) for i in range(self.count)]
        return self.mix(torch.cat(parts, 1))
""",
        (("Parallel(4, [4, 8])", (2, 4, 8, 8)),),
        (("Parallel(4, [4, 4])", (2, 4, 8, 8)),),
    ),
    "widths of a list of which each is twice the one before": Defect(
        """
class Decoder(nn.Module):
    def __init__(self, outputs, widths=(8, 16, 32)):
        super().__init__()
        width = widths[-1]
        self.ups, self.mixes = nn.ModuleList(), nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.ups.append(nn.ConvTranspose2d(width, w, 2, 2))
            self.mixes.append(nn.Conv2d(width, w, 3, padding=1))  # CVL203
            width = w
        self.last = nn.Conv2d(width, outputs, 1)
    def forward(self, x):
        for up, mix in zip(self.ups, self.mixes):
            x = up(x)
            x = mix(torch.cat([x, x], 1))
        return self.last(x)
""",
        (("Decoder(2, (8, 12, 32))", (2, 32, 4, 4)),),
        (("Decoder(2)", (2, 32, 4, 4)),),
    ),
    "a norm where only a stride lets the ends differ": Defect(
        """
class Stage(nn.Module):
    def __init__(self, dim, dim_out, stride=1):
        super().__init__()
        if stride == 2:
            self.shortcut = nn.Linear(dim, dim_out)
        else:
            assert dim == dim_out
            self.shortcut = nn.Identity()
        self.fc = nn.Linear(dim, dim_out)
        self.norm = nn.LayerNorm(dim)  # CVL201
    def forward(self, x):
        return self.shortcut(x) + self.norm(self.fc(x))
""",
        (("Stage(4, 8, 2)", (2, 5, 4)),),
        (("Stage(4, 4)", (2, 5, 4)),),
    ),
    "a factor of a shuffle": Defect(
        """
class Upsampler(nn.Module):
    def __init__(self, width, scale=2):
        super().__init__()
        if scale == 2:
            self.conv = nn.Conv2d(width, 4 * width, 3, padding=1)
        elif scale == 3:
            self.conv = nn.Conv2d(width, 4 * width, 3, padding=1)  # CVL203
        else:
            raise NotImplementedError
        self.shuffle = nn.PixelShuffle(scale)
        self.last = nn.Conv2d(width, 3, 3)
    def forward(self, x):
        return self.last(self.shuffle(self.conv(x)))
""",
        (("Upsampler(4, 3)", (2, 4, 8, 8)),),
        (("Upsampler(4)", (2, 4, 8, 8)),),
    ),
    "a norm that calls the function itself": Defect(
        """
class NormAct(nn.BatchNorm2d):
    def forward(self, x):
        stats = self.running_mean, self.running_var
        return torch.relu(nn.functional.batch_norm(x, *stats, self.weight, self.bias, True, 0.1, self.eps))

class PreActivated(nn.Module):
    def __init__(self, in_c, out_c, norm_layer=NormAct):
        super().__init__()
        self.norm = norm_layer(out_c)  # CVL201
        self.conv = nn.Conv2d(in_c, out_c, 3)
    def forward(self, x):
        return self.conv(self.norm(x))
""",
        (("PreActivated(4, 8)", (2, 4, 8, 8)),),
        (("PreActivated(4, 4)", (2, 4, 8, 8)),),
    ),
    "a hidden width that is rounded": Defect(
        """
class Inverted(nn.Module):
    def __init__(self, inp, oup, stride, expand_ratio):
        super().__init__()
        hidden = int(round(inp * expand_ratio))
        self.use_res = stride == 1 and inp == oup
        self.expand = nn.Conv2d(inp, hidden, 1, bias=False)
        self.norm = nn.BatchNorm2d(inp)  # CVL201
        self.depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden)
        self.project = nn.Conv2d(hidden, oup, 1)
    def forward(self, x):
        y = self.project(self.depthwise(self.norm(self.expand(x))))
        return x + y if self.use_res else y
""",
        (("Inverted(4, 8, 1, 2)", (2, 4, 8, 8)),),
    ),
    "a width that may be None": Defect(
        """
class Two(nn.Module):
    def __init__(self, in_c, out_c, mid_c=None):
        super().__init__()
        mid_c = mid_c or out_c
        self.a = nn.Conv2d(in_c, mid_c, 3)
        self.b = nn.Conv2d(mid_c, out_c, 3)
        self.norm = nn.BatchNorm2d(mid_c)  # CVL201
    def forward(self, x):
        return self.norm(self.b(self.a(x)))
""",
        (("Two(4, 8, 6)", (2, 4, 8, 8)),),
        (("Two(4, 8)", (2, 4, 8, 8)),),
    ),
    "a norm behind a linear layer": Defect(
        """
class Head(nn.Module):
    def __init__(self, in_dim, out_dim):
        super().__init__()
        self.fc = nn.Linear(in_dim, out_dim)
        self.norm = nn.BatchNorm1d(in_dim)  # CVL201
    def forward(self, x):
        return self.norm(self.fc(x))
""",
        (("Head(4, 8)", (2, 4)),),
        (("Head(4, 4)", (2, 4)),),
    ),
    "PReLU": Defect(
        """
class Act(nn.Module):
    def __init__(self, in_c, out_c):
        super().__init__()
        self.conv = nn.Conv2d(in_c, out_c, 3)
        self.act = nn.PReLU(in_c)  # CVL201
    def forward(self, x):
        return self.act(self.conv(x))
""",
        (("Act(4, 8)", (2, 4, 8, 8)),),
        (("Act(4, 4)", (2, 4, 8, 8)),),
    ),
    "a 1x1 convolution behind a concatenation": Defect(
        """
class Dense(nn.Module):
    def __init__(self, in_c, growth):
        super().__init__()
        self.grow = nn.Conv2d(in_c, growth, 3, padding=1)
        self.fuse = nn.Conv2d(2 * in_c, in_c, 1)  # CVL203
    def forward(self, x):
        return self.fuse(torch.cat([x, self.grow(x)], 1))
""",
        (("Dense(4, 8)", (2, 4, 8, 8)),),
        (("Dense(4, 4)", (2, 4, 8, 8)),),
    ),
    "squeeze and excite of another width": Defect(
        """
class Squeeze(nn.Module):
    def __init__(self, channels, reduction=4):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)
    def forward(self, x):
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Block(nn.Module):
    def __init__(self, in_c, out_c):
        super().__init__()
        self.conv = nn.Conv2d(in_c, out_c, 3)
        self.se = Squeeze(in_c)  # CVL203
    def forward(self, x):
        return self.se(self.conv(x))
""",
        (("Block(8, 16)", (2, 8, 8, 8)),),
        (("Block(8, 8)", (2, 8, 8, 8)),),
    ),
    "a list of widths": Defect(
        """
class Stages(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.stages = nn.ModuleList()
        for i in range(len(dims) - 1):
            self.stages.append(nn.Sequential(
                nn.Conv2d(dims[i], dims[i + 1], 2, 2),
                nn.BatchNorm2d(dims[i]),  # CVL201
            ))
    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return x
""",
        (("Stages([4, 8, 16])", (2, 4, 8, 8)),),
        (("Stages([4, 4, 4])", (2, 4, 8, 8)),),
    ),
    "a transposed convolution in three dimensions": Defect(
        """
class Up(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.up = nn.ConvTranspose3d(in_ch, out_ch, 2, 2)
        self.conv = nn.Conv3d(in_ch, out_ch, 3, padding=1)  # CVL203
    def forward(self, x):
        return self.conv(self.up(x))
""",
        (("Up(8, 4)", (1, 8, 4, 4, 4)),),
        (("Up(4, 4)", (1, 4, 4, 4, 4)),),
    ),
    "norm_layer": Defect(
        """
class ConvNorm(nn.Module):
    def __init__(self, in_chs, out_chs, norm_layer=nn.BatchNorm2d):
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, 3)
        self.norm = norm_layer(in_chs)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        (("ConvNorm(4, 8)", (2, 4, 8, 8)),),
        (("ConvNorm(4, 4)", (2, 4, 8, 8)),),
    ),
    "a class that fails for its own defaults": Defect(
        """
class Net(nn.Module):
    def __init__(self, base=16, factor=0.5):
        super().__init__()
        hidden = int(base * factor)
        self.a = nn.Conv2d(3, hidden, 3)
        self.b = nn.Conv2d(base, 4, 3)  # CVL102
    def forward(self, x):
        return self.b(self.a(x))
""",
        (("Net()", (2, 3, 8, 8)),),
    ),
}

CONTRACTS = {
    "a sum with the input, and a layer behind it": """
class Block(nn.Module):
    def __init__(self, in_c, out_c):
        super().__init__()
        self.a = nn.Conv2d(in_c, out_c, 3, padding=1)
        self.b = nn.Conv2d(out_c, out_c, 3, padding=1)
        self.c = nn.Conv2d(out_c, out_c, 3, padding=1)
    def forward(self, x):
        x = x + self.a(x)
        return x + self.c(self.b(x))
""",
    "a depthwise layer for whole multiples": """
class Multiplied(nn.Module):
    def __init__(self, in_feature, out_feature):
        super().__init__()
        self.conv = nn.Conv2d(in_feature, out_feature, 3, padding=1, groups=in_feature)
        self.fc = nn.Linear(in_feature, out_feature)
    def forward(self, x, token):
        return self.conv(x), self.fc(token)
""",
    "a sum with the input": """
class Residual(nn.Module):
    def __init__(self, in_c, out_c):
        super().__init__()
        self.conv = nn.Conv2d(in_c, out_c, 3, padding=1)
    def forward(self, x):
        return x + self.conv(x)
""",
    "groups": """
class Depthwise(nn.Module):
    def __init__(self, in_c, out_c):
        super().__init__()
        self.conv = nn.Conv2d(in_c, out_c, 3, groups=in_c)
        self.norm = nn.BatchNorm2d(out_c)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
    "heads": """
class Attention(nn.Module):
    def __init__(self, dim, num_heads=8):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, dim // num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        return self.proj((q @ k.transpose(-2, -1) @ v).transpose(1, 2).reshape(b, n, c))
""",
    "an assertion": """
class Same(nn.Module):
    def __init__(self, in_c, out_c):
        super().__init__()
        assert in_c == out_c
        self.conv = nn.Conv2d(in_c, out_c, 3)
        self.norm = nn.BatchNorm2d(in_c)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
    "two inputs": """
class Up(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_ch, in_ch // 2, 2, 2)
        self.conv = nn.Conv2d(in_ch, out_ch, 3, padding=1)
    def forward(self, x, skip):
        return self.conv(torch.cat([self.up(x), skip], 1))
""",
}


def findings(tmp_path: Path, text: str) -> list[Finding]:
    path = str(tmp_path / "blocks.py")
    data = text.encode()
    texts = SourceTexts().with_overlays({path: data})
    found = lint_text(path, data, Project(str(tmp_path), (), texts)).findings
    return [finding for finding in found if finding.code < "CVL3" and finding.severity != "info"]


def marked(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if "# CVL" in line:
            yield number, line.rpartition("# ")[2]


def run(source: str, call: str, *shapes: Shape) -> None:
    import torch

    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102 - the class of this test
    with torch.no_grad():
        eval(call, namespace)(*map(torch.rand, shapes))  # noqa: S307


@pytest.mark.parametrize("name", DEFECTS)
def test_the_repair_of_a_defect_makes_every_call_work(tmp_path: Path, name: str) -> None:
    defect = DEFECTS[name]
    source = HEAD + defect.text
    (finding,) = findings(tmp_path, source)
    assert finding.site is not None
    assert [(finding.site.line, finding.code)] == list(marked(source))
    assert finding.severity == ("warning" if finding.code.startswith("CVL2") else "error")
    assert finding.repairs
    assert finding.repairs[0].verified == "static"
    repaired = edits.apply(source.encode(), finding.repairs[0].edits).decode()
    for call, shape in defect.fails:
        with pytest.raises((RuntimeError, ValueError)):
            run(source, call, shape, *defect.more)
        run(repaired, call, shape, *defect.more)
    for call, shape in defect.works:
        run(source, call, shape, *defect.more)
        run(repaired, call, shape, *defect.more)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_class_that_no_single_edit_makes_work_for_all_arguments_states_a_contract(tmp_path: Path, name: str) -> None:
    assert findings(tmp_path, HEAD + CONTRACTS[name]) == []


def test_a_finding_speaks_of_the_class_and_names_what_was_tried(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, HEAD + DEFECTS["norm_layer"].text)
    assert finding.message == (
        "`ConvNorm` fails unless in_chs == out_chs: BatchNorm2d `norm` is sized by `in_chs` but receives `out_chs` "
        "from `conv`; use `out_chs` (verified: works for (2, 10), (16, 8) and (2, 2))"
    )
    assert finding.witness is not None
    assert finding.witness.verified == "static"
    assert finding.witness.call == "ConvNorm(in_chs=2, out_chs=10)"
    assert finding.witness.control == "ConvNorm(in_chs=2, out_chs=2)"


def test_a_repair_holds_for_other_counts(tmp_path: Path) -> None:
    (finding,) = findings(
        tmp_path,
        f"""{HEAD}
class Split(nn.Module):
    def __init__(self, width, outputs, count=2):
        super().__init__()
        self.half = outputs // 2
        self.enter = nn.Conv2d(width, 2 * self.half, 1)
        self.leave = nn.Conv2d((1 + count) * self.half, outputs, 1)
        self.parts = nn.ModuleList(nn.Conv2d(self.half, self.half, 3, padding=1) for _ in range(count))

    def forward(self, x):
        found = list(self.enter(x).chunk(2, 1))
        for part in self.parts:
            found.append(part(found[-1]))
        return self.leave(torch.cat(found, 1))
""",
    )
    assert [edit.text for edit in finding.repairs[0].edits] == ["(1 + count) * self.half + self.half"]


@pytest.mark.slow
def test_a_run_confirms_every_latent_defect_with_the_same_arguments(tmp_path: Path) -> None:
    latent = {name: defect for name, defect in DEFECTS.items() if "# CVL2" in defect.text}
    for number, defect in enumerate(latent.values()):
        (tmp_path / f"block{number}.py").write_text(HEAD + defect.text)
    command = (sys.executable, "-m", "convlint", "check", ".", "--confirm", "--isolated", "--output-format", "json")
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    found = [each for each in json.loads(done.stdout)["findings"] if each["code"].startswith("CVL2")]
    assert len(found) == len(latent)
    assert [(each["severity"], each["witness"]["verified"]) for each in found] == [("error", "run")] * len(latent)


def test_a_message_states_the_whole_arithmetic_with_its_value() -> None:
    text = (
        HEAD
        + """
class Head(nn.Module):
    def __init__(self, board=8, filters=24):
        super().__init__()
        self.board = board
        self.conv = nn.Conv2d(filters, 1, 1)
        self.fc = nn.Linear(2 * board * board, 64)
    def forward(self, x):
        return self.fc(self.conv(x).view(-1, self.board * self.board))
"""
    )
    (finding,) = lint_text("net.py", text.encode(), Project(".", (), SourceTexts({"net.py": text.encode()}))).findings
    assert "expects `2 * board * board` features (128) but receives `board * board` (64)" in finding.message


ATTENTION = """
class Attention(nn.Module):
    def __init__(self, dim, heads=3):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, dim // heads * heads * 3)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.out(((q @ k.transpose(-2, -1)) @ v).transpose(1, 2).reshape(b, n, -1))
"""


def test_a_witness_has_no_layer_without_features(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, HEAD + ATTENTION)
    assert finding.witness is not None
    assert "dim=2)" not in finding.witness.call


def test_arguments_are_named_unless_there_are_none() -> None:
    def text(widths: dict[str, int], **options: object) -> str:
        space = SimpleNamespace(widths=[SimpleNamespace(name=name) for name in widths], width_lists=[])
        return arguments_text(cast(Any, space), cast(Any, SimpleNamespace(arguments=widths, options=options.items())))

    assert text({"width": 4, "out": 8}) == "for (4, 8)"
    assert text({"width": 4}) == "for width=4"
    assert text({"width": 4}, norm=True) == "for (width=4, norm=True)"
    assert text({}) == "without arguments"


def test_a_width_that_the_constructor_sets_again_may_have_to_be_another_one() -> None:
    source = f"""{HEAD}
class Temporal(nn.Module):
    def __init__(self, in_dim: int, out_dim: int | None = None):
        super().__init__()
        out_dim = out_dim or in_dim
        self.conv1 = nn.Sequential(nn.BatchNorm2d(in_dim), nn.Conv2d(in_dim, out_dim, 1))
        self.conv2 = nn.Sequential(nn.BatchNorm2d(out_dim), nn.Conv2d(out_dim, in_dim, 1))
        self.conv3 = nn.Sequential(nn.BatchNorm2d(out_dim), nn.Conv2d(out_dim, in_dim, 1))

    def forward(self, x):
        return x + self.conv3(self.conv2(self.conv1(x)))
"""
    found = lint_text("net.py", source.encode(), Project(".", (), SourceTexts({"net.py": source.encode()}))).findings
    assert [finding.code for finding in found if finding.severity == "warning"] == ["CVL203"]
