"""Classes, functions and objects of the program, and the stack of its calls."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from convlint.ir import Site
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.support.dataclass import dataclass, field

if TYPE_CHECKING:
    from convlint.static.program.source_module import SourceModule
    from convlint.symbolic import Dim

UNKNOWN_CHILD = "?"  # the attribute of a module that stands for children under unknown names


@dataclass(slots=True, eq=False, repr=False)
class Class:
    """A class of the project, or without ``node`` and ``module`` one of a library, such as ``torch.nn.Conv2d``."""

    name: str
    bases: tuple[Value, ...] = ()
    node: ast.ClassDef | None = None
    module: SourceModule | None = None
    namespace: dict[str, Value] = field(default_factory=dict)
    qualname: str = ""
    mro: tuple[Class, ...] = ()
    _is_module: bool | None = None

    @property
    def is_library(self) -> bool:
        return self.node is None

    @property
    def is_module(self) -> bool:
        """Return whether it is an ``nn.Module``."""
        if self._is_module is None:
            self._is_module = any(cls.name == "torch.nn.Module" for cls in self.mro)
        return self._is_module

    @property
    def layer(self) -> str | None:
        """The name of the first class of ``torch.nn`` in its method resolution order: ``Conv2d``."""
        for cls in self.mro:
            if cls.is_library and cls.name.startswith("torch.nn."):
                return cls.name.rsplit(".", 1)[-1]
        return None

    def lookup(self, name: str) -> Value:
        """Return a class attribute; None if neither the class nor a base of the program has it."""
        for cls in self.mro:
            if name in cls.namespace:
                return cls.namespace[name]
        return None

    def __repr__(self) -> str:
        return f"Class({self.name})"


@dataclass(slots=True, eq=False, repr=False)
class Scope:
    """The names of a function or module, and the scope around it."""

    module: SourceModule
    outer: Scope | None = None
    qualname: str = ""
    names: dict[str, Value] = field(default_factory=dict)
    function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None = None  # whose names they are
    skipped: ast.Return | None = None  # of a branch on an unknown condition, which was not taken
    called_from: tuple[ast.expr, Scope] | None = None  # in the text of a library: the call in the program

    def as_now(self) -> Scope:
        """The scope with the values that its names have now: a loop gives them others."""
        return Scope(
            self.module, self.outer, self.qualname, dict(self.names), self.function, self.skipped, self.called_from
        )


@dataclass(slots=True, eq=False, repr=False)
class Function:
    """A function, lambda or method of the project, with the scope it was defined in."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    qualname: str
    defaults: Mapping[str, Value] = field(default_factory=dict)  # by the name of the parameter
    owner: Class | None = None  # the class whose method it is
    kind: str = ""  # "property", "staticmethod" or "classmethod"

    def __repr__(self) -> str:
        return f"Function({self.qualname})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Super:
    """``super()``: looks up attributes of ``instance`` in the classes after ``owner``."""

    owner: Class
    instance: Instance


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Children:
    """``module._modules``: the modules that a module holds, by name."""

    module: Instance


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Names:
    """``globals()`` and ``vars(module)``: the names at the top level of a module."""

    module: SourceModule


class Outside(ast.Name):
    """Stands for the call of an entry point, which is not in the program."""


@dataclass(slots=True, eq=False)
class Frame:
    """A running call: the expression that makes it."""

    node: ast.expr
    scope: Scope


def site_of(node: ast.expr | ast.stmt, scope: Scope) -> Site:
    """Return the span of a node of the program, cached at the node: every call needs it."""
    if scope.called_from is not None:
        node, scope = scope.called_from
    site: Site | None = node.__dict__.get("site")
    if site is None:
        site = node.site = scope.module.text.site(node, scope.qualname)  # type: ignore[union-attr]
    return site


@dataclass(slots=True, eq=False, repr=False)
class Instance:
    """An object: a module of the project, a layer of ``torch.nn``, or any other.

    ``kind`` of a layer is the name of its class in ``torch.nn``, set when the constructor of that class runs; ``attrs``
    then include its numbers, such as ``in_channels``. ``frames`` are the calls that were running when it was built.
    ``error`` is the message with which PyTorch would reject the constructor call. ``items`` is the content of an object
    whose class is derived from ``dict``, ``list`` or ``tuple``.
    """

    cls: Class
    site: Site | None = None
    frames: tuple[Frame, ...] = ()
    attrs: dict[str, Value] = field(default_factory=dict)
    kind: str | None = None
    error: str | None = None
    incomplete: bool = False  # whether part of its constructor was not executed
    items: dict[Value, Value] | list[Value] | None = None
    hooked: bool = False  # whether a hook of the program sees its inputs and outputs
    stands_for: Dim | None = None  # the parameter, if a caller passes the object, which may have other attributes

    @property
    def is_module(self) -> bool:
        return self.cls.is_module

    @property
    def may_have_more_children(self) -> bool:
        """Return whether it may hold modules that the analysis does not know."""
        return self.incomplete or UNKNOWN_CHILD in self.attrs

    @property
    def has_unknown_attributes(self) -> bool:
        """Return whether it has attributes under names that are not known; each may be one of them."""
        names: Collection[Value] = self.attrs
        return UNKNOWN in names

    @property
    def chain(self) -> tuple[Site, ...]:
        """The calls that led to ``site``, innermost first."""
        return tuple([site_of(f.node, f.scope) for f in self.frames if type(f.node) is not Outside][::-1])

    def children(self) -> Iterator[tuple[str, Instance]]:
        """Yield the modules among its attributes, in the order in which they were assigned."""
        for name, value in self.attrs.items():
            if type(value) is Instance and value.is_module:
                yield name, value

    def __repr__(self) -> str:
        return f"Instance({self.cls.name})"


@dataclass(slots=True, eq=False)
class Built:
    """A module that code of a forward built, in the scope of that code."""

    instance: Instance
    scope: Scope
    is_hypothetical: bool  # under an unknown condition

    @property
    def site(self) -> Site | None:
        return self.instance.site


def modules_held_by(instance: Instance) -> list[Instance]:
    """Return a module and the modules in its attributes, in lists, tuples and dicts too, and in theirs."""
    found: dict[Instance, None] = {instance: None}
    pending: list[Value] = [instance]
    while pending:
        value = pending.pop()
        items = value.attrs.values() if type(value) is Instance else value.values() if type(value) is dict else value
        for item in items:
            if type(item) is Instance and item.is_module and item not in found:
                found[item] = None
                pending.append(item)
            elif type(item) in (list, tuple, dict) and len(item) < _LONGEST_OF_MODULES:
                pending.append(item)
    return list(found)


_LONGEST_OF_MODULES = 1000


def tensors_held_by(values: Iterable[Value]) -> Iterator[Tensor]:
    """Yield the tensors that calls created, among values and in the lists, tuples, dicts and objects among them."""
    pending = [*values]
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        kind = type(value)
        if kind is Tensor:
            if value.id is not None:
                yield value
        elif kind in _HOLDERS and id(value) not in seen:
            seen.add(id(value))
            items = [*value.attrs.values(), value.items] if kind is Instance else value
            items = value.values() if kind is dict else items
            pending += [item for item in items if type(item) is Tensor or type(item) in _HOLDERS]


_HOLDERS = frozenset({Instance, list, tuple, dict})
