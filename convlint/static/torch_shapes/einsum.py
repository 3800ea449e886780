"""``torch.einsum``."""

from __future__ import annotations

import re

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import unknown_result, unpacked
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizes import shape_of


@operation("einsum", signature="*args")
def _einsum(run: Execution, args: tuple[Value, ...]) -> Value:
    equation, tensors = args[0], unpacked(args[1:])
    if type(equation) is not str or not all(type(tensor) is Tensor for tensor in tensors):
        return unknown_result(run, *tensors)
    attrs = {"equation": equation}
    text = equation.replace(" ", "")
    if not re.fullmatch(r"[a-zA-Z]*(,[a-zA-Z]*)*->[a-zA-Z]*", text):
        return run.emit("einsum", list(tensors), [None], attrs)[0]
    inputs, output = text.split("->")
    terms = inputs.split(",")
    if len(terms) != len(tensors):
        error: str | None = "einsum(): more operands were provided than specified in the equation"
        return run.emit("einsum", list(tensors), [None], attrs, error)[0]
    sizes: dict[str, Num] = {}
    error = None
    for term, tensor in zip(terms, tensors, strict=True):
        shape = shape_of(run, tensor)
        if shape is not None:
            error = error or _bind_labels(run, term, shape, sizes)
    if any(label not in inputs for label in output):
        error = error or "einsum(): output subscript does not appear in any input"
    result = tuple([sizes[label] if label in sizes else run.fresh("size") for label in output])
    return run.emit("einsum", list(tensors), [result], attrs, error)[0]


def _bind_labels(run: Execution, term: str, shape: Shape, sizes: dict[str, Num]) -> str | None:
    """Add the size of each label of a term; return PyTorch's error if the shape does not fit."""
    if len(term) != len(shape):
        return (
            f"einsum(): the number of subscripts in the equation ({len(term)}) does not match the "
            f"number of dimensions ({len(shape)}) for an operand"
        )
    for label, size in zip(term, shape, strict=True):
        known = sizes.get(label)
        if known is None or (type(known) is int and known == 1):
            sizes[label] = size
        elif not (type(size) is int and size == 1) and not run.demand(known, size):
            if run.equal(known, 1) is None or run.equal(size, 1) is None:
                continue
            return f"einsum(): operands do not broadcast: {label} has size {size} and was {known} before"
    return None
