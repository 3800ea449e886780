"""One run at a time in a process, kept apart from the process's other threads.

A run patches what all threads share: ``nn.Module.__call__``, constructors, ``sys.stdout``. So runs hold a lock, and
what they patch acts only in their own threads: the one that began the run, and those to which the model hands work.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

from torch import nn

CallModule = Callable[..., Any]  # nn.Module.__call__: module, *args, **kwargs
OnModuleCall = Callable[[CallModule, nn.Module, tuple[Any, ...], dict[str, Any]], Any]


class NestedRunError(RuntimeError):
    """A thread that works for a run wants to begin another one, which would wait for the first for ever."""


class _Run:
    """A run, and the thread that began it."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()


class _Member(threading.local):
    """The run that the current thread works for."""

    run: _Run | None = None


_lock = threading.RLock()
_member = _Member()
_active: _Run | None = None  # it holds the lock


def in_run() -> bool:
    """Whether the current thread works for the active run."""
    return _active is not None and _member.run is _active


@contextmanager
def exclusive() -> Iterator[None]:
    """Wait until no other thread is in a run, and be the only run until the block ends.

    A block inside another one of the same thread belongs to the same run: a forward may check another model. Raises
    NestedRunError in the other threads of a run.
    """
    global _active  # noqa: PLW0603 - what is patched is the process's too
    run = _member.run
    if run is not None and run is _active and run.thread != threading.get_ident():
        raise NestedRunError("a thread of a model that is being run cannot begin another run")
    with _lock:
        if _active is not None:
            yield
            return
        _active = _member.run = _Run()
        try:
            with _threads_followed(_active):
                yield
        finally:
            _active = _member.run = None


@contextmanager
def _threads_followed(run: _Run) -> Iterator[None]:
    """Let the threads that a run starts, and the tasks that it gives to thread pools, work for it as well."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def for_run(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            before, _member.run = _member.run, run
            try:
                return function(*args, **kwargs)
            finally:
                _member.run = before

        return call

    def start_followed(self: threading.Thread) -> None:
        if in_run():
            self.run = for_run(self.run)  # type: ignore[method-assign]
        start(self)

    def submit_followed(
        self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        return submit(self, for_run(fn) if in_run() else fn, *args, **kwargs)

    threading.Thread.start = start_followed  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = submit_followed  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]


@contextmanager
def module_calls(handle: OnModuleCall) -> Iterator[None]:
    """Send every module call of the run through ``handle(call, module, args, kwargs)``, which makes it by ``call``."""
    with exclusive():
        call = nn.Module.__call__

        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if in_run():
                return handle(call, module, args, kwargs)
            return call(module, *args, **kwargs)

        nn.Module.__call__ = __call__  # type: ignore[method-assign]
        try:
            yield
        finally:
            nn.Module.__call__ = call  # type: ignore[method-assign]


@contextmanager
def silent() -> Iterator[None]:
    """Drop what the run prints, as a forward does that repeats the recorded one."""
    with (
        exclusive(),
        redirect_stdout(_Silenced(sys.stdout)),
        redirect_stderr(_Silenced(sys.stderr)),
    ):
        yield


class _Silenced:
    """A stream for other threads, and a buffer that nobody reads for those of the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dropped = io.StringIO()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dropped if in_run() else self._stream, name)
