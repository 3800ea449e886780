"""Record the operators of the dispatcher, in regions that are opaque to the function mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from convlint.runtime.isolation import Args, Kwargs


class OperatorMode(TorchDispatchMode):
    """Passes each aten operator that runs, with its arguments and result, to ``add_call``."""

    def __init__(self, add_call: Callable[[Any, Args, Kwargs, Any], object]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._add_call = add_call
        self.running = False  # an operator is running; the function mode intercepts it, too
        self.error: Exception | None = None  # of an operator; TorchScript drops its message

    def __torch_dispatch__(self, func: Any, types: Any, args: Args = (), kwargs: Kwargs | None = None) -> Any:
        kwargs = kwargs or {}
        self.running = True
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            self.error = error
            raise
        finally:
            self.running = False
        self._add_call(func, args, kwargs, result)
        return result
