"""Record the calls of a forward while it runs.

A ``TorchFunctionMode`` intercepts every call of a torch function, ``isolation.module_calls`` every call of a module.
Real tensors run through real code, so Python control flow needs no rewriting. Regions that are opaque to the function
mode (scripted modules, fused attention) are recorded one level below, as the operators that the dispatcher runs.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from types import FrameType, MethodWrapperType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from convlint.runtime import code_sites
from convlint.runtime.build import construction_sites
from convlint.runtime.failures import ProblemError, one_line
from convlint.runtime.isolation import Args, Kwargs
from convlint.runtime.record import operations
from convlint.runtime.record.kept_outputs import kept_outputs
from convlint.runtime.record.names import ModelNames
from convlint.runtime.record.operator_mode import OperatorMode
from convlint.runtime.record.steps import SCALARS, ModuleCall, Stack, Step, Track, Value, structure, tensors_in
from convlint.runtime.recover import stand_ins

# Python functions of torch whose operators are hidden from the function mode.
_COMPOSITES = frozenset({nn.functional.multi_head_attention_forward})
_NESTED = "the forward uses nested tensors, which have no sizes that could be checked; pass padded tensors"
_SCRIPTED = torch.jit.ScriptModule
_reference = weakref.ref
_ATOMS = SCALARS - {torch.Size} | {slice, type(Ellipsis)}


class Recorder(TorchFunctionMode):
    """Records calls while it is active: ``steps`` in the order of execution, and ``calls`` of modules."""

    def __init__(self, model: nn.Module, repairing: bool) -> None:
        super().__init__()
        self.repairing = repairing
        self._bottom = sys._getframe(1).f_code  # frames above it do not belong to the model
        self.steps: list[Step] = []
        self.calls: list[ModuleCall] = []  # they hold their modules, so that ids stay unique
        self._thread = threading.local()
        self._adding = threading.Lock()
        self.result: Any = None  # of the model, with values for tensors
        self.returned: list[Value] = []  # the tensors of the result
        self.kept: list[Value] = []  # other tensors that outlive the forward
        self.unseen: dict[str, str] = {}
        self.failed_in: str | None = None
        self._names = ModelNames(model)
        self._states = self._names.states
        self.registered = self._names.registered
        self._known: dict[int, tuple[weakref.ref[Tensor], Value]] = {}
        self._track = self._thread.track = Track(self.steps, self.calls, [])
        self._constants = 0
        self._refusals: dict[int, str] = {}  # by the id of the module
        self._operator_mode = OperatorMode(self.add_call)

    def value_of(self, tensor: Tensor) -> Value:
        """The value of a tensor. A parameter, buffer or unknown tensor gets a step at its first use."""
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        if name := self._states.get(id(tensor)):
            step = Step("state", name)
        else:
            step = Step("constant", f"_constant_{self._constants}")
            self._constants += 1
        self._add(step, [tensor])
        return self._known[id(tensor)][1]

    def add_input(self, name: str, tensor: Tensor) -> None:
        """Add an input tensor of the model."""
        self._add(Step("input", name), [tensor])

    def close(self, result: Any) -> None:
        """Set the result of the model."""
        self.returned = self._values(result)
        self.result = structure(result, self.value_of)

    def refuse(self, module: nn.Module, error: str) -> None:
        """Record that a module refuses its input; the error becomes that of its next call."""
        self._refusals[id(module)] = error

    @property
    def operator_error(self) -> Exception | None:
        """The exception of an operator in a region that is opaque to the function mode."""
        return self._operator_mode.error

    def keep_alive_outputs(self) -> None:
        """Find the outputs of layers that something other than the result holds, while the result exists."""
        self.kept = kept_outputs(self._known.values(), self.returned)

    def _values(self, nested: Any) -> list[Value]:
        """The values of the tensors in nested containers."""
        if type(nested) is tuple and len(nested) == 1:  # the most frequent cases first
            (nested,) = nested
        if type(nested) is Tensor:
            return [self.value_of(nested)]
        return [self.value_of(tensor) for tensor in tensors_in(nested)]

    def _add(self, step: Step, outputs: Sequence[Tensor], track: Track | None = None) -> None:
        steps = (track or self._track).steps
        step.outputs = described = []
        for tensor in outputs:
            if tensor.is_nested:
                raise ProblemError("nested-tensor", _NESTED)
            described.append((tensor.shape, tensor.dtype))
        with self._adding:
            step.index = len(steps)
            steps.append(step)
        for position, tensor in enumerate(outputs):
            self._known[id(tensor)] = (_reference(tensor), Value(step, position))

    def _arguments(self, values: Iterable[Any], read: list[Value]) -> list[Any]:
        """Replace tensors with values, which are added to ``read``; containers are copied, other objects stay."""
        known = self._known
        found = []
        for value in values:
            if type(value) in _ATOMS:
                found.append(value)
            elif (entry := known.get(id(value))) is not None and entry[0]() is value:
                read.append(entry[1])
                found.append(entry[1])
            else:
                found.append(self._nested(value, read))
        return found

    def _nested(self, value: Any, read: list[Value]) -> Any:
        if isinstance(value, Tensor):
            found = self.value_of(value)
            read.append(found)
            return found
        kind = type(value)
        if kind is tuple and all(map(_ATOMS.__contains__, map(type, value))):
            return value  # (1, 1)
        if kind is tuple or kind is list:
            return kind(self._arguments(value, read))
        if kind is dict:
            return dict(zip(value, self._arguments(value.values(), read), strict=True))
        return value

    def __torch_function__(self, func: Any, types: Any, args: Args = (), kwargs: Kwargs | None = None) -> Any:
        kwargs = kwargs or {}
        if self._operator_mode.running:
            return func(*args, **kwargs)
        if func in _COMPOSITES:
            return self._composite(func, args, kwargs)
        error = None
        try:
            result = func(*args, **kwargs)
        except (RuntimeError, ValueError, IndexError) as raised:
            result, error = self._recovered(func, args, kwargs, raised), one_line(raised)
        if type(func) is MethodWrapperType and (not isinstance(result, Tensor) or nn.parameter.is_lazy(args[0])):
            return result  # a property such as x.shape, or a property of a lazy parameter
        self.add_call(func, args, kwargs, result, error)
        return result

    def _composite(self, func: Any, args: Args, kwargs: Kwargs) -> Any:
        error = None
        try:
            with self._operator_mode:
                result = func(*args, **kwargs)
        except (RuntimeError, AssertionError) as raised:
            result, error = self._recovered(func, args, kwargs, raised), one_line(raised)
        if error is not None or not all(map(self._has, tensors_in(result))):
            self.add_call(func, args, kwargs, result, error)
        return result

    def add_call(
        self, func: Callable[..., Any], args: Args, kwargs: Kwargs, result: Any, error: str | None = None
    ) -> None:
        """Record a call, unless it returned no tensor or a parameter or buffer that it has changed in place."""
        several = False
        outputs: Sequence[Tensor]
        if isinstance(result, Tensor):
            if id(result) in self._states:
                return
            outputs = (result,)
        elif type(result) in SCALARS:
            if func is not Tensor.__setitem__:
                return
            outputs = (args[0],)  # the step's value replaces that of the assigned tensor
            func = operations.setitem
        else:
            outputs, several = list(tensors_in(result)), True
            if not outputs:
                return
        track = self._track
        step = Step("call", "", func)
        step.several, step.error = several, error
        if track.stack:
            step.owner, step.module, _ = track.stack[-1]
            if self._refusals:
                step.error = self._refusals.pop(id(step.owner), None) or error
        read: list[Value] = []
        step.read = read
        step.args = tuple(self._arguments(args, read))
        if kwargs:
            step.kwargs = dict(zip(kwargs, self._arguments(kwargs.values(), read), strict=True))
        step.frame = self._called_at(sys._getframe(2), track.stack)
        self._add(step, outputs, track)

    def _called_at(self, frame: FrameType | None, stack: Stack) -> code_sites.Instant | None:
        """The nearest user frame, from ``frame`` outwards. At a module call, that call's own frame is reused."""
        foreign = code_sites.FOREIGN
        while frame is not None:
            code = frame.f_code
            known = foreign.get(id(code))
            if known is None:
                known = code_sites.judged(code)
            if not known[0]:
                return code, frame.f_lasti
            if code is _CALL_MODULE and stack:
                return stack[-1][2]
            if code is self._bottom:
                return None
            frame = frame.f_back
        return None

    def _recovered(self, func: Any, args: Any, kwargs: Any, raised: Exception) -> Any:
        if not self.repairing or "alloc" in str(raised):
            raise raised
        channels = None
        module = self._track.stack[-1][0] if self._track.stack else None
        if module is not None:
            record = construction_sites.construction_of(module)
            channels = ((record and record.declared) or vars(module)).get("num_features")
        result = stand_ins.stand_in(operations.name_of(func), args, kwargs, channels)
        if result is None:
            raise raised
        return result

    def _has(self, tensor: Tensor) -> bool:
        known = self._known.get(id(tensor))
        return (known is not None and known[0]() is tensor) or id(tensor) in self._states

    def call_module(self, original: Callable[..., Any], module: nn.Module, args: Args, kwargs: Any) -> Any:
        """Run a module call and record its tensors and the steps inside.

        In a worker thread of the model it is recorded separately and appended as a whole, because calls of two threads
        may overlap. Torch functions are not intercepted there, so the outputs of its layers have an unknown origin.
        """
        track: Track | None = getattr(self._thread, "track", None)
        is_outermost = track is None  # in a worker thread
        if track is None:
            track = self._thread.track = Track([], [], self._track.stack[:])
        stack = track.stack
        try:
            name = self._names.modules.get(id(module))
            if name is None:
                name = self._names.add_unknown(module, stack[-1][1] if stack else "")
            instant = self._called_at(sys._getframe(2), stack)
            call = ModuleCall(module, name, instant, self._values(args))
            if kwargs:
                call.inputs += self._values(kwargs)
            call.start = call.stop = len(track.steps)
            track.calls.append(call)
            stack.append((module, name, instant))
            try:
                if isinstance(module, _SCRIPTED):
                    with self._operator_mode:
                        result = original(module, *args, **kwargs)
                else:
                    result = original(module, *args, **kwargs)
            except BaseException:
                if self.failed_in is None:
                    self.failed_in = name
                raise
            finally:
                stack.pop()
                call.stop = len(track.steps)
            known = self._known.get(id(result))  # the most frequent case first
            if known is not None and known[0]() is result:
                call.outputs = [known[1]]
            else:
                self._close(call, result, track)
            return result
        finally:
            if is_outermost:
                del self._thread.track
                with self._adding:
                    track.append_to(self._track)

    def _close(self, call: ModuleCall, result: Any, track: Track) -> None:
        """Set the outputs of a module call. Tensors without a recorded origin become outputs of an ``unseen`` step."""
        unknown = [tensor for tensor in tensors_in(result) if not self._has(tensor)]
        if unknown:
            self.unseen.setdefault(call.name, "its output does not come from a torch function that can be recorded")
            step = Step("unseen")
            step.read = call.inputs
            step.args = tuple(call.inputs)
            step.owner, step.module, step.frame = call.module, call.name, call.frame
            step.several = len(unknown) > 1
            self._add(step, unknown, track)
            call.stop = len(track.steps)
        call.outputs = self._values(result)


_CALL_MODULE = Recorder.call_module.__code__
