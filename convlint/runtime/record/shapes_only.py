"""Run a forward for its shapes only, without computing its most expensive operators.

Measuring memory only needs the sizes of tensors, so zeros of the right shape replace the results of convolutions and
matrix products, unless the model reads values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from convlint.analysis import ops
from convlint.runtime.isolation import Args

aten = torch.ops.aten
T = TypeVar("T")


def without_computing(run: Callable[..., T]) -> T:
    """Return ``run(compute=False)``; if the model reads values or raises, ``run(compute=True)``."""
    try:
        return run(compute=False)
    except (ValuesReadError, Exception):  # an error may result from the zeros, so it does not count
        return run(compute=True)


class ValuesReadError(BaseException):
    """The model reads values. A BaseException, so that ``except Exception`` in the model does not catch it."""


class ShapesOnly(TorchDispatchMode):
    """Runs operators; unless ``compute``, the most expensive ones return zeros."""

    def __init__(self, *, compute: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.compute = compute

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise the first operator imports torch._dynamo, which takes a second

    def __torch_dispatch__(self, func: Any, types: Any, args: Args = (), kwargs: Any = None) -> Any:
        if not self.compute and func in _STAND_INS:
            return _STAND_INS[func](*args)
        if not self.compute and _reads_values(func):
            raise ValuesReadError(str(func))
        return func(*args, **(kwargs or {}))


@cache
def _reads_values(func: Any) -> bool:
    """Return whether the Python result or the output shape of an operator depends on tensor values."""
    tags = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
    return func.namespace not in ("aten", "prims", "prim") or any(tag in func.tags for tag in tags)


def _convolved(x: Tensor, weight: Tensor, _bias: Tensor | None, *options: Any) -> Tensor:
    stride, padding, dilation, transposed, output_padding, groups = options
    expected = weight.shape[0] if transposed else weight.shape[1] * groups
    if x.shape[1] != expected:  # as PyTorch says where it computes
        raise RuntimeError(f"expected input to have {expected} channels, but got {x.shape[1]} channels instead")
    lists = (stride, padding, dilation, output_padding)
    every = [given * len(x.shape[2:]) if len(given) == 1 else given for given in lists]
    sizes = zip(x.shape[2:], weight.shape[2:], *every, strict=True)
    if transposed:
        out = [ops.transposed_output_size(*numbers) for numbers in sizes]
    else:
        out = [ops.output_size(*numbers) for *numbers, _ in sizes]
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    last = torch.channels_last
    is_last = x.dim() == 4 and any(t.is_contiguous(memory_format=last) and not t.is_contiguous() for t in (x, weight))
    layout = last if is_last else torch.contiguous_format
    return x.new_zeros((x.shape[0], channels, *out)).contiguous(memory_format=layout)


def _product(left: Tensor, right: Tensor) -> Tensor:
    if left.shape[-1] != right.shape[-2]:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({left.shape[-1]} and {right.shape[-2]})")
    return left.new_zeros((*left.shape[:-1], right.shape[-1]))


def _gradients(grad: Tensor, x: Tensor, weight: Tensor, *options: Any) -> tuple[Tensor | None, ...]:
    bias_sizes, *_, wanted = options
    made = (torch.zeros_like(x), torch.zeros_like(weight), grad.new_zeros(bias_sizes or (weight.shape[0],)))
    return tuple(zeros if asked else None for zeros, asked in zip(made, wanted, strict=True))


_STAND_INS: dict[Any, Callable[..., Tensor | tuple[Tensor | None, ...]]] = {
    aten.convolution.default: _convolved,
    aten.convolution_backward.default: _gradients,
    aten.mm.default: _product,
    aten.bmm.default: _product,
    aten.addmm.default: lambda _, left, right: _product(left, right),
    aten.baddbmm.default: lambda _, left, right: _product(left, right),
}
