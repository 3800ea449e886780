"""Restore a live model, the process and the random generators after a run."""

from __future__ import annotations

import os
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from types import MemberDescriptorType

import torch
from torch import Tensor, nn

from convlint.runtime.isolation import streams_of_others
from convlint.runtime.saved_tensors import saved, versions_kept

_CONTAINERS = (dict, OrderedDict, list, set, deque)


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Context that undoes on exit what a forward may change, also if it raises.

    This covers the attributes of every module and the contents of their lists and dicts (including hooks, submodules
    and training flags); values, gradients and ``requires_grad`` of parameters, buffers and tensor attributes; the
    random generators; torch's global modes; ``sys.path``, the working directory and ``os.environ``. Version counters of
    tensors do not change, so a pending backward still works. A copy of all tensors is kept in main memory meanwhile.

    The process's state is restored for all threads: if another thread draws random numbers or changes ``os.environ``
    meanwhile, that is undone as well.
    """
    with ExitStack() as stack:
        for save in (_process, _generators, _modes):
            stack.callback(save())
        stack.callback(_streams(stack.enter_context(streams_of_others())))
        modules = list(model.modules())
        tensors = list(_tensors(modules))
        stack.enter_context(versions_kept(tensors))
        stack.callback(_values(tensors))
        stack.callback(_attributes(modules))
        yield


def _attributes(modules: list[nn.Module]) -> Callable[[], None]:
    """Save the attributes of modules and the items of containers in them; return a function that restores them."""
    kept = [(module, dict(vars(module))) for module in modules]
    slots = [
        (slot, module, slot.__get__(module) if _is_set(slot, module) else _UNSET)
        for module in modules
        for slot in _slots(type(module))
    ]
    contents = [
        (value, value.copy()) for _, attributes in kept for value in attributes.values() if type(value) in _CONTAINERS
    ]

    def restore() -> None:
        for module, attributes in kept:
            vars(module).clear()
            vars(module).update(attributes)
        for container, items in contents:
            if type(container) is list:
                container[:] = items
            else:
                container.clear()
                container.extend(items) if type(container) is deque else container.update(items)
        for slot, module, value in slots:
            if value is not _UNSET:
                slot.__set__(module, value)
            elif _is_set(slot, module):
                slot.__delete__(module)

    return restore


_UNSET = object()


def _slots(kind: type) -> Iterator[MemberDescriptorType]:
    """The attributes of a class that are not in the ``__dict__`` of its objects."""
    for each in kind.__mro__:
        if "__slots__" in vars(each):
            yield from (value for value in vars(each).values() if type(value) is MemberDescriptorType)


def _is_set(slot: MemberDescriptorType, module: nn.Module) -> bool:
    try:
        slot.__get__(module)
    except AttributeError:
        return False
    return True


def _tensors(modules: list[nn.Module]) -> Iterator[Tensor]:
    """Parameters, buffers and plain tensor attributes, each once."""
    seen: set[int] = set()
    for module in modules:
        for value in (*module._parameters.values(), *module._buffers.values(), *vars(module).values()):
            if isinstance(value, Tensor) and id(value) not in seen:
                seen.add(id(value))
                yield value


def _values(tensors: list[Tensor]) -> Callable[[], None]:
    kept = [
        (t, saved(t), t.requires_grad, t.grad if t.is_leaf else None, saved(t.grad if t.is_leaf else None))
        for t in tensors
    ]

    def restore() -> None:
        for tensor, restore_values, requires_grad, grad, restore_grad in kept:
            restore_values()
            if tensor.is_leaf:
                if tensor.requires_grad is not requires_grad:
                    tensor.requires_grad_(requires_grad)
                restore_grad()
                tensor.grad = grad

    return restore


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

    def restore() -> None:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    return restore


def _process() -> Callable[[], None]:
    path, folder, environment = list(sys.path), os.getcwd(), dict(os.environ)

    def restore() -> None:
        sys.path[:] = path
        if not os.path.exists(".") or os.getcwd() != folder:
            os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)

    return restore


def _streams(of_others: Collection[int]) -> Callable[[], None]:
    """Save the standard streams; return a function that restores them, except those that other threads have set."""
    streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}

    def restore() -> None:
        for name, stream in streams.items():
            if id(getattr(sys, name)) not in of_others:
                setattr(sys, name, stream)

    return restore
