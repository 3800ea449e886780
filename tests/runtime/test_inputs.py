"""The inputs of a run: as they were requested, nested in dicts and lists, and guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convlint.runtime.worker.client import JobResult, Worker
from convlint.settings.input_shapes import parse_input
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target

HEAD = "import torch\nfrom torch import nn\n\n\n"
Run = Callable[..., JobResult]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


@pytest.fixture
def run(worker: Worker, tmp_path: Path) -> Run:
    def run_net(source: str, *inputs: str, batch_size: int = 1) -> JobResult:
        file = tmp_path / "net.py"
        file.write_text(HEAD + source)
        specs = tuple(map(parse_input, inputs))
        return worker.run(Job(parse_target(f"{file}:Net"), specs, batch_size=batch_size))

    return run_net


NESTED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(6, 4, 1)
        self.steps = nn.Embedding(1000, 4)

    def forward(self, batch, t):
        assert t.shape == (2,) and t.dtype == torch.int64
        x = torch.cat([batch["image"], batch.maps[0], batch.maps[1]], 1)
        return self.conv(x) + self.steps(t)[:, :, None, None]
"""


def test_parts_of_dicts_and_lists_and_one_value_per_sample(run: Run) -> None:
    inputs = ("batch.image=3,8,8", "batch.maps.0=1,8,8", "batch.maps.1=2,8,8", "t=:int64[0,1000)")
    answer = run(NESTED, *inputs, batch_size=2)
    assert not answer.problems
    assert answer.graph is not None
    assert answer.graph.failure is None
    assert answer.graph.outputs == ("2x4x8x8 float32",)


VALUES = """
class Net(nn.Module):
    def forward(self, x, t):
        assert -3 <= x.min() < -1 and 1 < x.max() < 3
        assert 5 <= t.min() and t.max() < 9 and len(t.unique()) == 4
        return x
"""


def test_values_are_in_the_requested_range(run: Run) -> None:
    answer = run(VALUES, "x=100:float32[-3,3)", "t=100:int64[5,9)")
    assert not answer.problems
    assert answer.graph is not None
    assert answer.graph.failure is None


def test_a_name_that_is_a_tensor_and_a_dict_is_a_problem(run: Run) -> None:
    (problem,) = run(VALUES, "x=3,8,8", "x.image=3,8,8").problems
    assert (problem.kind, "given twice" in problem.message) == ("input", True)
