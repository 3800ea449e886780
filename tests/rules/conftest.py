"""One worker process for all examples that are run, started when the first one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from convlint.runtime.worker.client import Worker


@pytest.fixture(scope="session")
def start_worker() -> Iterator[Callable[[], Worker]]:
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(Worker()))
