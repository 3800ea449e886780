"""Save the values of tensors of any kind, and write them back where a forward has changed them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils import _python_dispatch

_COMPRESSED = {
    torch.sparse_csr: ("crow_indices", "col_indices"),
    torch.sparse_bsr: ("crow_indices", "col_indices"),
    torch.sparse_csc: ("ccol_indices", "row_indices"),
    torch.sparse_bsc: ("ccol_indices", "row_indices"),
}
Restore = Callable[[], None]


def saved(tensor: Tensor | None) -> Restore:
    """Copy the values of a tensor to main memory; return a function that writes them back if they have changed.

    Equal values are not written, because other processes may share the tensor. A lazy parameter has none.
    """
    if tensor is None or nn.parameter.is_lazy(tensor) or type(tensor).__name__ == "FakeTensor":
        return _nothing
    if tensor.layout in _SAVED:
        return _SAVED[tensor.layout](tensor)
    is_wrapper: Callable[[object], bool] = _python_dispatch.is_traceable_wrapper_subclass
    if is_wrapper(tensor):  # such as the shards of FSDP
        names: list[str] = tensor.__tensor_flatten__()[0]  # type: ignore[attr-defined]
        parts = (getattr(tensor, name) for name in names)
        return _all([saved(part) for part in parts if isinstance(part, Tensor)])
    if tensor.is_nested:
        return _strided(tensor.detach().values())
    return _strided(tensor)


def _nothing() -> None:
    pass


def _all(restores: Iterable[Restore]) -> Restore:
    each = list(restores)

    def restore() -> None:
        for one in each:
            one()

    return restore


def _strided(tensor: Tensor) -> Restore:
    """Save the memory of a tensor, its layout, and a copy of the values."""
    found = tensor.detach()
    values = None if found.is_meta else found.to("cpu", copy=True)

    def restore() -> None:
        if not _is_same_memory(tensor.detach(), found):
            with _writing(tensor):
                tensor.data = found
        if values is not None and not _same(found.to("cpu"), values):
            with _writing(tensor):
                tensor.detach().copy_(values)

    return restore


def _is_same_memory(left: Tensor, right: Tensor) -> bool:
    """Return whether two tensors read the same numbers in the same order."""
    if (left.dtype, left.device, left.shape) != (right.dtype, right.device, right.shape):
        return False
    return left.stride() == right.stride() and left.data_ptr() == right.data_ptr()


def _writing(tensor: Tensor) -> AbstractContextManager[object]:
    """Context in which a tensor can be written to."""
    return torch.inference_mode() if tensor.is_inference() else nullcontext()


def _same(left: Tensor, right: Tensor) -> bool:
    """Return whether two tensors have the same bits; NaN equals itself."""
    if left.is_quantized or left.is_conj() or left.is_neg() or not left.is_contiguous() or not right.is_contiguous():
        return bool(torch.equal(left, right))
    return bool(torch.equal(left.view(-1).view(torch.uint8), right.view(-1).view(torch.uint8)))


Parts = Callable[[Tensor], list[Tensor]]


def _of_parts(tensor: Tensor, parts: Parts, build: Callable[[list[Tensor]], Tensor]) -> Restore:
    """Save a tensor that consists of others; if their sizes have changed, it is built again."""
    kept = [part.clone() for part in parts(tensor.detach())]

    def restore() -> None:
        now = parts(tensor.detach())
        pairs = list(zip(now, kept, strict=True))
        with _writing(tensor):
            if any(one.shape != other.shape for one, other in pairs):
                tensor.data = build(kept)
                return
            for one, other in pairs:
                if not torch.equal(one, other):
                    one.copy_(other)

    return restore


def _coordinates(tensor: Tensor) -> Restore:
    shape, is_coalesced = tensor.shape, tensor.is_coalesced()
    return _of_parts(
        tensor,
        lambda each: [each._indices(), each._values()],
        lambda kept: torch.sparse_coo_tensor(kept[0], kept[1], shape, is_coalesced=is_coalesced),
    )


def _compressed(tensor: Tensor) -> Restore:
    shape, layout = tensor.shape, tensor.layout
    return _of_parts(
        tensor,
        lambda each: [*(getattr(each, name)() for name in _COMPRESSED[layout]), each.values()],
        lambda kept: torch.sparse_compressed_tensor(kept[0], kept[1], kept[2], shape, layout=layout),
    )


def _opaque(tensor: Tensor) -> Restore:
    values = tensor.detach().to_dense()

    def restore() -> None:
        if not torch.equal(tensor.detach().to_dense(), values):
            tensor.data = values.to_mkldnn()

    return restore


_SAVED: dict[torch.layout, Callable[[Tensor], Restore]] = {
    torch.sparse_coo: _coordinates,
    torch._mkldnn: _opaque,  # type: ignore[attr-defined]
    **dict.fromkeys(_COMPRESSED, _compressed),
}


@contextmanager
def versions_kept(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Context that restores the version counters of tensors on exit, of those that have one."""
    from torch.autograd.grad_mode import _unsafe_preserve_version_counter

    with ExitStack() as stack:
        for tensor in _with_versions(tensors):
            stack.enter_context(_unsafe_preserve_version_counter(tensor))  # torch 2.6 takes no tuple
        yield


def _with_versions(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    for tensor in tensors:
        if not nn.parameter.is_lazy(tensor) and not tensor.is_inference():
            yield tensor
