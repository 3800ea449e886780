"""Classes, functions and objects of the program, and the calls that are running."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from convlint.ir import Site
from convlint.static.domain.values import Value

if TYPE_CHECKING:
    from convlint.static.program.source_module import SourceModule

UNKNOWN_CHILD = "?"  # the attribute of a module that stands for children under unknown names


@dataclass(slots=True, eq=False)
class Class:
    """A class of the project (``node`` and ``module`` are set), or one of a library by its
    qualified name (``torch.nn.Conv2d``).
    """

    name: str
    bases: tuple[Value, ...] = ()
    node: ast.ClassDef | None = None
    module: SourceModule | None = None
    namespace: dict[str, Value] = field(default_factory=dict)
    scope: Scope | None = None  # where its methods look names up
    qualname: str = ""
    mro: tuple[Class, ...] = ()
    _is_module: bool | None = None

    @property
    def is_library(self) -> bool:
        return self.node is None

    @property
    def is_module(self) -> bool:
        """Whether it is an ``nn.Module``."""
        if self._is_module is None:
            self._is_module = any(cls.name == "torch.nn.Module" for cls in self.mro)
        return self._is_module

    @property
    def layer(self) -> str | None:
        """The nearest class of ``torch.nn`` it is, or is derived from: ``Conv2d``."""
        for cls in self.mro:
            if cls.is_library and cls.name.startswith("torch.nn."):
                return cls.name.rsplit(".", 1)[-1]
        return None

    def lookup(self, name: str) -> Value:
        """A class attribute; None if neither the class nor a base of the program has it."""
        for cls in self.mro:
            if name in cls.namespace:
                return cls.namespace[name]
        return None

    def __repr__(self) -> str:
        return f"Class({self.name})"


class Scope:
    """The names of a function or module, and the scope around it."""

    __slots__ = ("module", "names", "outer", "qualname")

    def __init__(
        self,
        module: SourceModule,
        outer: Scope | None = None,
        qualname: str = "",
        names: dict[str, Value] | None = None,
    ) -> None:
        self.module = module
        self.outer = outer
        self.qualname = qualname
        self.names: dict[str, Value] = {} if names is None else names


@dataclass(slots=True, eq=False)
class Function:
    """A function, lambda or method of the project, with the scope it was defined in."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    qualname: str
    defaults: tuple[Value, ...] = ()
    keyword_defaults: Mapping[str, Value] = field(default_factory=dict)
    owner: Class | None = None  # the class whose method it is
    kind: str = ""  # "property", "staticmethod" or "classmethod"

    def __repr__(self) -> str:
        return f"Function({self.qualname})"


@dataclass(frozen=True, slots=True, eq=False)
class Super:
    """``super()``: the attributes of ``instance`` as the classes behind ``owner`` have them."""

    owner: Class
    instance: Instance


class Outside(ast.Name):
    """Stands for the call of a class or function that is followed for itself: nobody wrote it."""


class Frame:
    """A call that is running, and where it was called from."""

    __slots__ = ("node", "scope")

    def __init__(self, node: ast.expr, scope: Scope) -> None:
        self.node = node
        self.scope = scope


def site_of(node: ast.expr | ast.stmt, scope: Scope) -> Site:
    """The span of a node of the program. It is asked for at every call, and kept at the node."""
    site: Site | None = node.__dict__.get("site")
    if site is None:
        site = node.site = scope.module.text.site(node, scope.qualname)  # type: ignore[union-attr]
    return site


class Instance:
    """An object: a module of the project, a layer of ``torch.nn``, or anything else with attributes.

    ``kind`` of a layer is its class in ``torch.nn`` once that class's constructor ran; its numbers
    (``in_channels`` ...) are among the attributes. ``frames`` are the calls that were running when
    it was built. ``error`` is what PyTorch would say to the constructor call.
    """

    __slots__ = ("attrs", "cls", "error", "frames", "incomplete", "kind", "site")

    def __init__(
        self, cls: Class, site: Site | None = None, frames: tuple[Frame, ...] = ()
    ) -> None:
        self.cls = cls
        self.attrs: dict[str, Value] = {}
        self.site = site
        self.frames = frames
        self.kind: str | None = None
        self.error: str | None = None
        self.incomplete = False  # part of its constructor could not be followed

    @property
    def is_module(self) -> bool:
        return self.cls.is_module

    @property
    def may_have_more_children(self) -> bool:
        """Whether it may hold modules that the analysis does not know."""
        return self.incomplete or UNKNOWN_CHILD in self.attrs

    @property
    def chain(self) -> tuple[Site, ...]:
        """The calls that led to ``site``, innermost first."""
        calls = [site_of(f.node, f.scope) for f in self.frames if type(f.node) is not Outside]
        return tuple(calls[::-1])

    def children(self) -> Iterator[tuple[str, Instance]]:
        """The modules among its attributes, in the order in which they were assigned."""
        for name, value in self.attrs.items():
            if type(value) is Instance and value.is_module:
                yield name, value

    def __repr__(self) -> str:
        return f"Instance({self.cls.name})"
