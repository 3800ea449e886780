"""What the rules' fixes make of a file, how they say when they cannot, and noqa for every rule."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from convlint.findings import fix_loop, suppressions
from convlint.ir import Finding
from convlint.pipelines import run_models
from convlint.rules.base import Example
from convlint.rules.registry import rules
from convlint.runtime.worker.client import Worker
from convlint.settings.config import Config
from convlint.settings.input_shapes import parse_input
from convlint.settings.targets import parse_target

EXAMPLES = [
    pytest.param(code, example, id=f"{code}-{number}")
    for code, rule in rules().items()
    if "run" in rule.decided_by
    for number, example in enumerate(rule.bad, 1)
]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


class Runs:
    """Finds what is wrong with the model of a file by running it, with the file as given."""

    def __init__(self, worker: Worker, file: Path, code: str, example: Example) -> None:
        self._worker, self._file, self._code, self._example = worker, file, code, example

    def __call__(self, texts: fix_loop.Texts) -> Sequence[Finding]:
        self._file.write_bytes(texts[str(self._file)])
        budget = {"max-params": 1000} if "--max-params" in self._example.options else {}
        asked = run_models.Options(
            inputs=tuple(map(parse_input, self._example.input)),
            train="--train" in self._example.options,
            budgets=budget,
            timeout=60,
        )
        settings = Config(select=(self._code,))
        target = parse_target(f"{self._file}:{self._example.call}")
        report = run_models.check(
            run_models.jobs([target], asked, settings), self._worker.run, settings
        )
        assert not report.problems
        return report.findings


# --- every rule


@pytest.mark.slow
@pytest.mark.parametrize(("code", "example"), EXAMPLES)
def test_what_is_fixed_is_silent(
    worker: Worker, tmp_path: Path, code: str, example: Example
) -> None:
    file = tmp_path / "net.py"
    find = Runs(worker, file, code, example)
    done = fix_loop.fixed({str(file): example.source.encode()}, find, unsafe=True)
    assert done.settled
    assert not done.dropped
    for left in done.remaining:
        assert left.fix is None or left.fix.applicability == "display"
    for data in done.texts.values():
        assert not fix_loop.fixed({str(file): data}, find, unsafe=True).texts


@pytest.mark.slow
@pytest.mark.parametrize(("code", "example"), EXAMPLES)
def test_noqa_silences_every_rule(
    worker: Worker, tmp_path: Path, code: str, example: Example
) -> None:
    file = tmp_path / "net.py"
    find = Runs(worker, file, code, example)
    found = find({str(file): example.source.encode()})
    data, count = suppressions.add_noqa(example.source.encode(), found)
    assert count == len([f for f in found if f.site is not None])
    assert [f for f in find({str(file): data}) if f.site is not None] == []
    assert not suppressions.unused(str(file), data, found, [code])


# --- each fix

HEAD = """\
import torch
from torch import nn
from torch.nn import Conv2d as C

"""
NET = """\
class Net(nn.Module):
    def __init__(self, bias=True, use=True, norm=nn.BatchNorm2d):
        super().__init__()
        self.conv = {conv}
        self.norm = {norm}

    def forward(self, x):
        return self.norm(self.conv(x))
"""


def mended(worker: Worker, file: Path, code: str, source: str) -> tuple[str, str]:
    """How the first finding may be fixed, and the file after that, without its head."""
    find = Runs(worker, file, code, Example(source, input=("3,8,8",)))
    data = {str(file): source.encode()}
    found = find(data)
    assert found
    assert found[0].fix is not None
    done = fix_loop.fixed(data, find, unsafe=True)
    assert bool(done.texts) == (found[0].fix.applicability != "display")
    after = done.texts.get(str(file), b"").decode()
    ast.parse(after)
    return found[0].fix.applicability, after.removeprefix(HEAD)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conv", "after"),
    [
        ("nn.Conv2d(3, 4, 3)", "nn.Conv2d(3, 4, 3, bias=False)"),
        ("nn.Conv2d(3, 4, 3,)", "nn.Conv2d(3, 4, 3, bias=False,)"),
        ("nn.Conv2d(3, 4, (3))", "nn.Conv2d(3, 4, (3), bias=False)"),
        ("nn.Conv2d(3, 4, ((3)) ,)", "nn.Conv2d(3, 4, ((3)), bias=False ,)"),
        ("nn.Conv2d(3, 4, (3, 3))", "nn.Conv2d(3, 4, (3, 3), bias=False)"),
        ("nn.Conv2d(3, 4, kernel_size=(3))", "nn.Conv2d(3, 4, kernel_size=(3), bias=False)"),
        ("nn.Conv2d(3, 4, 3, bias=True)", "nn.Conv2d(3, 4, 3, bias=False)"),
        ("nn.Conv2d(3, 4, 3, 1, 0, 1, 1, True)", "nn.Conv2d(3, 4, 3, 1, 0, 1, 1, False)"),
        ("nn.Conv2d(*(3, 4, 3), bias=True)", "nn.Conv2d(*(3, 4, 3), bias=False)"),
        ("nn.ConvTranspose2d(3, 4, 3)", "nn.ConvTranspose2d(3, 4, 3, bias=False)"),
        ("nn.LazyConv2d(4, 3)", "nn.LazyConv2d(4, 3, bias=False)"),
        ("nn.LazyConv2d(4, 3, 1, 0, 1, 1, True)", "nn.LazyConv2d(4, 3, 1, 0, 1, 1, False)"),
        ("torch.nn.Conv2d(3, 4, 3)", "torch.nn.Conv2d(3, 4, 3, bias=False)"),
        ("C(3, 4, 3)", "C(3, 4, 3, bias=False)"),
        ("[C(3, 4, 1) for _ in 'ab'][0]", "[C(3, 4, 1, bias=False) for _ in 'ab'][0]"),
        ("nn.Sequential(C(3, 4, 1))[0]", "nn.Sequential(C(3, 4, 1, bias=False))[0]"),
        (
            "nn.Conv2d(\n    3,  # (in)\n    4,\n    3,  # a kernel)\n)",
            "nn.Conv2d(\n    3,  # (in)\n    4,\n    3, bias=False,  # a kernel)\n)",
        ),
        ("nn.Conv2d(3, 4, (3  # (\n    ) )", "nn.Conv2d(3, 4, (3  # (\n    ), bias=False )"),
        ("nn.Conv2d(3, int('é' != '') * 4, 3)", "nn.Conv2d(3, int('é' != '') * 4, 3, bias=False)"),
    ],
)
def test_bias_is_taken_away(worker: Worker, tmp_path: Path, conv: str, after: str) -> None:
    source = HEAD + NET.format(conv=conv, norm="nn.BatchNorm2d(4)")
    expected = NET.format(conv=after, norm="nn.BatchNorm2d(4)")
    assert mended(worker, tmp_path / "net.py", "CVL301", source) == ("unsafe", expected)


@pytest.mark.parametrize(
    "conv",
    [
        "nn.Conv2d(3, 4, 3, bias=bias)",
        "nn.Conv2d(3, 4, 3, bias=not False)",
        "nn.Conv2d(3, 4, 3, 1, 0, 1, 1, bias)",
        "nn.Conv2d(*(3, 4, 3))",
        "nn.Conv2d(3, 4, **{'kernel_size': 3})",
        "getattr(nn, 'Conv2d')(3, 4, 3)",
        "(nn.Conv2d if use else nn.Conv2d)(3, 4, 3)",
    ],
)
def test_a_bias_that_is_decided_elsewhere_is_left(
    worker: Worker, tmp_path: Path, conv: str
) -> None:
    source = HEAD + NET.format(conv=conv, norm="nn.BatchNorm2d(4)")
    assert mended(worker, tmp_path / "net.py", "CVL301", source) == ("display", "")


@pytest.mark.parametrize(
    "norm",
    [
        "nn.BatchNorm2d(4) if use else nn.Identity()",
        "use and nn.BatchNorm2d(4)",
        "nn.Sequential(*[nn.BatchNorm2d(4) for _ in range(1)])",
        "(lambda: nn.BatchNorm2d(4))()",
        "norm(4)",
    ],
)
def test_a_bias_is_left_where_the_norm_may_not_be_there(
    worker: Worker, tmp_path: Path, norm: str
) -> None:
    source = HEAD + NET.format(conv="nn.Conv2d(3, 4, 3)", norm=norm)
    assert mended(worker, tmp_path / "net.py", "CVL301", source) == ("display", "")


@pytest.mark.parametrize(
    "net",
    [
        # One call builds a layer with the norm and one without.
        """\
def Net():
    layers = []
    for out in (4, 6):
        layers.append(nn.Conv2d(3 if out == 4 else 4, out, 1))
        if out == 4:
            layers.append(nn.BatchNorm2d(out))
    return nn.Sequential(*layers)
""",
        # A helper that others may call without a norm.
        """\
def conv(into, out):
    return nn.Conv2d(into, out, 3)


def Net():
    return nn.Sequential(conv(3, 4), nn.BatchNorm2d(4))
""",
        # A way out between the two.
        """\
def Net(norm=True):
    conv = nn.Conv2d(3, 4, 3)
    if not norm:
        return conv
    return nn.Sequential(conv, nn.BatchNorm2d(4))
""",
        # The file reads the bias of every convolution.
        """\
def Net():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            nn.init.zeros_(module.bias)
    return net
""",
        # A class that is called as one of torch.nn's.
        """\
class Conv2d(nn.Conv2d):
    pass


def Net():
    return nn.Sequential(Conv2d(3, 4, 3), nn.BatchNorm2d(4))
""",
    ],
    ids=["one-with-one-without", "helper", "way-out", "reader", "own-class"],
)
@pytest.mark.slow
def test_a_bias_is_left_where_something_else_needs_it(
    worker: Worker, tmp_path: Path, net: str
) -> None:
    assert mended(worker, tmp_path / "net.py", "CVL301", HEAD + net) == ("display", "")


@pytest.mark.parametrize(
    "initialised",
    [
        "if module.bias is not None:\n            nn.init.zeros_(module.bias)",
        "if isinstance(module, nn.BatchNorm2d):\n            nn.init.zeros_(module.bias)",
        "if module is net[1]:\n            nn.init.zeros_(net.norm.bias)",
        "module.bias = module.bias if module.bias is None else module.bias",
    ],
)
def test_a_bias_may_be_read_where_none_is_expected(
    worker: Worker, tmp_path: Path, initialised: str
) -> None:
    source = f"""\
def Net():
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 4, 3))
    net.add_module("norm", nn.BatchNorm2d(4))
    for module in net:
        {initialised}
    return net
"""
    after = source.replace("4, 3)", "4, 3, bias=False)")
    answer = mended(worker, tmp_path / "net.py", "CVL301", HEAD + source)
    assert answer == ("unsafe", after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conv", "after"),
    [
        ("nn.Conv2d(3, 4, 1, padding=1)", "nn.Conv2d(3, 4, 1, padding=0)"),
        ("nn.Conv2d(3, 4, 1, 1, 1)", "nn.Conv2d(3, 4, 1, 1, 0)"),
        ("nn.Conv2d(3, 4, 1, padding=(1, 1),)", "nn.Conv2d(3, 4, 1, padding=0,)"),
        ("nn.Conv2d(3, 4, (1, 3), padding=1)", "nn.Conv2d(3, 4, (1, 3), padding=(0, 1))"),
        ("nn.Conv2d(3, 4, [3, 1], padding=[1, 2])", "nn.Conv2d(3, 4, [3, 1], padding=(1, 0))"),
        ("nn.LazyConv2d(4, 1, 1, 2)", "nn.LazyConv2d(4, 1, 1, 0)"),
        ("C(padding=1, kernel_size=1, out_channels=4, in_channels=3)",) * 2,
    ],
)
def test_padding_is_taken_away(worker: Worker, tmp_path: Path, conv: str, after: str) -> None:
    source, expected = (HEAD + f"def Net():\n    return {call}\n" for call in (conv, after))
    expected = expected.removeprefix(HEAD).replace("C(padding=1", "C(padding=0")
    assert mended(worker, tmp_path / "net.py", "CVL302", source) == ("unsafe", expected)


@pytest.mark.parametrize(
    "conv",
    [
        "nn.Conv2d(3, 4, 1, padding=padding)",
        "nn.Conv2d(3, 4, kernel, padding=1)",
        "nn.Conv2d(3, 4, 1, padding=(kernel, 1))",
        "nn.Conv2d(3, 4, *(1, 1, 1))",
        "nn.Conv2d(3, 4, 1, **{'padding': 1})",
    ],
)
def test_a_padding_that_is_decided_elsewhere_is_left(
    worker: Worker, tmp_path: Path, conv: str
) -> None:
    source = HEAD + f"def Net(padding=1, kernel=1):\n    return {conv}\n"
    assert mended(worker, tmp_path / "net.py", "CVL302", source) == ("display", "")


def wide(norm: str) -> str:
    return f"""\
def Net(width=8):
    return nn.Sequential(
        nn.Conv2d(3, 16, 1, bias=False), {norm}, nn.Conv2d(16, 4, 1), nn.ReLU()
    )
"""


@pytest.mark.parametrize(
    ("norm", "after"),
    [
        ("nn.BatchNorm2d(8)", "nn.BatchNorm2d(16)"),
        ("nn.BatchNorm2d(eps=1e-3, num_features=8)", "nn.BatchNorm2d(eps=1e-3, num_features=16)"),
        ("*[nn.BatchNorm2d(8) for _ in 'ab']", "*[nn.BatchNorm2d(16) for _ in 'ab']"),
    ],
)
def test_the_width_of_a_norm_is_mended(
    worker: Worker, tmp_path: Path, norm: str, after: str
) -> None:
    answer = mended(worker, tmp_path / "net.py", "CVL103", HEAD + wide(norm))
    assert answer == ("unsafe", wide(after))


@pytest.mark.parametrize(
    "norm", ["nn.BatchNorm2d(width)", "nn.BatchNorm2d(*[8])", "nn.BatchNorm2d(2 * 4)"]
)
def test_a_width_that_is_decided_elsewhere_is_left(
    worker: Worker, tmp_path: Path, norm: str
) -> None:
    file = tmp_path / "net.py"
    find = Runs(worker, file, "CVL103", Example("", input=("3,8,8",)))
    (found,) = find({str(file): (HEAD + wide(norm)).encode()})
    assert found.fix is None
