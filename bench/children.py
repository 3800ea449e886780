"""Run a function in a separate process with a time limit.

The children are forked from a server that has loaded torch and the model libraries: starting one takes tenths of a
second, and no model can affect the next.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


class ChildFailedError(RuntimeError):
    """The function raised an error, its process died, or it reached the time limit; the message says which."""


def call(function: Callable[..., Any], *args: Any, timeout: float = 120) -> Any:
    """Return ``function(*args)`` from a child process; function, arguments and result must be picklable.

    Raises ChildFailedError.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.preloaded"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, function, args), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(timeout):
            raise ChildFailedError(f"no answer within {timeout:g} s")
        error, result = receiver.recv()
    except EOFError:
        process.join(5)
        raise ChildFailedError(f"the process ended with exit code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if error is not None:
        raise ChildFailedError(error)
    return result


def _run(sender: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    import torch

    torch.set_num_threads(1)
    try:
        error, result = None, function(*args)
    except Exception:  # noqa: BLE001  whatever it was, the parent is told
        error, result = traceback.format_exc(limit=-4), None
    sender.send((error, result))
