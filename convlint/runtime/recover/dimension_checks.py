"""The checks with which norms and recurrent layers refuse a tensor, before any function of torch is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.modules import batchnorm, instancenorm

from convlint.runtime.failures import one_line
from convlint.runtime.isolation import in_run, patched

Refuse = Callable[[nn.Module, str], None]
_CHECK = "_check_input_dim"


@contextmanager
def recorded(refuse: Refuse) -> Iterator[None]:
    """Context in which a norm of the wrong dimension runs, and a recurrent layer that expects other features.

    ``refuse`` is called with each and its error before.
    """
    with ExitStack() as stack:
        for cls in (*vars(batchnorm).values(), *vars(instancenorm).values()):
            if isinstance(cls, type) and issubclass(cls, nn.Module) and _CHECK in vars(cls):
                stack.enter_context(patched(cls, _CHECK, _recording(vars(cls)[_CHECK], refuse)))
        layer = nn.RNNBase
        stack.enter_context(patched(layer, "check_input", _of_other_features(layer.check_input, refuse)))
        norm = instancenorm._InstanceNorm
        stack.enter_context(patched(norm, "forward", _left_to_the_function(norm.forward)))
        yield


def _left_to_the_function(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return ``forward`` of an instance norm, in which the function of torch refuses what has another width."""

    def without_check(module: Any, input: Any) -> Tensor:
        if not in_run() or not isinstance(input, Tensor) or not module.affine:
            return forward(module, input)
        module._check_input_dim(input)
        dimension = input.dim() - module._get_no_batch_dim()
        if input.size(dimension) == module.num_features:
            return forward(module, input)
        if dimension == 0:
            return cast("Tensor", module._handle_no_batch_input(input))
        return cast("Tensor", module._apply_instance_norm(input))

    return without_check


def _of_other_features(check: Callable[..., None], refuse: Refuse) -> Callable[..., None]:
    def recording(module: Any, input: Tensor, batch_sizes: Tensor | None) -> None:
        try:
            check(module, input, batch_sizes)
        except (RuntimeError, ValueError) as error:
            if not in_run() or input.dim() < 2 or input.size(-1) == module.input_size:
                raise
            refuse(module, one_line(error))

    return recording


def _recording(check: Callable[..., None], refuse: Refuse) -> Callable[..., None]:
    def recording(module: nn.Module, input: Any) -> None:
        try:
            check(module, input)
        except ValueError as error:
            if not in_run() or not isinstance(input, Tensor):
                raise
            refuse(module, one_line(error))

    return recording
