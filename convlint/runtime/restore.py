"""Restore a live model, the process and the random generators after a run."""

from __future__ import annotations

import os
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.grad_mode import _unsafe_preserve_version_counter

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
        modules = list(model.modules())
        tensors = list(_tensors(modules))
        stack.enter_context(_unsafe_preserve_version_counter(tuple(tensors)))
        stack.callback(_values(tensors))
        stack.callback(_attributes(modules))
        yield


def _attributes(modules: list[nn.Module]) -> Callable[[], None]:
    """Save the attributes of modules and the items of containers in them; return a function that restores them."""
    kept = [(module, dict(vars(module))) for module in modules]
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

    return restore


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
        (t, _copy(t), t.requires_grad, t.grad if t.is_leaf else None, _copy(t.grad) if t.is_leaf else None)
        for t in tensors
    ]

    def restore() -> None:
        for tensor, values, requires_grad, grad, grad_values in kept:
            _put_back(tensor, values)
            if tensor.is_leaf:
                tensor.requires_grad_(requires_grad)
                _put_back(grad, grad_values)
                tensor.grad = grad

    return restore


def _copy(tensor: Tensor | None) -> Tensor | None:
    """Copy the values to main memory; None for a tensor without values."""
    if tensor is None or tensor.is_meta or nn.parameter.is_lazy(tensor):
        return None
    return tensor.detach().to("cpu", copy=True)


def _put_back(tensor: Tensor | None, values: Tensor | None) -> None:
    """Write the values back if they differ. Equal ones are not written: other processes may share the tensor."""
    if tensor is None or values is None:
        return
    now = tensor.detach()
    if now.shape != values.shape or not _same(now.to("cpu"), values):
        tensor.data = values.to(tensor.device) if now.shape != values.shape else now.copy_(values)


def _same(left: Tensor, right: Tensor) -> bool:
    """Return whether two tensors have the same bits; NaN equals itself."""
    if left.is_sparse or left.is_quantized or not left.is_contiguous() or not right.is_contiguous():
        return bool(torch.equal(left, right))
    return bool(torch.equal(left.view(-1).view(torch.uint8), right.view(-1).view(torch.uint8)))


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
