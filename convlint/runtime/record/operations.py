"""Names of torch functions, and the three functions that the recorder adds to graphs."""

from __future__ import annotations

from types import MethodWrapperType
from typing import Any

import torch
from torch import Tensor

_ARITHMETIC = frozenset({"add", "sub", "mul", "truediv", "floordiv", "matmul", "pow", "mod"})
_LIBRARIES = frozenset({"aten", "torchvision", ""})
_SYNONYMS = {
    "view": "reshape",
    "concat": "cat",
    "concatenate": "cat",
    "true_divide": "div",
    "divide": "div",
    "multiply": "mul",
    "subtract": "sub",
} | {f"_max_pool{dims}d": f"max_pool{dims}d" for dims in (1, 2, 3)}


def name_of(func: Any) -> str:
    """``Node.op`` of a function: its name without overload, dunders and in-place mark; ``__radd__`` becomes ``add``."""
    if type(func) is MethodWrapperType:
        return str(func.__self__.__name__)  # type: ignore[attr-defined]
    if isinstance(func, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        name = func._schema.name if isinstance(func, torch._ops.OpOverload) else func._qualified_op_name
        library, _, name = name.rpartition("::")
        if library not in _LIBRARIES:
            return f"{library}.{name}"  # its arguments need not be those of PyTorch's function of that name
    else:
        name = getattr(func, "__name__", type(func).__name__)
    if name.startswith("__") and name.endswith("__"):
        name = name[2:-2]
        if name[0] in "ri" and name[1:] in _ARITHMETIC:
            name = name[1:]
        name = {"truediv": "div"}.get(name, name)
    return _SYNONYMS.get(stripped := name.rstrip("_") or name, stripped)


def is_inplace(func: Any) -> bool:
    """Return whether a function changes its first argument: ``relu_``, ``__iadd__``."""
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return bool(name.startswith("__i") and name != "__invert__")
    return bool(name.endswith("_"))


def item_of(value: Any, position: int) -> Any:
    """One of the tensors that a call returned."""
    return value[position]


def setitem(tensor: Tensor, index: Any, value: Any) -> Tensor:
    """Execute ``tensor[index] = value`` and return the tensor."""
    tensor[index] = value
    return tensor


def unseen(*_: Any) -> Any:
    """Stands for computations between its inputs and outputs that could not be recorded."""
    raise RuntimeError("this stands for a call whose inside was not recorded")
