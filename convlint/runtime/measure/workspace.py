"""Memory that a convolution allocates while it runs on the CPU.

The formulas are fitted to memory events of the PyTorch profiler, on torch 2.13 with oneDNN.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from convlint.ir import Shape

_SMALL = 20480  # elements; PyTorch's own kernel handles dense inputs up to this size
_STEM = 4  # channels; oneDNN does not copy inputs with fewer


def of_convolution(
    x: Tensor, weight: Tensor, out: Tensor, stride: Shape, dilation: Shape, groups: int, threads: int
) -> int:
    """Peak bytes that the CPU backend allocates for one convolution, including its output.

    oneDNN uses a layout in blocks of channels: it copies input and weight, computes the output in this layout and
    copies it back. That is ``max(in + weight + out, 2 * out)`` with channels rounded up to a whole block. A dense 1x1
    convolution on one thread needs no copies; with a stride it packs the input once per thread. PyTorch's own kernel,
    for small dense inputs and double precision, unfolds the input: ``out + N * C * kernel * output positions``.
    """
    if x.device.type not in ("cpu", "meta"):
        return out.nbytes
    kernel, pointwise = weight.shape[2:], all(size == 1 for size in weight.shape[2:])
    strided = any(step != 1 for step in stride)
    small = x.numel() <= _SMALL and x.shape[0] < 16 and all(size <= 3 for size in kernel)
    plain = not strided and all(step == 1 for step in dilation) and groups == 1
    if (small and plain) or x.dtype == torch.float64:
        unfolded = 0 if pointwise else x.shape[0] * x.shape[1] * prod((*kernel, *out.shape[2:]))
        return out.nbytes + unfolded * x.element_size()
    if x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
        return weight.nbytes + out.nbytes
    packed = 0
    if pointwise and groups == 1:
        if strided:
            packed = threads * x.shape[1] * prod(out.shape[2:]) * x.element_size()
        elif threads == 1:
            return out.nbytes
    into, made = 0 if x.shape[1] < _STEM else _blocked(x), _blocked(out)
    return packed + max(into + weight.nbytes + made, made + out.nbytes)


def _blocked(x: Tensor) -> int:
    """Bytes of a map with channels rounded up to a whole vector register."""
    block = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
    return x.nbytes // x.shape[1] * (-(-x.shape[1] // block) * block) if x.numel() else 0
