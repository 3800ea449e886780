"""Questions about a tensor: its size, its number of dimensions and elements."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Shape, Tensor, Unknown, Value
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizes import axis, product, shape_of


def _shape(run: Execution, value: Value) -> Shape | None:
    return shape_of(run, value) if type(value) is Tensor else None


@operation(".size")
def _size(run: Execution, input: Value, dim: Value = None) -> Value:
    shape = _shape(run, input)
    if shape is None:
        return UNKNOWN
    if dim is None:
        return shape
    position = axis(dim, len(shape))
    return UNKNOWN if position is None or not shape else shape[position]


@operation(".dim", ".ndimension")
def _dim(run: Execution, input: Value) -> Value:
    shape = _shape(run, input)
    return UNKNOWN if shape is None else len(shape)


@operation(".numel", ".nelement", "numel")
def _numel(run: Execution, input: Value) -> Value:
    shape = _shape(run, input)
    return UNKNOWN if shape is None else product(shape)


@operation("is_tensor")
def _is_tensor(run: Execution, obj: Value) -> Value:
    return UNKNOWN if type(obj) is Unknown else type(obj) is Tensor


_UNKNOWN_METHODS = (
    "item tolist numpy is_contiguous is_floating_point stride get_device element_size backward "
    "register_hook storage data_ptr is_complex dense_dim retain_grad"
)


@operation(*both("equal", "allclose"), signature="input, other, *args, **kwargs")
@operation(*[f".{name}" for name in _UNKNOWN_METHODS.split()], signature="input, *args, **kwargs")
def _unknown(run: Execution) -> Value:
    return UNKNOWN
