"""The line of an exception: the deepest one of the user's own code, whatever library it was raised in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convlint.runtime.worker.client import Worker
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target

HEAD = "import copy, json\nfrom torch import nn\n\n"
CASES = {
    "a parser of the standard library": ("def build():\n    json.loads('[1,]')\n    return nn.ReLU()\n", "json.loads"),
    "a callback of the standard library": (
        (
            "class Odd:\n"
            "    def __deepcopy__(self, memo):\n"
            "        raise ValueError('no copy')\n\n"
            "def build():\n    copy.deepcopy([Odd()])\n"
        ),
        "raise ValueError",
    ),
    "torch below the standard library": ("def build():\n    copy.deepcopy(nn.LazyBatchNorm2d())\n", "copy.deepcopy("),
}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


@pytest.mark.parametrize("name", CASES)
def test_the_line_of_a_failing_constructor_is_the_users(name: str, worker: Worker, tmp_path: Path) -> None:
    source, text = CASES[name]
    file = tmp_path / "net.py"
    file.write_text(HEAD + source)
    graph = worker.run(Job(parse_target(f"{file}:build"))).graph
    assert graph is not None
    assert graph.failure is not None
    assert graph.failure.site is not None
    assert text in file.read_text().splitlines()[graph.failure.site.line - 1]
