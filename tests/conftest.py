"""What all tests share."""

from __future__ import annotations

import compileall
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.rewriting.suggest_project import Project

# Before torch is loaded: the cores belong to the test processes, and torchvision's stand-in for a
# missing operator is not to be compiled (see bench/zoo_models.py).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

# Where the tests run in the background of a script, Ctrl-C is ignored by them, and by every process
# that they start: those that test what Ctrl-C does would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


try:  # no test asserts a time; the tests of static mode also run without hypothesis
    from hypothesis import settings
except ImportError:
    pass
else:
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")

_LIMIT = 400.0  # seconds for one test: one that hangs fails with the stacks of its threads, and the others go on


def pytest_configure(config: pytest.Config) -> None:
    """Compile convlint once: where ``PYTHONDONTWRITEBYTECODE`` is set, all processes that tests start would do so."""
    if not hasattr(config, "workerinput"):
        for folder in ("convlint", "bench"):
            compileall.compile_dir(Path(__file__).parents[1] / folder, quiet=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make every sweep slow, so that ``-m "not slow"`` leaves both out; limit the time of the other tests."""
    is_limited = config.pluginmanager.hasplugin("timeout")  # the tests of static mode also run without
    for item in items:
        if is_limited and not item.get_closest_marker("sweep"):
            item.add_marker(pytest.mark.timeout(_LIMIT))
        if item.get_closest_marker("sweep"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def shared_worker() -> Iterator[None]:
    """Let the Python API run models with one worker for all tests."""
    from tests.support.commands import one_worker

    with one_worker():
        yield


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A repository in an empty folder, which is the working directory, with a worker for all tests of a file."""
    from tests.rewriting.suggest_project import project

    with project(tmp_path_factory.mktemp("project")) as one:
        yield one
