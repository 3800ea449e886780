"""Whether calls that a person wrote prove what a finding says."""

from __future__ import annotations

import torch
from torch import nn

from bench.published_runs import Call


def proof(works: str, inputs: str = "rand(1, 2, 8, 8)") -> str:
    call = Call(["net.py"], fails="nn.Conv2d(3, 4, 1)", works=works, inputs=inputs)
    with torch.no_grad():
        return call.proof({}, "Conv2d", is_ignored=False).verdict


def test_a_call_proves_a_failure_only_if_its_control_works() -> None:
    assert proof("nn.Conv2d(2, 4, 1)") == "fails"
    assert proof("nn.Conv2d(5, 4, 1)") == "unknown"


def test_a_call_that_works_refutes() -> None:
    assert proof("nn.Conv2d(3, 4, 1)", "rand(1, 3, 8, 8)") == "works"


def test_an_argument_without_effect_leaves_the_parameters() -> None:
    names = {"Block": lambda width, _: nn.Conv2d(width, 4, 1)}
    assert Call(["net.py"], same="Block(2, VALUE)").proof(dict(names), "Block", is_ignored=True).verdict == "fails"
    assert Call(["net.py"], same="Block(VALUE, 2)").proof(dict(names), "Block", is_ignored=True).verdict == "works"
