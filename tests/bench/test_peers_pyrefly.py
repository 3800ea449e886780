"""The programs on which convlint and Pyrefly are compared: PyTorch refuses them, each for the mistake on one line."""

from __future__ import annotations

import pytest
import torch

from bench import peers_pyrefly

PROGRAMS = peers_pyrefly.programs()


def test_there_are_at_least_twenty_programs() -> None:
    assert len(PROGRAMS) >= 20


@pytest.mark.parametrize("name", [name for name in PROGRAMS if not name.startswith("the example")])
def test_pytorch_refuses_an_annotated_program(name: str) -> None:
    text, _ = PROGRAMS[name]
    names: dict[str, object] = {"__name__": "program"}
    exec(compile(text, "program.py", "exec"), names)  # noqa: S102 - the program under test
    net = names["Net"]
    assert callable(net)
    with pytest.raises(RuntimeError):
        net()(torch.zeros(1, 3, 32, 32))


def test_an_error_at_another_line_is_told_with_its_line() -> None:
    found = {("a.py", 3): "wrong", ("a.py", 5): "also", ("b.py", 3): "other"}
    assert peers_pyrefly.said(found, "a.py", 3) == "wrong; line 5: also"
    assert peers_pyrefly.said(found, "c.py", 3) == "no"
