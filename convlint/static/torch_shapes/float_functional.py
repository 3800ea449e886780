"""``FloatFunctional`` and ``QFunctional``: the layers of quantizable models that add, multiply and concatenate."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.torch_shapes.registry import FUNCTIONS, Operation, layer

LAYER_NAMES = frozenset({"FloatFunctional", "QFunctional"})
_METHODS = {
    "add": "add",
    "add_relu": "add",
    "add_scalar": "add",
    "mul": "mul",
    "mul_scalar": "mul",
    "cat": "cat",
    "matmul": "matmul",
}
"""The function of torch that has the shapes of each method."""


def float_functional_method(name: str) -> Operation | None:
    """Return the operation of a method, None if there is no such method."""
    return FUNCTIONS.get(_METHODS.get(name, ""))


def _forward(run: Execution, layer: Instance, input: Value) -> Value:
    return UNKNOWN  # PyTorch raises: only the methods are meant to be called


for _name in LAYER_NAMES:
    layer(_name, "", _forward)
