"""Build a model with symbolic integers as constructor arguments.

While ``symbolic_arguments()`` is active, the ``__init__`` of every ``nn.Module`` class outside torch receives its
integer arguments, defaults included, as new symbols. Each constructor call is a *scope* of such symbols.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import nn

from convlint.runtime.build.symbolic_int import Argument, Parameter, ScopeRecord, SymbolicInt, Tracker
from convlint.runtime.counterexample.arguments import snapshot
from convlint.runtime.isolation import exclusive, in_run, patched

_KEY = "_convlint_scope"
_MOST_SCOPES = 50_000
_MOST_NUMBERS = 256  # in one list or tuple argument


@contextmanager
def symbolic_arguments() -> Iterator[Tracker]:
    """Context in which constructors of user classes receive their integers as symbols.

    All patches are undone on exit. Existing symbolic integers keep their type and then behave like plain ones. Raises
    RuntimeError if another such context is active.
    """
    if Tracker.active is not None:
        raise RuntimeError("symbolic_arguments() is already active")
    tracking = Tracker()
    patches = ExitStack()

    def wrap(cls: type) -> None:
        init = cls.__dict__.get("__init__")
        if issubclass(cls, torch.jit.ScriptModule):
            return  # its metaclass replaces the constructor as well
        if type(init) is FunctionType and not str(cls.__module__).startswith("torch."):
            patches.enter_context(patched(cls, "__init__", _receiving(init, cls, tracking)))

    def __init_subclass__(cls: type[nn.Module], /, **kwargs: Any) -> None:
        super(nn.Module, cls).__init_subclass__(**kwargs)
        wrap(cls)

    module_init = nn.Module.__init__

    def stamping(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        if in_run():
            module.__dict__.setdefault(_KEY, tracking.current)
        module_init(module, *args, **kwargs)

    with exclusive(), patches:
        try:
            patches.enter_context(patched(nn.Module, "__init__", stamping))
            patches.enter_context(patched(nn.Module, "__init_subclass__", classmethod(__init_subclass__)))
            for cls in _subclasses(nn.Module):
                wrap(cls)
            Tracker.active = tracking
            yield tracking
        finally:
            Tracker.active = None


def scope_of(module: nn.Module) -> ScopeRecord | None:
    """The constructor call that built a module; None if it was not built in a watched constructor."""
    scope = module.__dict__.get(_KEY)
    return scope if isinstance(scope, ScopeRecord) else None


def _subclasses(root: type) -> list[type]:
    found = {root: None}
    pending = [root]
    while pending:
        subclasses: list[type] = type.__subclasses__(pending.pop())
        below = [cls for cls in subclasses if cls not in found]
        found.update(dict.fromkeys(below))
        pending += below
    return list(found)


def _may_receive(cls: type, init: FunctionType) -> bool:
    """Return whether a class can handle symbols: it has no test for the exact type ``int``."""
    functions = [init, *(value for value in vars(cls).values() if type(value) is FunctionType)]
    names = [function.__code__.co_names for function in functions]
    return not any("type" in known and "int" in known for known in names)


def _receiving(init: FunctionType, cls: type, tracking: Tracker) -> Callable[..., None]:
    """Wrap ``init`` so that integers, also in lists and tuples, are replaced with symbols of a new scope."""
    signature: _Signature | None = None  # set by the first call, because most classes are never built
    refused = False

    def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        nonlocal signature, refused
        if signature is None:
            signature = _Signature(init)
            refused = not _may_receive(cls, init)
        untracked = Tracker.active is not tracking or not in_run()
        if refused or untracked or len(tracking.scopes) >= _MOST_SCOPES:
            init(module, *args, **kwargs)
            return
        scope = tracking.open(cls.__qualname__, sys._getframe(1))
        received = _Received(scope)
        positions = signature.positions(len(args))
        scope.path = init.__code__.co_filename
        built: Any = type(module)
        scope.cls = (built if built.__init__ is __init__ else cls).__qualname__
        scope.given = tuple([(at.keyword, snapshot(v)) for v, at in zip(args, positions, strict=True)])
        scope.named = {name: snapshot(value) for name, value in kwargs.items()}
        try:
            take = received.take
            given = [take(v, at) for v, at in zip(args, positions, strict=True)]
            named = {name: take(v, signature.keyword(name)) for name, v in kwargs.items()}
            for position, at, value in signature.defaults:
                if position >= len(args) and at.keyword not in named:
                    named[at.keyword] = take(value, at)
            init(module, *given, **named)
        finally:
            tracking.close()
            received.give_back()

    __init__.__wrapped__ = init  # type: ignore[attr-defined]
    return __init__


class _Signature:
    """The parameter names of a constructor and its defaults that contain integers."""

    def __init__(self, init: FunctionType) -> None:
        code: CodeType = init.__code__
        self._names = code.co_varnames[1 : code.co_argcount]
        self._variadic = "args"
        if code.co_flags & inspect.CO_VARARGS:
            self._variadic = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        self._keywords: dict[str, Argument] = {}
        self._positions = [Argument(name, position) for position, name in enumerate(self._names)]
        values = init.__defaults__ or ()
        self.defaults: list[tuple[int, Argument, Any]] = []
        for position, value in enumerate(values, len(self._names) - len(values)):
            if _holds_int(value) and position + 1 >= code.co_posonlyargcount:
                self.defaults.append((position, Argument(self._names[position], None, True), value))
        for name, value in (init.__kwdefaults__ or {}).items():
            if _holds_int(value):
                self.defaults.append((sys.maxsize, Argument(name, None, True), value))

    def keyword(self, name: str) -> Argument:
        """The argument with this keyword."""
        if name not in self._keywords:
            self._keywords[name] = Argument(name)
        return self._keywords[name]

    def positions(self, count: int) -> list[Argument]:
        """The first ``count`` positional arguments, without ``self``."""
        for position in range(len(self._positions), count):
            self._positions.append(Argument(f"{self._variadic}[{position - len(self._names)}]", position))
        return self._positions[:count]


def _holds_int(value: Any) -> bool:
    kind = type(value)
    return kind is int or (kind is tuple and any(_holds_int(item) for item in value))


class _Received:
    """Replaces the integers in the arguments of one call with symbols of its scope."""

    def __init__(self, scope: ScopeRecord) -> None:
        self._scope = scope
        self._lists: list[tuple[list[Any], list[Any], list[Any]]] = []

    def take(self, value: Any, at: Argument, path: tuple[int, ...] = ()) -> Any:
        """Replace integers with symbols; a value without integers is returned as the same object."""
        kind = type(value)
        if kind is int or kind is SymbolicInt:
            outer = value.origin if kind is SymbolicInt else None
            parameter = Parameter(self._scope, at, path, int(value), outer)
            self._scope.parameters.append(parameter)
            return SymbolicInt(value, parameter)
        if (kind is tuple or kind is list) and len(value) <= _MOST_NUMBERS and len(path) <= 2:
            return self._sequence(value, at, path)
        return value

    def _sequence(self, value: Any, at: Argument, path: tuple[int, ...]) -> Any:
        items = [self.take(item, at, (*path, index)) for index, item in enumerate(value)]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        if type(value) is tuple:
            return tuple(items)
        self._lists.append((value, items, items[:]))
        return items

    def give_back(self) -> None:
        """Apply the constructor's changes of list arguments to the caller's lists."""
        for given, copy, before in self._lists:
            if list(map(id, copy)) != list(map(id, before)):
                given[:] = [int(item) if type(item) is SymbolicInt else item for item in copy]
