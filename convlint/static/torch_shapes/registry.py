"""The operations of PyTorch that static analysis knows, by name.

Names are written short: ``cat`` is ``torch.cat``, ``F.relu`` a function of ``torch.nn.functional``,
``.view`` a method of tensors. Each operation has a signature, which a program's arguments are bound
to, and a handler, which records the call and returns its result. The parameters of a handler name
the arguments that it needs; one annotated as ``Tensor`` is sure to receive a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from typing import TypeVar

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, unknown_result
from convlint.support.dataclass import dataclass

_Handler = TypeVar("_Handler", bound=Callable[..., Value])

# Exceptions of a handler for arguments of a kind that PyTorch accepts nowhere, such as a string for a
# size. The result of the call is unknown.
NOT_TAKEN = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)


_VARARGS, _VARKEYWORDS = 4, 8  # flags of code objects, as inspect has them


class Parameter(str):
    """The name that a signature has for a parameter of the handler."""

    __slots__ = ()


class Operation:
    """A function of torch: its signature and the handler of the calls that fit it.

    Args:
        handler: called with the execution and those arguments that its parameters name. Three names
            are special: ``arguments`` receives all arguments, ``passed`` (the last parameter) only
            those that the call passes, and ``layer`` the layer whose forward is called.
        signature: the parameters as PyTorch documents them, ``"input, weight, bias=None"``; None if
            they are those of the handler.
        fixed: arguments of the handler that no call passes, such as the name of the operation. A ``Parameter``
            is passed, under that name.
    """

    def __init__(self, handler: Callable[..., Value], signature: str | None, fixed: Mapping[str, Value]) -> None:
        self.handler = handler
        self._signature = signature
        self._fixed = fixed

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The arguments that the handler needs."""
        code = self.handler.__code__
        return code.co_varnames[1 : code.co_argcount]

    @cached_property
    def _tensors(self) -> list[int]:
        """The positions of those that have to be tensors."""
        kinds = self.handler.__annotations__
        return [i for i, name in enumerate(self._names) if kinds.get(name) == "Tensor"]

    @cached_property
    def binder(self) -> Callable[..., tuple[Value, ...]]:
        """A function that binds arguments for the handler, compiled from the signature when first needed."""
        signature = self._signature
        if signature is None:
            signature = self._signature_of_handler()
        values = [self._source(name) for name in self._names if name != "passed"]
        text = f"lambda {signature}: ({''.join([f'{value}, ' for value in values])})"
        namespace = {f"fixed_{name}": value for name, value in self._fixed.items()}
        return eval(text, namespace)  # type: ignore[no-any-return] # noqa: S307 - our own text

    def _signature_of_handler(self) -> str:
        code, given = self.handler.__code__, self.handler.__defaults__ or ()
        if code.co_kwonlyargcount or code.co_flags & (_VARARGS | _VARKEYWORDS):
            from inspect import signature  # takes long to import, for few handlers

            parameters = list(signature(self.handler).parameters.values())[1:]
            own = [str(p.replace(annotation=p.empty)) for p in parameters if p.name not in self._fixed]
            return ", ".join(own)
        names = code.co_varnames[: code.co_argcount]
        defaults = dict(zip(names[len(names) - len(given) :], given, strict=True))
        texts = [f"{name}={defaults[name]!r}" if name in defaults else name for name in names[1:]]
        return ", ".join([text for name, text in zip(names[1:], texts, strict=True) if name not in self._fixed])

    def _source(self, name: str) -> str:
        if name == "arguments":
            return "locals()"
        fixed = self._fixed.get(name)
        if type(fixed) is Parameter:
            return fixed
        return f"fixed_{name}" if name in self._fixed else name

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, without ``*args`` and ``**kwargs``."""
        code = self.binder.__code__
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    def bind(self, args: Sequence[Value], kwargs: Mapping[str, Value]) -> tuple[Value, ...] | None:
        """Return the arguments for the handler; None if the call does not fit the signature."""
        try:
            values = self.binder(*args, **kwargs)
        except TypeError:
            return None
        if self._names[-1:] == ("passed",):
            return (*values, dict(zip(self.parameters, args, strict=False)) | dict(kwargs))
        return values

    def call(self, run: Execution, values: tuple[Value, ...]) -> Value:
        """Call the handler with the arguments that ``bind`` returned."""
        for position in self._tensors:
            if type(values[position]) is not Tensor:
                return unknown_result(run, *[values[position] for position in self._tensors])
        return self.handler(run, *values)

    def __call__(self, run: Execution, *args: Value, **kwargs: Value) -> Value:
        values = self.bind(args, kwargs)
        if values is None:
            raise TypeError(f"arguments that {self._signature} does not accept")
        return self.call(run, values)


FUNCTIONS: dict[str, Operation] = {}


def operation(*names: str, signature: str | None = None, **fixed: Value) -> Callable[[_Handler], _Handler]:
    """Register a handler for functions of torch."""

    def register(handler: _Handler) -> _Handler:
        FUNCTIONS.update(dict.fromkeys(names, Operation(handler, signature, fixed)))
        return handler

    return register


def both(*names: str) -> tuple[str, ...]:
    """Names of functions of torch that are methods of tensors as well."""
    return (*names, *[f".{name}" for name in names])


@dataclass(frozen=True, slots=True, repr=False)
class LayerKind:
    """The behavior of a class of ``torch.nn``.

    ``construct(run, ...)`` returns the attributes of the layer, or raises ``ConstructorError`` as the
    class would raise; ``forward(run, layer, ...)`` calls the layer.
    """

    construct: Operation
    forward: Operation


LAYERS: dict[str, LayerKind] = {}


def _keep_arguments(run: Execution, arguments: Attrs) -> Attrs:
    return {n: value for n, value in arguments.items() if n not in ("device", "dtype")}


def layer(
    name: str,
    signature: str,
    forward: Callable[..., Value],
    construct: Callable[..., Attrs] = _keep_arguments,
    inputs: str | None = None,
    **fixed: Value,
) -> None:
    """Register a class of ``torch.nn``.

    Args:
        name: its name in ``torch.nn``.
        signature: the parameters of its constructor.
        forward: the handler of its ``forward``, with the parameters ``run, layer, ...``.
        construct: the handler of its constructor; by default the layer keeps all arguments.
        inputs: the parameters of its ``forward`` if they differ from those of the handler.
        fixed: arguments of both handlers that no call passes.
    """
    LAYERS[name] = LayerKind(
        Operation(construct, signature, fixed), Operation(forward, inputs and f"layer, {inputs}", fixed)
    )


def functional_layer(
    name: str, signature: str, function: str, construct: Callable[..., Attrs] = _keep_arguments, **constants: Value
) -> None:
    """Register a class whose forward passes its attributes and ``constants`` to a function of torch."""
    called = FUNCTIONS[function]

    @cache
    def passed() -> set[str]:
        return {*LAYERS[name].construct.parameters, *constants}.intersection(called.parameters)

    def forward(run: Execution, layer: Instance, input: Value) -> Value:
        return called(run, input, **{name: layer.attrs[name] for name in passed()})

    layer(name, signature, forward, lambda run, arguments: construct(run, arguments) | constants)


_PREFIXES = (
    ("torch.nn.functional.", "F."),
    ("torch.Tensor.", "."),
    ("torch.special.", ""),
    ("torch._C._nn.", "F."),
    ("torch.", ""),
)


@cache
def function(name: str) -> Operation | None:
    """Return a function of torch by its qualified name, None if it is not known."""
    for prefix, short in _PREFIXES:
        if name.startswith(prefix):
            return FUNCTIONS.get(short + name[len(prefix) :])
    return None


def method(name: str) -> Operation | None:
    """Return a method of tensors, None if it is not known; operators take the operands in source order."""
    return FUNCTIONS.get("." + name)
