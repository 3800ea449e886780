"""The constructor calls of a graph as a tree, and expressions carried outwards in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convlint import symbolic
from convlint.ir import Scope
from convlint.symbolic import Dim, Symbol


class Scopes:
    """Every scope by its id, with what its symbols are worth and what was passed for them."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self.by_id = {scope.id: scope for scope in scopes}
        self.values: dict[Symbol, int] = {}
        self._outer: dict[Symbol, Dim] = {}
        for scope in self.by_id.values():
            for name, value, outer in scope.symbols:
                symbol = Symbol(name, scope.id)
                self.values[symbol] = value
                self._outer[symbol] = symbolic.from_json(outer)

    def outwards(self, id: int | None) -> Iterator[int]:
        """A scope, the one that it was called in, and so on."""
        while id is not None and id in self.by_id:
            yield id
            id = self.by_id[id].parent

    def within(self, id: int | None, scope: int) -> bool:
        """Whether a scope is ``scope``, or was called in it."""
        return scope in self.outwards(id)

    def innermost(self, ids: Iterable[int | None]) -> Scope | None:
        """The innermost scope that all of ``ids`` are within; None if there is none."""
        paths = [list(self.outwards(id)) for id in ids]
        common = set[int].intersection(*map(set, paths)) if paths else set()
        return next((self.by_id[id] for id in paths[0] if id in common), None) if paths else None

    def lifted(self, dim: Dim, scope: int) -> Dim:
        """An expression over the symbols of ``scope`` and of those around it: any other symbol is
        replaced by what was passed for it. Unknown if that cannot be told.
        """
        visible = set(self.outwards(scope))
        while hidden := {
            symbol for symbol in dim.symbols() if not symbol.opaque and symbol.scope not in visible
        }:
            if not hidden <= self._outer.keys():
                return symbolic.UNKNOWN
            dim = dim.substitute({symbol: self._outer[symbol] for symbol in hidden})
        return dim

    def compared(self, scope: int) -> Iterator[tuple[Dim, Dim]]:
        """What was compared and found equal while ``scope`` ran, over its symbols."""
        for inner in self.by_id.values():
            if self.within(inner.id, scope):
                for left, right in inner.equal:
                    yield (
                        self.lifted(symbolic.from_json(left), scope),
                        self.lifted(symbolic.from_json(right), scope),
                    )
