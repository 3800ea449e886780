"""Run a function in a process of its own, with a time limit.

The children are forked from a server that has torch and the zoos loaded: one costs tenths of a
second, and nothing that a model does can reach the next one.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


class ChildFailedError(RuntimeError):
    """The function raised, its process died, or the time limit was reached; the message says which."""


def call(function: Callable[..., Any], *args: Any, timeout: float = 120) -> Any:
    """``function(*args)`` from a child; function, arguments and result must be picklable.

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
