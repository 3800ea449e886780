"""The inputs of a run: as they were requested, nested in dicts and lists, and guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convlint.pipelines import run_models
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


def test_an_index_is_the_largest_of_its_range(run: Run) -> None:
    table = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, t):
        return self.table(t)
"""
    assert run(table, "t=:int64[0,10)").graph.failure is None  # type: ignore[union-attr]
    assert "out of range" in str(run(table, "t=:int64[0,11)").graph.failure)  # type: ignore[union-attr]


def test_a_name_that_is_a_tensor_and_a_dict_is_a_problem(run: Run) -> None:
    (problem,) = run(VALUES, "x=3,8,8", "x.image=3,8,8").problems
    assert (problem.kind, "given twice" in problem.message) == ("input", True)


# --- guessed inputs: what depends on their size or kind proves nothing

IN_FORWARD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.next = {layer}

    def forward(self, x):
        {forward}
"""
HEAD_OF_LINEAR = "return self.next(self.conv(x).flatten(1))"
CERTAIN = {
    "a width": ("nn.Conv2d(9, 4, 3)", "return self.next(self.conv(x))", "CVL102"),
    "a width after global pooling": ("nn.Linear(9, 4)", "return self.next(self.conv(x).amax((2, 3)))", "CVL108"),
    "features that no map of 8 channels has": ("nn.Linear(1001, 4)", HEAD_OF_LINEAR, "CVL108"),
    "a sum of sizes that always differ": (
        "nn.Conv2d(8, 8, 4, padding=1)",
        "x = self.conv(x); return x + self.next(x)",
        "CVL110",
    ),
    "the dimension of a norm": ("nn.BatchNorm3d(8)", "return self.next(self.conv(x))", "CVL115"),
    "an attribute that the model lacks": ("nn.ReLU()", "return self.last(self.conv(x))", "CVL190"),
    "two layers that read the input": ("nn.Conv2d(4, 8, 3)", "return self.conv(x), self.next(x)", "CVL102"),
}
UNCERTAIN = {
    "features of another size": ("nn.Linear(8 * 51 * 51, 4)", HEAD_OF_LINEAR, "3,H,W; it runs with 3,102,102"),
    "features of a map that is not square": ("nn.Linear(8 * 50 * 51, 4)", HEAD_OF_LINEAR, "3,H,W"),
    "a kernel larger than usual images": ("nn.Conv2d(8, 4, 601)", "return self.next(self.conv(x))", "3,H,W"),
    "a norm of a single value": ("nn.InstanceNorm2d(8)", "return self.next(self.conv(x)[:, :, :1, :1])", "3,H,W"),
    "a dict": ("nn.ReLU()", "return self.next(self.conv(x['image']) + x['mask'])", "x.image=C,H,W --input x.mask"),
    "a tuple": ("nn.ReLU()", "x, y = x; return self.next(self.conv(x))", "x.0=C,H,W --input x.1=C,H,W"),
    "a dict in a dict": ("nn.ReLU()", "return self.conv(x['a']['b'])", "x.a.b=C,H,W"),
    "a size that is demanded": ("nn.ReLU()", "assert x.shape[-1] == 100; return self.conv(x)", "3,H,W"),
}


LISTS = {
    "beside a list of layers": (
        "self.next = nn.ModuleList([nn.Conv2d(3, 4, 1) for _ in range(3)])",
        "return [layer(each) for layer, each in zip(self.next, maps)]",
        "--input maps.0=... --input maps.1=... --input maps.2=...",
    ),
    "by position": ("self.next = nn.Conv2d(3, 4, 1)", "return self.next(maps[0]) + maps[1]", "--input maps.1=..."),
    "with a counter": (
        "self.next = nn.Conv2d(3, 4, 1)",
        "return [self.next(each) for _, each in enumerate(maps)]",
        "--input maps.0=... --input maps.1=...",
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_not_guessed_to_be_a_tensor(name: str, run: Run) -> None:
    layer, forward, options = LISTS[name]
    source = f"class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        {layer}\n\n"
    answer = run(f"{source}    def forward(self, maps):\n        {forward}\n")
    assert answer.graph is None
    (problem,) = answer.problems
    assert "forward reads `maps` as a list of tensors" in problem.message
    assert options in problem.message


def test_a_loop_over_images_is_guessed_as_a_batch(run: Run) -> None:
    source = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    source += "        self.c = nn.Conv2d(3, 4, 3)\n"
    answer = run(f"{source}    def forward(self, images):\n        return [self.c(image) for image in images]\n")
    assert answer.problems == ()


@pytest.mark.parametrize("name", CERTAIN)
def test_an_error_of_any_input_is_found_with_a_guess(name: str, run: Run) -> None:
    layer, forward, code = CERTAIN[name]
    answer = run(IN_FORWARD.format(layer=layer, forward=forward))
    assert not answer.problems
    assert answer.graph is not None
    assert [f.code for f in run_models.findings(answer.graph) if f.severity == "error"] == [code]


ATARI = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3), nn.Flatten())
        self.head = nn.Linear(64 * 7 * 7, 512)
        self.last = nn.Linear({width}, 6)

    def forward(self, x):
        return self.last(self.head(self.body(x)))
"""


def test_the_size_that_a_linear_layer_requires_is_named(run: Run) -> None:
    (problem,) = run(ATARI.format(width=512)).problems
    assert problem.message.endswith("it runs with 4,88,88")
    assert not run(ATARI.format(width=512), "4,88,88").problems


def test_other_errors_are_found_at_the_size_that_a_linear_layer_requires(run: Run) -> None:
    answer = run(ATARI.format(width=500))
    assert not answer.problems
    assert answer.graph is not None
    assert answer.graph.inputs == ("x: 1x4x88x88 float32",)
    assert [(node.layer, bool(node.error)) for node in answer.graph.nodes if node.op == "linear"] == [
        ("head", False),
        ("last", True),
    ]


def test_an_image_of_mnist_is_guessed(run: Run) -> None:
    head = "nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 7 * 7, 10))"
    answer = run(IN_FORWARD.format(layer=head, forward="return self.next(self.conv(x))"))
    assert not answer.problems
    assert answer.graph is not None
    assert answer.graph.inputs == ("x: 1x3x28x28 float32",)


@pytest.mark.parametrize("name", UNCERTAIN)
def test_what_may_be_the_fault_of_a_guess_is_a_problem(name: str, run: Run) -> None:
    layer, forward, option = UNCERTAIN[name]
    answer = run(IN_FORWARD.format(layer=layer, forward=forward))
    assert answer.graph is None
    (problem,) = answer.problems
    assert problem.kind == "input"
    assert problem.message.startswith("no input is known: with the guessed input 3,")
    assert f"pass the input with --input {option}" in problem.message
    assert problem.line is not None


def test_a_norm_that_sees_one_value_of_a_guess_is_not_accused(run: Run) -> None:
    layers = "nn.Sequential(*[nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8)) for _ in range(5)])"
    source = IN_FORWARD.format(layer=layers, forward="return self.next(self.conv(x))")
    guessed, given = run(source).graph, run(source, "3,32,32").graph
    assert guessed is not None
    assert given is not None
    severities = [{f.severity for f in run_models.findings(g) if f.code == "CVL107"} for g in (guessed, given)]
    assert severities == [{"info"}, {"warning"}]


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("1,3,32,48", "expects 3,H,W: leave out the batch dimension, as in --input 3,32,48"),
        ("4,32,48,3", "leave out the batch dimension, and channels come first, as in --input 3,32,48"),
        ("1,4,32,48", "expects 3,H,W (3 sizes, without the batch dimension)"),
        ("32,48", "expects 3,H,W (3 sizes, without the batch dimension)"),
        ("32,48,3", "expects 3,H,W: channels come first, as in --input 3,32,48"),
    ],
)
def test_an_input_in_another_layout_is_a_problem_of_the_input(run: Run, given: str, advice: str) -> None:
    answer = run("class Net(nn.Conv2d):\n    def __init__(self):\n        super().__init__(3, 8, 3)\n", given)
    assert answer.graph is None
    (problem,) = answer.problems
    assert problem.kind == "input"
    assert problem.message.endswith(advice)


def test_an_image_with_as_many_columns_as_channels_runs(run: Run) -> None:
    answer = run("class Net(nn.Conv2d):\n    def __init__(self):\n        super().__init__(3, 8, 3)\n", "3,8,3")
    assert not answer.problems


OWN = {
    "a method": "def dummy_input(self):\n        return torch.zeros(1, 2, 6, 8, 8)",
    "a property": "@property\n    def dummy_inputs(self):\n        return {'volume': torch.zeros(1, 2, 6, 8, 8)}",
    "an attribute": "dummy_inputs = (torch.zeros(1, 2, 6, 8, 8),)",
}
WITH_INPUTS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(2, 4, 3)
        self.head = nn.Linear(4 * 4 * 6 * 6, 3)

    {own}

    def forward(self, volume):
        return self.head(self.conv(volume).flatten(1))
"""


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_a_model_has_inputs_of_its_own(run: Run, own: str) -> None:
    answer = run(WITH_INPUTS.format(own=own))
    assert not answer.problems
    assert answer.graph is not None
    assert answer.graph.inputs == ("volume: 1x2x6x8x8 float32",)
    assert answer.graph.failure is None


def test_inputs_of_a_model_that_fail_are_a_problem(run: Run) -> None:
    own = "def dummy_input(self):\n        return torch.zeros(self.shape)"
    (problem,) = run(WITH_INPUTS.format(own=own)).problems
    assert problem.message.startswith("`dummy_input` of the model raises AttributeError: ")
    assert not run(WITH_INPUTS.format(own=own), "2,6,8,8").problems


SIZED = """
class Net(nn.Module):
    input_size = (3, 40, 40)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5, 5)
        self.head = nn.Linear(4 * 8 * 8, 2)

    def forward(self, x):
        return self.head(self.conv(x).flatten(1))
"""


def test_a_class_states_the_size_of_its_images(run: Run) -> None:
    answer = run(SIZED)
    assert answer.graph is not None
    assert answer.graph.inputs == ("x: 1x3x40x40 float32",)


def test_an_item_that_the_inputs_lack_is_a_problem(run: Run) -> None:
    (problem,) = run(
        IN_FORWARD.format(layer="nn.ReLU()", forward="return self.conv(x.a + x['b'])"), "x.a=3,8,8"
    ).problems
    assert problem.kind == "input"
    assert problem.message == ("forward reads item 'b' of an input that has 'a'; pass it with --input NAME.b=C,H,W")
