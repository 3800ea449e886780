"""The outputs of layers that outlive a forward."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Collection, Iterable

from torch import Tensor

from convlint.analysis import ops
from convlint.runtime.record import operations
from convlint.runtime.record.steps import Value


def kept_outputs(known: Collection[tuple[weakref.ref[Tensor], Value]], returned: Iterable[Value]) -> list[Value]:
    """Return the outputs of convolutions and linear layers that something other than the result still holds.

    What is alive after the forward, while its result exists, is kept in an attribute, a list or a hook. A view holds
    the tensor that it is a view of, but the call that made the view is recorded. A forward that enables gradients has
    its tensors held by the result's graph: nothing is concluded from those.
    """
    of_result = {(value.step, value.position) for value in returned}

    def alive() -> list[Value]:
        calls = [
            (tensor, value)
            for reference, value in known
            if value.step.kind == "call" and (tensor := reference()) is not None
        ]
        found = [
            (tensor, value)
            for tensor, value in calls
            if operations.name_of(value.step.func) in ops.PROJECTIONS
            and (value.step, value.position) not in of_result
            and tensor.grad_fn is None
        ]
        viewed = {id(tensor._base) for tensor, _ in calls} if found else set()
        return [value for tensor, value in found if id(tensor) not in viewed]

    if not alive():
        return []
    gc.collect()  # a cycle of garbage may hold tensors, too
    return alive()
