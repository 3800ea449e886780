"""Errors that hold only on a branch: they say on which, and one that no call of the file takes is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

import convlint
from convlint.ir import Finding

HEAD = "import sys\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
BLOCK = """
class Net(nn.Module):
    def __init__(self{parameter}):
        super().__init__()
        self.pool = pool
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        if {condition}:
            self.last = nn.Conv2d(24, 4, 3)
        else:
            self.last = nn.Conv2d(16, 4, 3)

    def forward(self, x):
        return self.last(self.first(x))
"""
FACTORY = """
class Net(nn.Module):
    def __init__(self, widths, head):
        super().__init__()
        layers, last = [], 3
        for width in widths:
            layers.append(nn.Conv2d(last, width, 3))
            last = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(head, 2, 1)

    def forward(self, x):
        return self.head(self.layers(x))


WIDTHS = {"small": [8, 16], "large": [16, 32, 48]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def wrong(source: str) -> list[Finding]:
    """The errors and warnings about widths in a file."""
    Path("net.py").write_text(HEAD + source)
    found = convlint.check("net.py").findings
    return [f for f in found if f.severity != "info" and f.code.startswith(("CVL1", "CVL2"))]


def block(parameter: str, condition: str) -> str:
    return BLOCK.format(parameter=parameter, condition=condition).replace("        self.pool = pool\n", "")


@pytest.mark.parametrize(
    ("parameter", "condition", "words"),
    [
        (", bilinear=False", "bilinear", "`bilinear` is true"),
        (", bilinear=True", "not bilinear", "`bilinear` is false"),
        (", mode='narrow'", "mode == 'wide'", "`mode` is 'wide'"),
        (", mode", "mode == 'wide'", "`mode` is 'wide'"),
    ],
)
def test_a_branch_that_no_call_takes_is_a_warning(parameter: str, condition: str, words: str) -> None:
    (finding,) = wrong(block(parameter, condition))
    assert finding.severity == "warning"
    assert f"when {words}" in finding.message
    assert "24" in finding.message
    assert "16" in finding.message


def test_a_branch_that_a_call_takes_is_an_error() -> None:
    call = "\n\nif __name__ == '__main__':\n    Net(bilinear=True)(torch.rand(1, 3, 32, 32))\n"
    (finding,) = wrong(block(", bilinear=False", "bilinear") + call)
    assert finding.severity == "error"


def test_a_branch_that_fails_says_nothing_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convlint.static.domain.budget._FURTHER", -10_000)  # what a long file has left
    source = """
class Net(nn.Module):
    def __init__(self, width, down, residual):
        super().__init__()
        self.residual = residual
        self.conv = nn.Conv2d(width, width, 3, 2 if down else 1, 1)

    def forward(self, x):
        y = self.conv(x)
        if self.residual:
            y = y + x
        return y
"""
    assert wrong(source) == []


def test_a_condition_on_an_expression_is_not_shown_in_terms_of_the_analysis() -> None:
    (finding,) = wrong(block(", block", "64 != 8 * block.expansion"))
    assert "^" not in finding.message


def test_an_error_on_every_branch_names_none() -> None:
    (finding,) = wrong(block(", bilinear=False", "bilinear").replace("Conv2d(16, 4", "Conv2d(24, 4")[:-1])[:1]
    assert finding.severity == "error"
    assert "when" not in finding.message


def test_a_flag_that_only_forward_reads() -> None:
    source = """
class Net(nn.Module):
    def __init__(self, pool="max"):
        super().__init__()
        self.pool = pool
        self.first = nn.Conv2d(3, 16, 3)
        self.last = nn.Conv2d(16, 4, 3)

    def forward(self, x):
        x = self.first(x)
        if self.pool == "both":
            x = torch.cat([F.max_pool2d(x, 2), F.avg_pool2d(x, 2)], 1)
        return self.last(x)
"""
    (finding,) = wrong(source)
    assert finding.severity == "warning"
    assert "when `pool` is 'both'" in finding.message


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("def make(name):\n    return Net(WIDTHS[name], WIDTHS[name][1])\n", "`name` is 'large'"),
        (
            (
                "def make(depth):\n    assert depth in (18, 50)\n    if depth == 18:\n        return Net([8], 8)\n"
                "    return Net([8, 9], 8)\n"
            ),
            "`depth` is 50",
        ),
        (
            (
                "def make(name):\n    if name == 'a':\n        return Net([8], 8)\n    elif name in ('b', 'c'):\n"
                "        return Net([8, 9], 8)\n    raise ValueError(name)\n"
            ),
            "`name` is 'b' or `name` is 'c'",
        ),
        (
            (
                "def make(name):\n    match name:\n        case 'a' | 'b':\n            return Net([8], 8)\n"
                "        case 'c':\n            return Net([8, 9], 8)\n"
            ),
            "`name` is 'c'",
        ),
        ("def make(big=False):\n    return Net([8, 9], 8) if big else Net([8], 8)\n", "`big` is true"),
    ],
)
def test_a_factory_is_followed_for_each_name_that_it_knows(function: str, words: str) -> None:
    (finding,) = wrong(f"{FACTORY}\n\n{function}")
    assert finding.severity == "error"
    assert f"when {words}" in finding.message


VERSIONS = {
    "a prefix": "torch.__version__.startswith('0.')",
    "a major version": "int(torch.__version__.split('.')[0]) < 1",
    "numbers": "tuple(int(part) for part in torch.__version__.split('.')[:2]) < (1, 8)",
    "packaging": "version.parse(torch.__version__) < version.parse('1.10')",
    "Python": "sys.version_info < (3, 8)",
    "an attribute": "not hasattr(nn, 'SiLU')",
}


@pytest.mark.parametrize("name", VERSIONS)
def test_the_branch_for_the_versions_of_today_is_followed(name: str) -> None:
    source = f"""
from packaging import version

if {VERSIONS[name]}:
    Norm = nn.Identity
else:
    Norm = nn.SyncBatchNorm


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, bias=False)
        self.norm = Norm(32)

    def forward(self, x):
        return self.norm(self.conv(x))
"""
    (finding,) = wrong(source)
    assert finding.code == "CVL103"
    assert not wrong(source.replace("Norm(32)", "Norm(16)"))


def test_a_missing_library_is_replaced_as_its_handler_says() -> None:
    source = """
try:
    from apex.parallel import SyncBatchNorm as Norm
except ImportError:
    Norm = nn.BatchNorm2d


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, bias=False)
        self.norm = Norm(32)

    def forward(self, x):
        return self.norm(self.conv(x))
"""
    (finding,) = wrong(source)
    assert finding.code == "CVL103"
    assert not wrong(source.replace("Norm(32)", "Norm(16)"))


def test_a_rounded_number_with_digits_is_a_float() -> None:
    source = "class Net(nn.Module):\n    def __init__(self, width=20):\n        super().__init__()\n"
    source += "        self.conv = nn.Conv2d(3, round(width * 0.5, 0), 3)\n"
    assert "CVL109" in {finding.code for finding in wrong(source)}
    assert not wrong(source.replace("round(width * 0.5, 0)", "int(round(width * 0.5, 0))"))


@pytest.mark.parametrize(
    ("number", "is_float"),
    [
        ("width / 2", True),
        ("width * 0.5", True),
        ("(width / 2) // 1", True),
        ("2 ** depth", False),
        ("width * 2 ** (depth - 1)", False),
        ("int(width / 2)", False),
    ],
)
def test_a_number_is_a_float_only_if_it_always_is(number: str, is_float: bool) -> None:
    source = "class Net(nn.Module):\n    def __init__(self, width=20, depth=3):\n        super().__init__()\n"
    source += f"        self.conv = nn.Conv2d(3, {number}, depth)\n"
    assert [f.code for f in wrong(source) if f.code != "CVL205"] == ["CVL109"] * is_float


RECURSIVE = """
class Tree(nn.Module):
    def __init__(self, levels, width):
        super().__init__()
        {start}

    def forward(self, x):
        return self.right(self.left(x))
"""
STARTS = {
    "a statement": """if levels == 1:
            self.left, self.right = nn.Conv2d(width, 2 * width, 3), nn.Conv2d(width, width, 3)
        else:
            self.left, self.right = Tree(levels - 1, width), Tree(levels - 1, width)""",
    "an expression": """self.left = Tree(levels - 1, width) if levels > 1 else nn.Conv2d(width, 2 * width, 3)
        self.right = nn.Conv2d(width, width, 3)""",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=list(STARTS))
def test_a_class_that_builds_itself_is_followed_to_its_innermost_object(start: str) -> None:
    (finding,) = wrong(RECURSIVE.format(start=start))
    assert finding.code == "CVL102"
    assert finding.site is not None
    assert finding.site.function == "Tree.__init__"


INITIALIZED = """
def trunc_(tensor, std):
    low = std * 2
    return tensor.uniform_(low, 1 - low)


def init_all(module, name=""):
    if isinstance(module, nn.Conv2d):
        trunc_(module.weight, 0.02)


def named_apply(fn, module, name=""):
    for child_name, child in module.named_children():
        named_apply(fn, child, child_name)
    fn(module, name)
    return module


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = named_apply(init_all, nn.Sequential(nn.Conv2d(3, 16, 3)))
        self.last = nn.Conv2d(24, 4, 3)

    def forward(self, x):
        return self.last(self.first(x))
"""


def test_a_module_that_is_only_initialized_stays_as_it_is() -> None:
    (finding,) = wrong(INITIALIZED)
    assert "24" in finding.message
    assert "16" in finding.message


NOT_IN_PLACE = """
def join_(tensor, other):
    return torch.cat([tensor, other], 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3)
        self.last = nn.Conv2d(32, 4, 3)

    def forward(self, x):
        x = self.first(x)
        return self.last(join_(x, x))
"""


def test_a_function_that_returns_something_else_is_followed_whatever_its_name() -> None:
    assert wrong(NOT_IN_PLACE) == []
