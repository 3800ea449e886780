"""Express the channel counts of layers in terms of the parameters of the enclosing constructors."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from functools import cache

from torch import nn

from convlint import symbolic
from convlint.ir import Graph, Layer, Scope
from convlint.runtime import code_sites
from convlint.runtime.build import construction_sites, source_literals
from convlint.runtime.build.symbolic_build import scope_of
from convlint.runtime.build.symbolic_int import Argument, Operation, Origin, Parameter, ScopeRecord, SymbolicInt
from convlint.runtime.counterexample.arguments import listed
from convlint.runtime.record.call_attributes import CHANNEL_COUNTS
from convlint.support.dataclass import replace
from convlint.symbolic import Dim, Symbol

_DECLARED = (*CHANNEL_COUNTS, "normalized_shape")
_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod}


def annotate(graph: Graph, model: nn.Module) -> Graph:
    """Return the graph with ``Layer.exprs`` and ``Layer.scope`` of every layer that has channels, and ``Graph.scopes``.

    Nothing is added unless the model was built under ``symbolic_build.symbolic_arguments()``.
    """
    modules = dict(model.named_modules())
    expressions = _Expressions()
    layers = tuple(
        expressions.annotated(layer, modules[layer.name]) if layer.leaf and layer.name in modules else layer
        for layer in graph.layers
    )
    return replace(graph, layers=layers, scopes=expressions.scopes())


class _Expressions:
    """Expressions of origins, and the scopes of their symbols."""

    def __init__(self) -> None:
        self._dims: dict[int, tuple[Origin, Dim]] = {}
        self._records: dict[int, ScopeRecord] = {}
        self._parameters: dict[Symbol, Parameter] = {}
        self._wanted: set[Symbol] = set()

    def annotated(self, layer: Layer, module: nn.Module) -> Layer:
        built = construction_sites.construction_of(module)
        declared = (built and built.declared) or vars(module)
        exprs = {}
        for name in _DECLARED:
            value = declared.get(name)
            if isinstance(value, tuple) and value:
                value = value[-1]  # normalized_shape: channels are last
            if type(value) is int or isinstance(value, SymbolicInt):
                dim = self._of_attribute(value, name, module, built)
                self._wanted |= dim.symbols()
                exprs[name] = symbolic.to_json(dim)
        if not exprs:
            return layer
        return replace(layer, exprs=exprs, scope=self._register(scope_of(module)))

    def _of_attribute(
        self, value: int, name: str, module: nn.Module, built: construction_sites.Construction | None
    ) -> Dim:
        if isinstance(value, SymbolicInt):
            return self.dim(value.origin)
        position = _positions(type(module).__init__).get(name)
        if built is None or position is None:
            return _unknown(value)
        written = source_literals.is_literal_argument(built.frames, value, Argument(name, position))
        return symbolic.constant(value) if written else _unknown(value)

    def _register(self, scope: ScopeRecord | None) -> int | None:
        outwards = scope
        while outwards is not None and outwards.id not in self._records:
            self._records[outwards.id] = outwards
            outwards = outwards.parent
        return None if scope is None else scope.id

    def dim(self, origin: Origin) -> Dim:
        """The expression of an origin over the symbols of the scopes that computed it."""
        pending = [origin]
        while pending:
            top = pending[-1]
            if id(top) in self._dims:
                pending.pop()
            elif isinstance(top, Parameter):
                self._parameters[Symbol(top.name, top.scope.id)] = top
                self._register(top.scope)
                self._dims[id(top)] = (top, symbolic.symbol(top.name, top.scope.id))
            else:
                sides = [side for side in (top.left, top.right) if not isinstance(side, int)]
                missing = [side for side in sides if id(side) not in self._dims]
                pending += missing
                if not missing:
                    self._dims[id(top)] = (top, self._computed(top))
        return self._dims[id(origin)][1]

    def _computed(self, operation: Operation) -> Dim:
        left = self._side(operation, operation.left, left=True)
        if operation.op == "neg":
            return -left
        right = self._side(operation, operation.right, left=False)
        return _OPERATORS[operation.op](left, right)  # type: ignore[no-any-return]

    def _side(self, operation: Operation, side: Origin | int, left: bool) -> Dim:
        if not isinstance(side, int):
            return self._dims[id(side)][1]
        written = source_literals.is_literal_operand(operation.instant, side, left)
        return symbolic.constant(side) if written else _unknown(side)

    def _outer(self, parameter: Parameter) -> Dim:
        """The value of a parameter as an expression over the symbols of the calling scope."""
        if parameter.outer is not None:
            return self.dim(parameter.outer)
        value, at, path = parameter.value, parameter.argument, parameter.path
        if at.default or source_literals.is_literal_argument(parameter.scope.frames, value, at, path):
            return symbolic.constant(value)
        return _unknown(value)

    def scopes(self) -> tuple[Scope, ...]:
        """The scopes of the layers and of comparisons of their symbols, with the symbols used."""
        bound: dict[Symbol, Dim] = {}
        everything = next((record.all for record in self._records.values()), [])
        facts = {record.id: self._facts(record) for record in everything if record.equal}
        chosen: dict[int, list[tuple[Dim, Dim]]] = {}
        pending = list(self._wanted)
        while pending:
            while pending:
                symbol = pending.pop()
                if symbol not in bound and not symbol.opaque:
                    bound[symbol] = self._outer(self._parameters[symbol])
                    pending += bound[symbol].symbols()
            for id, pairs in facts.items():
                chosen[id] = [pair for pair in pairs if self._involves(pair, bound)]
                pending += [s for pair in chosen[id] for s in _symbols(pair) if s not in bound and not s.opaque]
        return tuple(self._scope(self._records[id], bound, chosen.get(id, [])) for id in sorted(self._records))

    def _involves(self, pair: tuple[Dim, Dim], known: dict[Symbol, Dim]) -> bool:
        """Return whether a comparison may involve known symbols, directly or through the parameters bound to them."""
        pending = list(_symbols(pair))
        seen = set(pending)
        while pending:
            symbol = pending.pop()
            if symbol in known:
                return True
            if not symbol.opaque:
                found = self._outer(self._parameters[symbol]).symbols() - seen
                pending += found
                seen |= found
        return pair[0].is_unknown

    def _facts(self, record: ScopeRecord) -> list[tuple[Dim, Dim]]:
        """The comparisons of a scope that came out equal. An additional one can only suppress a finding."""
        found: dict[tuple[Dim, Dim], None] = {}
        for left, right in record.equal.values():
            other = symbolic.constant(right) if isinstance(right, int) else self.dim(right)
            found[self.dim(left), other] = None
        if record.overflowed:
            found[symbolic.UNKNOWN, symbolic.UNKNOWN] = None  # a comparison that was not kept may involve any symbol
        return list(found)

    def _scope(self, record: ScopeRecord, bound: dict[Symbol, Dim], facts: list[tuple[Dim, Dim]]) -> Scope:
        symbols = tuple(
            (p.name, p.value, symbolic.to_json(bound[Symbol(p.name, record.id)]))
            for p in record.parameters
            if Symbol(p.name, record.id) in bound
        )
        equal = tuple((symbolic.to_json(left), symbolic.to_json(right)) for left, right in facts)
        parent = None if record.parent is None else record.parent.id
        path = code_sites.report_path(record.path)
        arguments = listed(record.given, record.named)
        return Scope(record.id, record.kind, parent, symbols, equal, path, record.cls, arguments)


def _symbols(pair: tuple[Dim, Dim]) -> frozenset[Symbol]:
    return pair[0].symbols() | pair[1].symbols()


def _unknown(value: int) -> Dim:
    """An opaque symbol; equal values are the same one, so that rules rather miss a defect than report a wrong one."""
    name = str(value) if value.bit_length() < 64 else hex(value)  # str() has a limit
    return symbolic.symbol(name, opaque=True)


@cache
def _positions(init: Callable[..., None]) -> dict[str, int]:
    """Positions of the parameters of a torch constructor, without ``self``; empty for other constructors."""
    if init.__module__.split(".", 1)[0] != "torch":
        return {}
    return {name: number - 1 for number, name in enumerate(inspect.signature(init).parameters)}
