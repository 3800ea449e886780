"""Grouped layers that nothing mixes get a channel shuffle, or are not proposed together."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from convlint.rules.registry import rule
from convlint.runtime.record.record import record
from tests.rewriting.suggest_project import Project

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.conv1 = nn.Conv{n}d(3, width, 3, padding=1)
        self.conv2 = nn.Conv{n}d(width, width, 3, padding=1)
        self.conv3 = nn.Conv{n}d(width, 2 * width, 3, padding=1){between}
        self.conv4 = nn.Conv{n}d(2 * width, 2 * width, 3, padding=1)

    def forward(self, x):
        x = self.conv1(x).relu()
        x = self.conv3(self.conv2(x).relu()){call}
        return self.conv4(x.relu())
"""
SHUFFLED = "nn.Sequential(nn.ChannelShuffle(2), nn.Conv2d(width, 2 * width, 3, padding=1, groups=2))"


@pytest.mark.parametrize(("n", "size"), [(2, "8,8"), (1, "16")])
def test_a_layer_after_one_with_the_same_groups_gets_a_channel_shuffle(kept: Project, n: int, size: str) -> None:
    project = kept.emptied()
    project.write("net.py", NET.format(n=n, between="", call=""))
    arguments = ("--input", f"3,{size}", "--kind", "grouped", "--groups", "2", "--output-format", "json")
    rewritten = project.suggest("net.py:Net", *arguments).document["rewritten"]
    project.apply(rewritten["diff"])
    net: nn.Module = project.load("net.py")["Net"]()
    graph = record(net, (torch.rand(1, 3, *map(int, size.split(","))),), {}).graph()
    assert not list(rule("CVL307").check(graph))
    assert [getattr(layer, "groups", 1) for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Conv1d)] == [
        1,
        2,
        2,
        2,
    ]
    text = (project.folder / "net.py").read_text()
    assert SHUFFLED.replace("2d", f"{n}d") in " ".join(text.split()).replace("( ", "(").replace(", )", ")")
    assert sum(p.numel() for p in net.parameters()) == rewritten["after"]["params"]
    (checkpoint,) = [each for each in rewritten["consequences"] if each["kind"] == "checkpoint"]
    assert "channel shuffle" in checkpoint["message"]
    assert rewritten["verified"]["saved_bytes_error"] < 0.01


def test_the_first_of_two_layers_with_a_dense_one_between_gets_none(kept: Project) -> None:
    project = kept.emptied()
    between = "\n        self.mix = nn.Conv2d(2 * width, 2 * width, 1)"
    project.write("net.py", NET.format(n=2, between=between, call="\n        x = self.mix(x)"))
    diff = project.suggest("net.py:Net", "--input", "3,8,8", "--kind", "grouped", "--groups", "2").out
    assert diff.count("+            nn.ChannelShuffle(2),") == 1
    assert "+        self.conv4 = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2)" in diff


def test_sets_that_are_only_compared_are_mixed_too(kept: Project) -> None:
    """A helper builds both layers and the first one, which stays dense: no shuffle can be written there."""
    project = kept.emptied()
    text = NET.format(n=2, between="", call="")
    helper = "def conv(i, o):\n    return nn.Conv2d(i, o, 3, padding=1)\n\n\nclass Net"
    project.write(
        "net.py", text.replace("nn.Conv2d", "conv").replace(", 3, padding=1", "").replace("class Net", helper)
    )
    document = project.suggest("net.py:Net", "--input", "3,8,8", "--output-format", "json").document
    assert "grouped" not in [each["name"] for each in document["rewritten"]["front"]]


def test_trained_weights_get_no_shuffle(kept: Project) -> None:
    project = kept.emptied()
    project.write("net.py", NET.format(n=2, between="", call=""))
    torch.save(project.load("net.py")["Net"]().state_dict(), project.folder / "old.pt")
    arguments = ("--input", "3,8,8", "--kind", "grouped", "--groups", "2", "--weights", "old.pt", "--explain")
    out = project.suggest("net.py:Net", *arguments).out
    assert "ChannelShuffle" not in out
    assert "it brings CVL307" in out
