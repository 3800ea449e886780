"""Where two numbers of a class meet, and whether they could be different there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from convlint import dims
from convlint.dims import Dim, Facts, Symbol
from convlint.latent.demands import Demands
from convlint.latent.scopes import Scopes
from convlint.model import Graph, Layer, Node, Scope

_MOST_FACTS = 200  # more than that of one class are not looked through: nothing is said then


@dataclass(frozen=True, slots=True)
class Meeting:
    """Numbers of layers as expressions over one constructor's parameters, what that constructor
    asks of those, and other parameters that would do.
    """

    scope: Scope
    dims: tuple[Dim, ...]
    facts: Facts
    values: Mapping[Symbol, int]

    @property
    def kind(self) -> str:
        """The class whose constructor it is."""
        return _name(self.scope)

    @property
    def now(self) -> tuple[int, ...]:
        """What the numbers are in the model that was built."""
        return tuple(dim.evaluate(self.values) for dim in self.dims)

    def others(self) -> Iterator[tuple[int, ...]]:
        """What the numbers would be for other parameters that the class accepts.

        Nothing where a number is pinned to what the class compared it with: too little is free.
        """
        for dim in self.dims:
            reduced = self.facts.reduce(dim)
            if not reduced.determined or (reduced.value is not None and dim.value is None):
                return
        for values in self.facts.instances(self.dims, self.values):
            with suppress(ZeroDivisionError):
                yield tuple(dim.evaluate(values) for dim in self.dims)


class Meetings:
    """Finds where numbers of a graph's layers meet."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._scopes = Scopes(graph.scopes)

    def of(self, numbers: Sequence[tuple[Layer, str]], nodes: Sequence[Node]) -> Meeting | None:
        """The meeting of ``numbers`` (a layer and an attribute) in the innermost constructor in whose
        parameters all can be written; ``nodes`` are the calls that they meet in.

        None where a number was lost on the way, where they are one expression, and where not all
        that the constructor asks can be told. What a convolution asks of its output channels is no
        fact where its groups are among the numbers.
        """
        scopes = self._scopes
        exprs = [dims.from_json(layer.exprs.get(name)) for layer, name in numbers]
        if not all(expr.determined for expr in exprs):
            return None
        standing = [layer.scope for layer, _ in numbers]
        scope = scopes.innermost([*standing, *(s.scope for e in exprs for s in e.symbols())])
        if scope is None:
            return None
        lifted = tuple([scopes.lifted(expr, scope.id) for expr in exprs])
        if not all(dim.determined for dim in lifted) or all(dim == lifted[0] for dim in lifted):
            return None
        compared = list(scopes.compared(scope.id))
        if any(left.is_unknown or right.is_unknown for left, right in compared):
            return None
        judged = next((layer.name for layer, name in numbers if name == "groups"), None)
        inside = _inside(self._graph, scopes, scope, nodes)
        demands = Demands(self._graph, scopes, scope.id, inside, judged)
        told = {pair for pair in (*compared, *demands.pairs) if pair[0] != pair[1]}
        if len(told) > _MOST_FACTS:
            return None
        lost = {s for pair in told for dim in pair for s in dim.symbols() if s.opaque}
        values = scopes.values | demands.values | {symbol: int(symbol.name) for symbol in lost}
        return Meeting(scope, lifted, Facts(sorted(told, key=_order)), values)


def _order(pair: tuple[Dim, Dim]) -> tuple[str, str]:
    return pair[0].key, pair[1].key


def _inside(graph: Graph, scopes: Scopes, scope: Scope, nodes: Sequence[Node]) -> Sequence[Node]:
    """The calls made by the module that ``scope`` built, as far as ``nodes`` tell which it is;
    otherwise all calls.
    """
    kinds = {_name(scopes.by_id[id]) for id in scopes.outwards(scope.id)}
    first, last = min(node.id for node in nodes), max(node.id for node in nodes)
    runs = [
        (call.start, call.stop)
        for call in graph.calls
        if call.start <= first and last < call.stop
        if (layer := graph.layer(call.layer)) is not None and layer.kind in kinds
    ]
    start, stop = min(runs, key=lambda run: run[1] - run[0], default=(0, len(graph.nodes)))
    return graph.nodes[start:stop]


def _name(scope: Scope) -> str:
    return scope.kind.rsplit(".", 1)[-1]
