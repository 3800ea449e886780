"""The recorder: one real forward, written down as a ``torch.fx.Graph``.

A ``TorchFunctionMode`` sees every call of a torch function, a patched ``nn.Module.__call__`` sees every call of a
module. Real tensors run through real code, so Python control flow needs no rewriting. What the function mode cannot
look into (scripted modules, fused attention) is recorded one level below, as the operators that the dispatcher runs.

A forward that raises is run a second time with stand-ins for the calls that cannot work (``recover.py``), so that all
independent errors come out of one run; a forward that works is never touched.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import MethodWrapperType, TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from convlint.model import Failure, Graph
from convlint.trace import operations, recover, sites
from convlint.trace.steps import ModuleCall, Step, Value, tensors_in
from convlint.trace.to_fx import Written
from convlint.trace.unregistered import unregistered

# Python functions of torch that run several of its operators, and hide them from the function mode.
_COMPOSITES = frozenset({nn.functional.multi_head_attention_forward})
_SCALARS = frozenset({int, float, bool, str, type(None), torch.Size, torch.dtype, torch.device})
_ATOMS = frozenset(
    {int, float, bool, str, type(None), torch.dtype, torch.device, slice, type(Ellipsis)}
)


class Recorder(TorchFunctionMode):
    """Notes the calls made while it is active: ``steps`` in the order in which they ran, and ``calls`` of modules."""

    def __init__(self, model: nn.Module, repairing: bool) -> None:
        super().__init__()
        self.repairing = repairing
        self.steps: list[Step] = []
        self.calls: list[ModuleCall] = []  # hold their modules: no id is given to another meanwhile
        self.returned: list[Value] = []
        self.unseen: dict[str, str] = {}
        self.failed_in: str | None = None
        self._names: dict[int, str] = {}
        self._states: dict[int, str] = {}
        self._known: dict[int, tuple[weakref.ref[Tensor], Value]] = {}
        self._stack: list[tuple[nn.Module | None, str]] = [(None, "")]
        self._constants = 0
        self._below = _Below(self)
        self._name(model, "")
        for _, _, name, module in unregistered(model):
            self._name(module, name)

    def _name(self, root: nn.Module, name: str) -> None:
        """Names for a module, its parts, parameters and buffers; first names stay."""
        before = f"{name}." if name else ""
        for inner, module in root.named_modules():
            path = before + inner if inner else name
            self._names.setdefault(id(module), path)
            for states in (module._parameters, module._buffers):
                for key, tensor in states.items():
                    if tensor is not None:
                        self._states.setdefault(id(tensor), f"{path}.{key}" if path else key)

    # --- tensors

    def value_of(self, tensor: Tensor) -> Value:
        """What stands for a tensor; a parameter, buffer or unknown tensor gets a step on first sight."""
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        name = self._states.get(id(tensor))
        if name is None:
            step = Step("constant", f"_constant_{self._constants}")
            self._constants += 1
        else:
            step = Step("state", name)
        self._add(step, [tensor])
        return self._known[id(tensor)][1]

    def add_input(self, name: str, tensor: Tensor) -> None:
        """A tensor that is given to the model."""
        self._add(Step("input", name), [tensor])

    def close(self, result: Any) -> None:
        """What the model returned: the end of the graph."""
        self.returned = [self.value_of(tensor) for tensor in tensors_in(result)]

    def _add(self, step: Step, outputs: list[Tensor]) -> None:
        step.outputs = [(t.shape, t.dtype) for t in outputs]
        step.index = len(self.steps)
        self.steps.append(step)
        for position, tensor in enumerate(outputs):
            self._known[id(tensor)] = (weakref.ref(tensor), Value(step, position))

    def _arguments(self, values: Iterable[Any]) -> list[Any]:
        """Values for tensors; containers are copied, everything else stays."""
        return [
            value
            if type(value) in _ATOMS
            else self.value_of(value)
            if isinstance(value, Tensor)
            else self._nested(value)
            for value in values
        ]

    def _nested(self, value: Any) -> Any:
        kind = type(value)
        if kind is tuple or kind is list:
            return kind(self._arguments(value))
        if kind is dict:
            return dict(zip(value, self._arguments(value.values()), strict=True))
        return value

    # --- torch functions

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._below.running:
            return func(*args, **kwargs)
        if func in _COMPOSITES:
            with self._below:
                result = func(*args, **kwargs)
            if not self._is_known(result):
                self.add_call(func, args, kwargs, result)
            return result
        error = None
        try:
            result = func(*args, **kwargs)
        except (RuntimeError, ValueError, IndexError) as raised:
            result, error = self._recovered(func, args, kwargs, raised), recover.one_line(raised)
        if type(func) is MethodWrapperType and (
            not isinstance(result, Tensor) or nn.parameter.is_lazy(args[0])
        ):
            return result  # a property such as x.shape, or of a parameter that has no shape yet
        self.add_call(func, args, kwargs, result, error)
        return result

    def add_call(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        error: str | None = None,
    ) -> None:
        """Note a call that has run, unless it gave no tensor or wrote to a parameter or buffer: those
        stay what they are to the graph.
        """
        several = False
        if isinstance(result, Tensor):
            if id(result) in self._states:
                return
            outputs = [result]
        elif type(result) in _SCALARS:
            if func is not _setitem:
                return
            outputs = [args[0]]  # the assigned tensor goes on under its own name
        else:
            outputs, several = list(tensors_in(result)), True
            if not outputs:
                return
        step = Step("call", "", func)
        step.several = several
        step.error = error
        step.owner, step.module = self._stack[-1]
        step.args = tuple(self._arguments(args))
        if kwargs:
            step.kwargs = self._nested(kwargs)
        frame = sites.user_frame(sys._getframe(2))
        if frame is not None:
            step.frame = (frame.f_code, frame.f_lasti)
        self._add(step, outputs)

    def _recovered(self, func: Any, args: Any, kwargs: Any, raised: Exception) -> Any:
        if not self.repairing or "alloc" in str(raised):
            raise raised
        channels = None
        module = self._stack[-1][0]
        if module is not None:
            record = sites.built(module)
            declared = (record and record.declared) or vars(module)
            channels = declared.get("num_features")
        result = recover.stand_in(operations.name_of(func), args, kwargs, channels)
        if result is None:
            raise raised
        return result

    def _is_known(self, result: Any) -> bool:
        return all(self._has(tensor) for tensor in tensors_in(result))

    def _has(self, tensor: Tensor) -> bool:
        known = self._known.get(id(tensor))
        return (known is not None and known[0]() is tensor) or id(tensor) in self._states

    # --- modules

    def call_module(
        self, original: Callable[..., Any], module: nn.Module, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Run a module's call and note its tensors and the steps made inside."""
        name = self._names.get(id(module))
        if name is None:
            name = self._name_unregistered(module)
        frame = sites.user_frame(sys._getframe(2))
        instant = None if frame is None else (frame.f_code, frame.f_lasti)
        inputs = [self.value_of(tensor) for tensor in tensors_in(args)]
        if kwargs:
            inputs += [self.value_of(tensor) for tensor in tensors_in(kwargs)]
        call = ModuleCall(module, name, instant, len(self.steps))
        call.inputs = inputs
        self.calls.append(call)
        self._stack.append((module, name))
        try:
            if isinstance(module, torch.jit.ScriptModule):
                with self._below:
                    result = original(module, *args, **kwargs)
            else:
                result = original(module, *args, **kwargs)
        except BaseException:
            if self.failed_in is None:
                self.failed_in = name
            raise
        finally:
            self._stack.pop()
            call.stop = len(self.steps)
        self._close(call, result)
        return result

    def _close(self, call: ModuleCall, result: Any) -> None:
        """Outputs of a module call; tensors that no recorded call made come from what was not seen inside."""
        outputs = list(tensors_in(result))
        unknown = [tensor for tensor in outputs if not self._has(tensor)]
        if unknown:
            self.unseen.setdefault(
                call.name, "its output was not made by a torch function that can be recorded"
            )
            step = Step("unseen")
            step.args = tuple(call.inputs)
            step.owner, step.module, step.frame = call.module, call.name, call.frame
            step.several = len(unknown) > 1
            self._add(step, unknown)
            call.stop = len(self.steps)
        call.outputs = [self.value_of(tensor) for tensor in outputs]

    def _name_unregistered(self, module: nn.Module) -> str:
        parent = self._stack[-1][1]
        base = f"{parent}.<{type(module).__name__}>".lstrip(".")
        taken = set(self._names.values())
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}#{count}"
        self._name(module, name)
        return name


class _Below(TorchDispatchMode):
    """Records aten operators, for regions that the function mode cannot look into."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self.running = False  # an operator is: the function mode sees that call as well

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        self.running = True
        try:
            result = func(*args, **kwargs)
        finally:
            self.running = False
        self._recorder.add_call(func, args, kwargs, result)
        return result


@dataclass
class Recording:
    """A recorded forward. ``written.graph`` is the FX graph; ``graph()`` converts it to convlint's own."""

    model: nn.Module
    recorder: Recorder
    result: Any
    failure: Failure | None
    training: bool
    target: str | None
    error: BaseException | None = None

    @cached_property
    def written(self) -> Written:
        """The forward as a ``torch.fx.Graph``; see ``to_fx.py``."""
        return Written(self.recorder.steps, self.recorder.returned)

    def graph(self) -> Graph:
        """The recording as ``model.Graph``, its invariants checked."""
        from convlint.trace.convert import convert

        graph = convert(self)
        graph.lint()
        return graph


def record(
    model: nn.Module,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    *,
    train: bool = False,
    target: str | None = None,
) -> Recording:
    """Run ``model(*args, **kwargs)`` once, without gradients, and write down what ran.

    The model is put into eval mode (``train``: train mode) for the run and its training flags are put back. Buffers
    and the generator states are the caller's to save. A forward that raises is run again with stand-ins; what still
    raises then is the recording's ``failure``.
    """
    first = _run(model, args, kwargs or {}, train, target, repairing=False)
    if first.failure is None:
        return first
    second = _run(model, args, kwargs or {}, train, target, repairing=True)
    if second.failure is not None and not any(step.error for step in second.recorder.steps):
        return first
    return second


def _run(
    model: nn.Module, args: Any, kwargs: Any, train: bool, target: str | None, *, repairing: bool
) -> Recording:
    recorder = Recorder(model, repairing)
    for name, tensor in _named_inputs(model, args, kwargs):
        recorder.add_input(name, tensor)
    result, failure, error = None, None, None
    with ExitStack() as stack:
        stack.enter_context(flags_kept(model))
        stack.enter_context(_modules_watched(recorder))
        stack.enter_context(_eager())
        model.train(train)
        stack.enter_context(torch.no_grad())
        try:
            with recorder:
                result = model(*args, **kwargs)
        except Exception as raised:
            error = raised
            failure = failure_of(raised, "forward", recorder.failed_in or "")
    recorder.close(result)
    return Recording(model, recorder, result, failure, train, target, error)


def failure_of(error: BaseException, phase: Any, module: str = "") -> Failure:
    """An exception as a fact: its class, message, and the deepest line of the user's code."""
    frames: list[sites.Instant] = []
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not sites.is_foreign(code):
            frames.append((code, traceback.tb_lasti))
        traceback = traceback.tb_next
    own = [frame for frame in frames if "site-packages" not in frame[0].co_filename] or frames
    chain = tuple(sites.site_of(frame) for frame in reversed(frames))
    site = sites.site_of(own[-1]) if own else None
    return Failure(phase, type(error).__name__, recover.one_line(error), site, module, chain)


@contextmanager
def flags_kept(model: nn.Module) -> Iterator[None]:
    """Put every module's own training flag back afterwards."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, flag in flags:
            if module.training is not flag:
                module.training = flag


@contextmanager
def _modules_watched(recorder: Recorder) -> Iterator[None]:
    """Send every module call through the recorder."""
    original = nn.Module.__call__

    def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call_module(original, module, args, kwargs)

    nn.Module.__call__ = __call__  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]


@contextmanager
def _eager() -> Iterator[None]:
    """Run compiled submodules as the Python that they were made from. Without torch._dynamo there is none."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _named_inputs(model: nn.Module, args: Any, kwargs: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors given to a model, named after the parameters of its ``forward``."""
    code = getattr(type(model).forward, "__code__", None)
    names = list(code.co_varnames[1 : code.co_argcount]) if code is not None else []
    for position, value in enumerate(args):
        name = names[position] if position < len(names) else f"input_{position}"
        found = list(tensors_in(value))
        for count, tensor in enumerate(found):
            yield name if len(found) == 1 else f"{name}_{count}", tensor
    for name, value in kwargs.items():
        found = list(tensors_in(value))
        for count, tensor in enumerate(found):
            yield name if len(found) == 1 else f"{name}_{count}", tensor


_setitem = Tensor.__setitem__
