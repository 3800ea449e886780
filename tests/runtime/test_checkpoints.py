"""Checkpoints as files: what is read of them, and in which form they are written, or why they are not."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from convlint.ir import ModelVersion, Replacement
from convlint.runtime.failures import ProblemError
from convlint.runtime.weights.checkpoint import load_into
from convlint.runtime.weights.replace_layers import replace_layers
from tests.rewriting.suggest_project import Project, refused

NET = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self, width=32):
        super().__init__(
            nn.Conv2d(3, width, 3),
            nn.Conv2d(width, 2 * width, 3),
            nn.BatchNorm2d(2 * width),
            nn.Flatten(),
            nn.Linear(2 * width * 12 * 12, 8),
        )
"""

# --- their form

FORMS = {"1": Replacement("CVL502"), "4": Replacement("CVL504", map_size=(12, 12))}


@pytest.fixture
def models() -> tuple[nn.Module, nn.Module]:
    """A model, and it rewritten."""
    names: dict[str, Any] = {"__name__": "net"}
    exec(NET, names)  # noqa: S102 - a text of this file
    model = names["Net"]()
    return model, replace_layers(copy.deepcopy(model), FORMS)


def version(weights: Path, save: Path) -> ModelVersion:
    return ModelVersion(replacements=FORMS, weights=str(weights), save=str(save))


def parallel(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{name}": tensor for name, tensor in state.items()}


WRAPPERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "bare": (lambda state: state, lambda whole: whole),
    "state_dict": (lambda state: {"epoch": 3, "state_dict": state}, lambda w: w["state_dict"]),
    "model": (lambda state: {"model": state, "optimizer": {"lr": [0.1]}}, lambda w: w["model"]),
    "parallel": (parallel, lambda w: {n.removeprefix("module."): t for n, t in w.items()}),
    "both": (
        lambda state: {"state_dict": parallel(state), "best": 0.9},
        lambda w: {n.removeprefix("module."): t for n, t in w["state_dict"].items()},
    ),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_checkpoint_keeps_its_form(models: tuple[nn.Module, nn.Module], tmp_path: Path, wrapper: str) -> None:
    model, made = models
    wrap, unwrap = WRAPPERS[wrapper]
    torch.save(wrap(model.state_dict()), tmp_path / "net.pt")
    errors = load_into(made, version(tmp_path / "net.pt", tmp_path / "new.pt"))
    assert errors.keys() == FORMS.keys()
    old, new = torch.load(tmp_path / "net.pt"), torch.load(tmp_path / "new.pt")
    state = unwrap(new)
    assert list(state) == list(made.state_dict())
    assert all(torch.equal(state[name], tensor) for name, tensor in made.state_dict().items())
    around = [{n: v for n, v in w.items() if not is_state(n)} for w in (old, new)]
    assert around[0] == around[1]
    assert around[0] or wrapper in ("bare", "parallel")


def is_state(name: str) -> bool:
    return name in ("state_dict", "model") or "." in name


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_safetensors_hold_the_state_alone(models: tuple[nn.Module, nn.Module], tmp_path: Path, wrapper: str) -> None:
    model, made = models
    torch.save(WRAPPERS[wrapper][0](model.state_dict()), tmp_path / "net.pt")
    load_into(made, version(tmp_path / "net.pt", tmp_path / "new.safetensors"))
    state = safetensors.torch.load_file(tmp_path / "new.safetensors")
    again = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    assert again.keys() == made.state_dict().keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in made.state_dict().items())


def test_safetensors_are_read(models: tuple[nn.Module, nn.Module], tmp_path: Path) -> None:
    model, made = models
    safetensors.torch.save_file(model.state_dict(), tmp_path / "net.safetensors")
    load_into(made, version(tmp_path / "net.safetensors", tmp_path / "new.pt"))
    kept = [name for name in model.state_dict() if not name.startswith(("1.", "4."))]
    state = torch.load(tmp_path / "new.pt")
    assert all(torch.equal(state[name], model.state_dict()[name]) for name in kept)


@pytest.mark.parametrize("name", ["new.pt", "new.safetensors"])
def test_a_checkpoint_is_replaced_as_a_whole_or_not_at_all(
    models: tuple[nn.Module, nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model, made = models
    torch.save(model.state_dict(), tmp_path / "net.pt")
    (tmp_path / name).write_text("the old one")

    def half(_: Any, to: Any) -> None:
        with nullcontext(to) if hasattr(to, "write") else open(to, "wb") as file:
            file.write(b"half")
        raise RuntimeError("no space left")

    monkeypatch.setattr(torch, "save", half)
    monkeypatch.setattr(safetensors.torch, "save_file", half)
    with pytest.raises(ProblemError, match=f"{name} cannot be written: no space left"):
        load_into(made, version(tmp_path / "net.pt", tmp_path / name))
    assert (tmp_path / name).read_text() == "the old one"
    assert {path.name for path in tmp_path.iterdir()} == {"net.pt", name}


# --- those that cannot be had


@pytest.fixture
def here(kept: Project) -> Project:
    kept.emptied().write("net.py", NET)
    return kept


INPUT = ("--input", "3,16,16")
GROUPED = ("--kind", "grouped")


class Code:
    """What a checkpoint must not hold: it is called when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("it-ran",)


def half_a_file(path: Path) -> None:
    torch.save(torch.zeros(99), path)
    path.write_bytes(path.read_bytes()[:-200])


CHECKPOINTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "none": ("no.pt", lambda path: None, "no.pt does not exist"),
    "of another model": (
        "small.pt",
        lambda path: torch.save({"0.weight": torch.zeros(32, 3, 3, 3)}, path),
        "small.pt does not match the model: missing 0.bias; missing 1.weight; missing 1.bias",
    ),
    "of other sizes": (
        "wide.pt",
        lambda path: torch.save(
            {
                "0.weight": torch.zeros(64, 3, 3, 3),
                "0.bias": torch.zeros(64),
                "1.weight": torch.zeros(128, 64, 3, 3),
                "1.bias": torch.zeros(128),
            },
            path,
        ),
        "does not match the model: 0.weight is 64x3x3x3, not 32x3x3x3; 0.bias is 64, not 32; 1.weight is 128x64x3x3, ",
    ),
    "of other sizes and names": (
        "other.pt",
        lambda path: torch.save({"0.weight": torch.zeros(64, 3, 3, 3), "fc.bias": torch.zeros(4)}, path),
        "does not match the model: 0.weight is 64x3x3x3, not 32x3x3x3; missing 0.bias; missing 1.weight and 9 more",
    ),
    "with code inside": (
        "code.pt",
        lambda path: torch.save({"state_dict": Code()}, path),
        "code.pt contains code or objects other than tensors and was not loaded",
    ),
    "a pickle": (
        "pickle.pt",
        lambda path: path.write_bytes(pickle.dumps(Code())),
        "pickle.pt contains code or objects other than tensors and was not loaded",
    ),
    "a whole model": (
        "whole.pt",
        lambda path: torch.save(torch.nn.Conv2d(3, 3, 3), path),
        "whole.pt contains code or objects other than tensors and was not loaded",
    ),
    "a tensor": ("one.pt", lambda path: torch.save(torch.zeros(3), path), "one.pt contains no state dict"),
    "numbers": ("numbers.pt", lambda path: torch.save({"a": {"b": 3}}, path), "numbers.pt contains no state dict"),
    "text": ("text.pt", lambda path: path.write_text("no"), "text.pt contains code or objects other than tensors"),
    "half a file": ("half.pt", half_a_file, "half.pt cannot be read as a checkpoint"),
    "no safetensors": (
        "no.safetensors",
        lambda path: path.write_text("no"),
        "no.safetensors cannot be read as a checkpoint",
    ),
    "a folder": ("folder.pt", lambda path: path.mkdir(), "folder.pt does not exist"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_had_is_one_clear_line(here: Project, case: str) -> None:
    name, make, expected = CHECKPOINTS[case]
    make(here.folder / name)
    before = sorted(here.folder.iterdir())
    result = here.suggest("net.py:Net", *INPUT, *GROUPED, "--weights", name, "--save-weights", "new.pt", "--write")
    assert expected in refused(result)
    assert sorted(here.folder.iterdir()) == before
    assert (here.folder / "net.py").read_text() == NET


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_saved_leaves_nothing_behind(here: Project) -> None:
    torch.save(here.load("net.py")["Net"]().state_dict(), here.folder / "net.pt")
    (here.folder / "taken.pt").mkdir()
    before = sorted(here.folder.iterdir())
    result = here.suggest(
        "net.py:Net", *INPUT, *GROUPED, "--weights", "net.pt", "--save-weights", "taken.pt", "--write"
    )
    assert result.code == 2
    assert "taken.pt cannot be written" in result.out
    assert sorted(here.folder.iterdir()) == before
    assert (here.folder / "net.py").read_text() == NET
