"""The constructor calls of a graph as a tree, and expressions in the symbols of an outer call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convlint import symbolic
from convlint.ir import Scope
from convlint.symbolic import Dim, Symbol


class Scopes:
    """Scopes by id, the values of their symbols, and the expressions that were passed for them."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self.by_id = {scope.id: scope for scope in scopes}
        self.values: dict[Symbol, int] = {}
        self._outer: dict[Symbol, Dim] = {}
        for scope in self.by_id.values():
            for name, value, outer in scope.symbols:
                symbol = Symbol(name, scope.id)
                self.values[symbol] = value
                self._outer[symbol] = symbolic.from_json(outer)

    def ancestors(self, id: int | None) -> Iterator[int]:
        """The id of a scope, of the scope that called it, and so on."""
        while id is not None and id in self.by_id:
            yield id
            id = self.by_id[id].parent

    def within(self, id: int | None, scope: int) -> bool:
        """Check whether a scope is ``scope`` or was called inside it."""
        return scope in self.ancestors(id)

    def innermost(self, ids: Iterable[int | None]) -> Scope | None:
        """The innermost scope that contains all of ``ids``, or None."""
        paths = [list(self.ancestors(id)) for id in ids]
        common = set[int].intersection(*map(set, paths)) if paths else set()
        return next((self.by_id[id] for id in paths[0] if id in common), None) if paths else None

    def expressed_in(self, dim: Dim, scope: int) -> Dim:
        """Write an expression in the symbols of ``scope`` and the scopes around it.

        Other symbols are replaced by the expressions that were passed for them; unknown if one is missing.
        """
        visible = set(self.ancestors(scope))
        while hidden := {symbol for symbol in dim.symbols() if not symbol.opaque and symbol.scope not in visible}:
            if not hidden <= self._outer.keys():
                return symbolic.UNKNOWN
            dim = dim.substitute({symbol: self._outer[symbol] for symbol in hidden})
        return dim

    def compared(self, scope: int) -> Iterator[tuple[Dim, Dim]]:
        """Pairs that comparisons in ``scope`` found equal, in its symbols."""
        for inner in self.by_id.values():
            if self.within(inner.id, scope):
                for left, right in inner.equal:
                    yield (
                        self.expressed_in(symbolic.from_json(left), scope),
                        self.expressed_in(symbolic.from_json(right), scope),
                    )
