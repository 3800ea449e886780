"""Isolate runs from each other and from the other threads of the process.

A run patches objects that all threads share: ``nn.Module.__call__``, constructors, ``sys.stdout``. Therefore a run
holds a lock, and its patches only act in its own threads: the thread that began it, and the threads that the model
starts.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TextIO

from torch import nn

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
CallModule = Callable[..., Any]  # nn.Module.__call__: module, *args, **kwargs
OnModuleCall = Callable[[CallModule, nn.Module, Args, Kwargs], Any]


class NestedRunError(RuntimeError):
    """A worker thread of a run tries to begin another run, which would be a deadlock."""


class _Run:
    """A run: the id of the thread that began it."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()


class _Member(threading.local):
    """The run that the current thread belongs to."""

    run: _Run | None = None


_lock = threading.RLock()
_member = _Member()
_active: _Run | None = None  # the run that holds the lock


def in_run() -> bool:
    """Return whether the current thread belongs to the active run."""
    return _active is not None and _member.run is _active


@contextmanager
def patched(owner: type, name: str, replacement: object) -> Iterator[None]:
    """Context in which an attribute of a class is replaced."""
    before = vars(owner).get(name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        delattr(owner, name) if before is None else setattr(owner, name, before)


@contextmanager
def exclusive() -> Iterator[None]:
    """Context of a run. Waits until no other run is active.

    A nested context in the same thread belongs to the same run, because a forward may check another model. Raises
    NestedRunError in a worker thread of the active run.
    """
    global _active  # noqa: PLW0603 - patches are global as well
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
    """Context in which threads that a run starts, and tasks that it submits to thread pools, belong to the run."""
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

    def submit_followed(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return submit(self, for_run(fn) if in_run() else fn, *args, **kwargs)

    with patched(threading.Thread, "start", start_followed), patched(ThreadPoolExecutor, "submit", submit_followed):
        yield


@contextmanager
def module_calls(handle: OnModuleCall) -> Iterator[None]:
    """Context that replaces module calls of the run with ``handle(original __call__, module, args, kwargs)``."""
    with exclusive():
        call = nn.Module.__call__

        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if in_run():
                return handle(call, module, args, kwargs)
            return call(module, *args, **kwargs)

        with patched(nn.Module, "__call__", __call__):
            yield


@contextmanager
def streams_of_others() -> Iterator[set[int]]:
    """Context that collects the ids of the streams that other threads divert to, or restore, in the meantime."""
    found: set[int] = set()
    redirect: Any = contextlib._RedirectStream
    enter, leave = redirect.__enter__, redirect.__exit__

    def __enter__(self: Any) -> Any:
        target = enter(self)
        note(self)
        return target

    def __exit__(self: Any, *error: object) -> None:
        leave(self, *error)
        note(self)

    def note(self: Any) -> None:
        if not in_run():
            found.add(id(getattr(sys, self._stream)))

    with patched(redirect, "__enter__", __enter__), patched(redirect, "__exit__", __exit__):
        yield found


@contextmanager
def silent() -> Iterator[None]:
    """Context that discards the output of the run, for forwards that repeat the recorded one."""
    with exclusive(), _silenced("stdout"), _silenced("stderr"):
        yield


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Context in which a stream discards the output of the run; what another thread puts in its place stays."""
    silenced = _Silenced(getattr(sys, name))
    setattr(sys, name, silenced)
    try:
        yield
    finally:
        silenced.close_for(name)


class _Silenced:
    """Forwards to a stream in other threads; discards the output of the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._discarded = io.StringIO()
        self._over = ""  # the name of the stream, once the run is over

    def close_for(self, name: str) -> None:
        self._over = name
        if getattr(sys, name) is self:
            setattr(sys, name, self._stream)

    def __getattr__(self, name: str) -> Any:
        if self._over:  # another thread had diverted the stream before, and has restored it
            self.close_for(self._over)
            return getattr(self._stream, name)
        return getattr(self._discarded if in_run() else self._stream, name)
