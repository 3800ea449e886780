"""Restore the state of the process after a run: random generators, modes of torch, paths, streams, warnings."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from convlint.runtime.isolation import streams_of_others

_DEVICES = ("cpu", "cuda")


@contextmanager
def process_as_found() -> Iterator[None]:
    """Context that restores the state of the process on exit.

    This covers the random generators; torch's global modes and hooks, and its default device; ``sys.path``, the
    recursion limit, tracing and garbage collection of the interpreter, handlers of signals, the working directory,
    ``os.environ``, the standard streams, filters of warnings, and how numpy treats errors.
    It is restored for all threads: if another thread draws random numbers or changes ``os.environ`` meanwhile, that is
    undone as well.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        for save in (_process, _signals, _generators, _modes, _default_device, _autocast, _global_hooks):
            stack.callback(save())
        stack.callback(_streams(stack.enter_context(streams_of_others())))
        yield


def _generators() -> Callable[[], None]:
    """Save the states of all random generators in use; return a function that restores them."""
    python, cpu = random.getstate(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    numpy = sys.modules.get("numpy")
    legacy = numpy.random.get_state() if numpy is not None else None

    def restore() -> None:
        random.setstate(python)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if numpy is not None:
            numpy.random.set_state(legacy)

    return restore


def _modes() -> Callable[[], None]:
    """Save torch's global modes; return a function that restores them."""
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    threads = torch.get_num_threads()
    anomaly = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    precision = torch.get_float32_matmul_precision()
    printing = vars(torch._tensor_str.PRINT_OPTS)
    shown = dict(printing)
    cudnn = {name: getattr(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")}

    def restore() -> None:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()) != anomaly:
            torch.autograd.set_detect_anomaly(*anomaly)
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)
        printing.update(shown)
        for name, value in cudnn.items():
            if getattr(torch.backends.cudnn, name) != value:
                setattr(torch.backends.cudnn, name, value)

    return restore


def _default_device() -> Callable[[], None]:
    """Save the device of ``torch.set_default_device``, which is not that of a context such as ``with device:``."""
    holder = getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None)  # has no context until a device is set, also to None
    before = getattr(holder, "device_context", None)
    absent = holder is not None and not hasattr(holder, "device_context")

    def restore() -> None:
        if getattr(holder, "device_context", None) is not before:
            torch.set_default_device(None if before is None else before.device)
        if absent and hasattr(holder, "device_context"):
            delattr(holder, "device_context")  # torch 2.6 reads the device of a context that is None

    return restore


def _autocast() -> Callable[[], None]:
    before = [(device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)) for device in _DEVICES]
    cached = torch.is_autocast_cache_enabled()

    def restore() -> None:
        for device, is_enabled, dtype in before:
            torch.set_autocast_enabled(device, is_enabled)
            torch.set_autocast_dtype(device, dtype)
        torch.set_autocast_cache_enabled(cached)

    return restore


def _global_hooks() -> Callable[[], None]:
    """Save the hooks of all modules."""
    tables = [
        (table, dict(table))
        for name, table in vars(nn.modules.module).items()
        if name.startswith("_global_") and isinstance(table, dict)
    ]

    def restore() -> None:
        for table, hooks in tables:
            if table != hooks:
                table.clear()
                table.update(hooks)

    return restore


def _process() -> Callable[[], None]:
    """Save the state of the interpreter; return a function that restores it."""
    path, folder, environment = list(sys.path), os.getcwd(), dict(os.environ)
    limit = sys.getrecursionlimit()
    profile, trace, collects = sys.getprofile(), sys.gettrace(), gc.isenabled()
    numpy = sys.modules.get("numpy")
    errors = numpy.geterr() if numpy is not None else {}

    def restore() -> None:
        sys.path[:] = path
        if sys.getrecursionlimit() != limit:
            sys.setrecursionlimit(limit)
        if sys.getprofile() is not profile:
            sys.setprofile(profile)
        if sys.gettrace() is not trace:
            sys.settrace(trace)
        if gc.isenabled() is not collects:
            gc.enable() if collects else gc.disable()
        if numpy is not None:
            numpy.seterr(**errors)
        if not os.path.exists(".") or os.getcwd() != folder:
            os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)

    return restore


def _signals() -> Callable[[], None]:
    """Save the handlers of signals; return a function that restores them. Only the main thread may set them."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}

    def restore() -> None:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    return restore


def _streams(of_others: Collection[int]) -> Callable[[], None]:
    """Save the standard streams; return a function that restores them, except those that other threads have set."""
    streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}

    def restore() -> None:
        for name, stream in streams.items():
            if id(getattr(sys, name)) not in of_others:
                setattr(sys, name, stream)

    return restore
