"""Layers with shared, normalized, frozen or copied weights, and sets that convlint itself would report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rewriting.suggest_project import Project, project

HEAD = "import copy\nimport torch\nfrom torch import nn\nfrom torch.nn.utils import spectral_norm, weight_norm\n\n\n"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(Path(tmp_path_factory.mktemp("project"))) as made:
        yield made


def refusals(here: Project, layers: str, *arguments: str) -> dict[str, str]:
    """The reason by layer, for a model of these layers."""
    here.write("net.py", f"{HEAD}def net():\n    a = nn.Conv2d(32, 32, 3)\n    b = nn.Conv2d(32, 32, 3)\n{layers}")
    kind = arguments or ("--kind", "depthwise-separable")
    result = here.suggest("net.py:net", "--input", "32,12,12", *kind, "--output-format", "json")
    assert result.code == 0, result
    return {name: refusal["reason"] for refusal in result.document["refusals"] for name in refusal["instances"]}


@pytest.mark.slow
def test_a_shared_weight_is_named_with_the_layers_that_share_it(here: Project) -> None:
    found = refusals(here, "    b.weight = a.weight\n    return nn.Sequential(a, b)\n")
    assert found["0"] == "it shares its weight with 1; a new layer would have weights of its own"
    assert found["1"] == "it shares its weight with 0; a new layer would have weights of its own"


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["spectral_norm", "weight_norm"])
def test_a_normalized_weight_is_the_reason(here: Project, norm: str) -> None:
    found = refusals(here, f"    return nn.Sequential({norm}(a), b)\n")
    assert norm in found["0"]
    assert "1" not in found


@pytest.mark.slow
def test_frozen_layers_need_their_weights(here: Project) -> None:
    found = refusals(here, "    a.requires_grad_(False)\n    return nn.Sequential(a, b)\n")
    assert "frozen" in found["0"]
    assert "--weights" in found["0"]


@pytest.mark.slow
def test_a_frozen_copy_is_rewritten_with_its_original(here: Project) -> None:
    text = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    text += "        self.net = nn.Sequential(nn.Conv2d(32, 64, 3))\n"
    text += "        self.ema = copy.deepcopy(self.net).requires_grad_(False)\n\n"
    text += "    def forward(self, x):\n        return self.net(x) + self.ema(x)\n"
    here.write("net.py", HEAD + text)
    arguments = ("--input", "32,12,12", "--kind", "depthwise-separable", "--output-format", "json")
    (one,) = here.suggest("net.py:Net", *arguments).document["suggestions"]
    assert (one["chosen"], one["instances"]) == (True, ["net.0", "ema.0"])


@pytest.mark.slow
def test_groups_that_follow_each_other_are_shuffled_wherever_one_of_a_call_needs_it(here: Project) -> None:
    text = "class Block(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    text += "        self.a = nn.Conv2d(32, 32, 3, padding=1)\n        self.b = nn.Conv2d(32, 32, 3, padding=1)\n\n"
    text += "    def forward(self, x):\n        return self.b(self.a(x).relu()).relu()\n\n\n"
    text += "def net():\n    return nn.Sequential(Block(), Block())\n"
    here.write("net.py", HEAD + text)
    arguments = ("--input", "32,12,12", "--kind", "grouped", "--output-format", "json")
    document = here.suggest("net.py:net", *arguments).document
    titles = [each["title"] for each in document["suggestions"] if each["chosen"]]
    assert titles == ["2 groups, after a channel shuffle"] * 2


@pytest.mark.slow
def test_layers_whose_input_another_layer_saves_are_rewritten_too(here: Project) -> None:
    layers = "nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.Conv2d(32, 9, 1)"
    text = f"def net():\n    return nn.Sequential({layers})\n"
    here.write("net.py", HEAD + text)
    arguments = ("--input", "32,12,12", "--kind", "depthwise-separable", "--output-format", "json")
    chosen = [one["instances"] for one in here.suggest("net.py:net", *arguments).document["suggestions"]]
    assert sorted(chosen) == [["0"], ["2"]]
