"""The latent rules on models that run: what they suspect is proved with other numbers, or dropped.

PyTorch has the last word: every witness that is reported is built and run here once more.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convlint.findings import confirm
from convlint.ir import Finding
from convlint.pipelines import run_models
from convlint.runtime.worker.client import Worker
from convlint.settings.input_shapes import InputSpec
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target
from convlint.support.errors import UsageError
from tests.rules.latent_case import Case, Use, stands_for
from tests.rules.latent_cases import BAD, CASES

LATENT = {"CVL201", "CVL202", "CVL203"}
UNSEEN = {
    "dataclass config",  # a run does not trace the attributes of the object
    "optional middle width",  # the run takes the other branch
    "make divisible",  # the number is lost on the way through a float
    "shuffled pixels counted once",  # and through a power
}
HEAD = "import torch\nfrom torch import nn\n"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


def latent(worker: Worker, file: Path, source: str, use: Use) -> list[Finding] | None:
    """The proved findings on a use of a file; None where it is no target: an argument is no literal."""
    file.write_text(source, encoding="utf-8")
    call, *shapes = use
    try:
        target = parse_target(f"{file}:{call}")
    except UsageError:
        return None
    inputs = tuple(InputSpec(shape[1:]) for shape in shapes)
    answer = worker.run(Job(target, inputs, batch_size=shapes[0][0]))
    assert not answer.problems
    assert answer.graph is not None
    found = [f for f in run_models.findings(answer.graph) if f.code in LATENT]
    return confirm.confirmed(found, worker.prove)


def tried(source: str, file: Path, call: str, inputs: tuple[str, ...]) -> Any:
    """What PyTorch makes of a call and inputs that a witness names."""
    import torch  # only tests that run models need it

    names: dict[str, Any] = {"__name__": "case"}
    exec(compile(source, str(file), "exec"), names)  # noqa: S102
    model = eval(call, vars(torch.nn) | names).eval()  # noqa: S307
    return model(*(torch.rand([int(size) for size in text.split("x")]) for text in inputs))


def assert_proved(finding: Finding, source: str, file: Path) -> None:
    witness = finding.witness
    assert witness is not None, finding.message
    with pytest.raises((RuntimeError, ValueError)) as caught:
        tried(source, file, witness.call, witness.inputs)
    assert witness.error.startswith(f"{caught.type.__name__}: ")
    assert ast.parse(witness.control)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_is_found_and_proved(case: Case, worker: Worker, tmp_path: Path) -> None:
    file = tmp_path / "case.py"
    found = latent(worker, file, case.source, case.works[0])
    if found is None:
        pytest.skip("no target")
    for finding in found:
        assert finding.site is not None
        assert case.allows(finding.site.line, finding.code), finding.message
        assert_proved(finding, case.source, file)
    places = {(f.site.line, f.code) for f in found if f.site}
    for (_, word), lines in case.demanded.items():
        if any(stands_for(word, code) for code in LATENT) and case.name not in UNSEEN:
            assert any(line in lines and stands_for(word, code) for line, code in places)


def test_few_are_unseen() -> None:
    assert {case.name for case in BAD} >= UNSEEN


# --- contracts, and what a run does not tell

CONTRACTS = {
    "a residual around both": """
class Net(nn.Module):
    def __init__(self, width=16, hidden=16):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 1)
        self.one, self.two = nn.Conv2d(width, hidden, 1), nn.Conv2d(width, width, 1)
    def forward(self, x):
        x = self.stem(x)
        y = self.one(x)
        return self.two(y) + x + y
""",
    "compared": """
class Net(nn.Module):
    def __init__(self, width=16, hidden=16):
        super().__init__()
        if width != hidden:
            raise ValueError("equal widths only")
        self.one, self.two = nn.Conv2d(3, hidden, 1), nn.Conv2d(width, width, 1)
    def forward(self, x):
        return self.two(self.one(x))
""",
    "two readers ask the same": """
class Net(nn.Module):
    def __init__(self, width=16, hidden=16):
        super().__init__()
        self.one = nn.Conv2d(3, hidden, 1)
        self.two, self.three = nn.Conv2d(width, 4, 1), nn.Conv2d(width, 4, 1)
    def forward(self, x):
        x = self.one(x)
        return self.two(x) + self.three(x)
""",
    "as many layers as the class is told": """
class Net(nn.Module):
    def __init__(self, growth=8, depth=3):
        super().__init__()
        self.stem = nn.Conv2d(3, growth, 1)
        self.layers = nn.ModuleList(nn.Conv2d(growth, growth, 1) for _ in range(depth))
        self.end = nn.Conv2d(growth * (depth + 1), 4, 1)
    def forward(self, x):
        maps = [self.stem(x)]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return self.end(torch.cat(maps, 1))
""",
    "refused in other words": """
class Net(nn.Module):
    def __init__(self, width=16, hidden=16):
        super().__init__()
        assert str(width) == str(hidden)
        self.one, self.two = nn.Conv2d(3, hidden, 1), nn.Conv2d(width, width, 1)
    def forward(self, x):
        return self.two(self.one(x))
""",
    "a choice that follows the number": """
class Net(nn.Module):
    def __init__(self, width=16, hidden=16):
        super().__init__()
        self.one = nn.Conv2d(3, hidden, 1)
        self.two = nn.Conv2d({hidden: width}.get(width, hidden), 4, 1)
    def forward(self, x):
        return self.two(self.one(x))
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("source", CONTRACTS.values(), ids=CONTRACTS)
def test_a_contract_is_not_reported(source: str, worker: Worker, tmp_path: Path) -> None:
    assert latent(worker, tmp_path / "net.py", HEAD + source, ("Net()", (1, 3, 8, 8))) == []


def test_two_classes_that_disagree_are_reported_where_their_owner_builds_them(worker: Worker, tmp_path: Path) -> None:
    source = (
        HEAD
        + """
class Part(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 1)
    def forward(self, x):
        return self.conv(x).relu()
class Net(nn.Module):
    def __init__(self, stem=16, width=16):
        super().__init__()
        self.stem = Part(3, stem)
        self.body = Part(width, 8)  # here
    def forward(self, x):
        return self.body(self.stem(x))
"""
    )
    found = latent(worker, tmp_path / "net.py", source, ("Net()", (1, 3, 8, 8)))
    assert found is not None
    (finding,) = found
    assert finding.site is not None
    assert source.splitlines()[finding.site.line - 1].endswith("# here")
    assert_proved(finding, source, tmp_path / "net.py")
    assert finding.fix is not None
    assert [edit.text for edit in finding.fix.edits] == ["stem"]


# --- CVL204


def sizes(worker: Worker, file: Path, body: str, call: str = "Net()") -> list[str]:
    """What CVL204 says of a net with these layers, on 64x64."""
    file.write_text(HEAD + body, encoding="utf-8")
    answer = worker.run(Job(parse_target(f"{file}:{call}"), (InputSpec((3, 64, 64)),)))
    assert answer.graph is not None
    return [f.message for f in run_models.findings(answer.graph) if f.code == "CVL204"]


FIXED = """
class Net(nn.Module):
    def __init__(self, features=8 * 16 * 16, kernel=1):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(4))
        self.head = nn.Linear(2048, 10)
    def forward(self, x):
        return self.head(self.body(x).flatten(1))
"""


def test_the_sizes_that_run_are_stated(worker: Worker, tmp_path: Path) -> None:
    (message,) = sizes(worker, tmp_path / "net.py", FIXED)
    assert "in_features=2048 (8x16x16) of Linear `head` fixes the input size" in message
    assert "64x64 to 67x67 work, 63x63 and 68x68 fail" in message


def test_a_size_alone(worker: Worker, tmp_path: Path) -> None:
    body = FIXED.replace("nn.MaxPool2d(4)", "nn.Conv2d(8, 1, 5, padding=2)").replace("2048", "4096")
    (message,) = sizes(worker, tmp_path / "net.py", body)
    assert "only 64x64 works, 63x63 and 65x65 fail" in message


def test_a_larger_map_that_becomes_several_samples_does_not_work(worker: Worker, tmp_path: Path) -> None:
    (message,) = sizes(worker, tmp_path / "net.py", FIXED.replace("flatten(1)", "view(-1, 2048)"))
    assert "64x64 to 67x67 work, 63x63 and 68x68 fail" in message


@pytest.mark.parametrize(
    ("condition", "stated"),
    [
        ("x.shape[-1] % 2 == 0", "64x64 and 66x66 work, 63x63, 65x65 and 128x128 fail"),
        ("x.shape[-1] <= 65", "64x64 to 65x65 work, 63x63 and 66x66 fail"),
    ],
)
def test_a_range_is_stated_only_if_every_size_in_it_ran(
    condition: str, stated: str, worker: Worker, tmp_path: Path
) -> None:
    body = FIXED.replace("        return self.head", f"        assert {condition}\n        return self.head")
    (message,) = sizes(worker, tmp_path / "net.py", body)
    assert stated in message


def test_a_global_convolution_in_front_is_named(worker: Worker, tmp_path: Path) -> None:
    body = FIXED.replace("nn.MaxPool2d(4)", "nn.MaxPool2d(8), nn.Conv2d(8, 8, 8, groups=8)")
    body = body.replace("2048", "8")
    (message,) = sizes(worker, tmp_path / "net.py", body)
    assert "64x64 to 71x71 work" in message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nn.MaxPool2d(4)", "nn.AdaptiveAvgPool2d(16)"),  # any size runs
        ("nn.Linear(2048,", "nn.Linear(features,"),  # the class is told
        ("nn.Linear(2048,", "nn.Linear(self.body(torch.zeros(1, 3, 64, 64)).numel(),"),
        ("nn.Linear(2048, 10)", "nn.LazyLinear(10)"),
    ],
)
def test_a_number_that_is_not_written_down_is_not_reported(
    before: str, after: str, worker: Worker, tmp_path: Path
) -> None:
    assert sizes(worker, tmp_path / "net.py", FIXED.replace(before, after)) == []
