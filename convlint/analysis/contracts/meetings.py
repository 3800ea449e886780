"""Where two numbers of a class meet, and whether they could be different there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from convlint import symbolic as dims
from convlint.analysis.contracts.demands import Demands, Judged
from convlint.analysis.contracts.scopes import Scopes
from convlint.ir import Call, Graph, Layer, Node, Scope, Shape
from convlint.symbolic import Dim, Facts, Symbol

_MOST_FACTS = 200  # more than that of one class are not looked through: nothing is said then


Wrong = Callable[[tuple[int, ...]], bool]


def differ(numbers: tuple[int, ...]) -> bool:
    """Whether numbers are not all the same."""
    return len(set(numbers)) > 1


@dataclass(frozen=True, slots=True)
class Meeting:
    """Numbers of layers as expressions over one constructor's parameters, what that constructor
    asks of those, and other parameters that would do.

    ``inputs`` are the tensors that the class was called with: the symbol that stands for the channels
    of each, and its shape; none where no call of it was seen. ``target`` is what was run.
    """

    scope: Scope
    dims: tuple[Dim, ...]
    facts: Facts
    values: Mapping[Symbol, int]
    inputs: tuple[tuple[Symbol, Shape], ...] = ()
    target: str | None = None

    @property
    def kind(self) -> str:
        """The class whose constructor it is."""
        return _name(self.scope)

    @property
    def now(self) -> tuple[int, ...]:
        """What the numbers are in the model that was built."""
        return tuple(dim.evaluate(self.values) for dim in self.dims)

    @property
    def equal_today(self) -> str:
        """The part of a message about the equal numbers in the model that was run; empty without a run."""
        return f"both are {self.now[0]} here, but " if self.target is not None else ""

    def may_be(self, wrong: Wrong) -> bool:
        """Whether the numbers would be wrong for other parameters that the class accepts."""
        return any(map(wrong, self._others()))

    def _others(self) -> Iterator[tuple[int, ...]]:
        """What the numbers would be for other parameters.

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
    """Finds where numbers of a graph's layers meet, and could be wrong for each other."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._scopes = Scopes(graph.scopes)
        self._demands: dict[tuple[int, int, int], Demands] = {}
        self._known: dict[object, Meeting | None] = {}

    def of(
        self, numbers: Sequence[tuple[Layer, str]], nodes: Sequence[Node], wrong: Wrong = differ
    ) -> Meeting | None:
        """The meeting of ``numbers`` (a layer and an attribute) in the innermost constructor in whose
        parameters all can be written; ``nodes`` are the calls that they meet in.

        None where a number was lost on the way, where they are one expression, where not all that
        the constructor asks can be told, and where no parameters that it accepts make them ``wrong``.
        What a convolution asks of its output channels is no fact where its groups are among the
        numbers.
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
        judged = next(((layer.name, name) for layer, name in numbers if name == "groups"), None)
        return self._met(scope, lifted, nodes, judged, wrong)

    def arriving(self, node: Node, layer: Layer, name: str) -> Meeting | None:
        """The meeting of a number of ``layer`` with the channels that arrive at its call ``node``, in
        the innermost constructor in whose parameters those can be written.

        What the layer asks of what arrives is no fact then. None as for ``of``, and where what arrives
        comes from outside of the model.
        """
        asked = dims.from_json(layer.exprs.get(name))
        for id in self._scopes.outwards(layer.scope) if asked.determined else ():
            scope = self._scopes.by_id[id]
            lifted = self._scopes.lifted(asked, id)
            given = self._demands_of(scope, *self._run(scope, (node,))[0]).channels(node.inputs[0])
            if not lifted.determined or not given.determined:
                return None
            if Demands.are_told(given):
                return self._met(scope, (lifted, given), (node,), (layer.name, "channels"), differ)
        return None

    def _met(
        self,
        scope: Scope,
        dims: tuple[Dim, ...],
        nodes: Sequence[Node],
        judged: Judged | None,
        wrong: Wrong,
    ) -> Meeting | None:
        """The meeting, if it may be wrong. A class that was called again in the same way has the same."""
        if not all(dim.determined for dim in dims) or all(dim == dims[0] for dim in dims):
            return None
        layers = [self._graph.layer(node.layer) for node in nodes]
        key = (
            *(scope.kind, scope.path, scope.cls, scope.arguments, tuple(map(str, dims)), wrong),
            *((name, value) for name, value, _ in scope.symbols),
            *(layer.site for layer in layers if layer is not None),
        )
        if key not in self._known:
            meeting = self._worked_out(scope, dims, nodes, judged, wrong)
            self._known[key] = meeting if meeting is not None and meeting.may_be(wrong) else None
        return self._known[key]

    def _worked_out(
        self,
        scope: Scope,
        dims: tuple[Dim, ...],
        nodes: Sequence[Node],
        judged: Judged | None,
        wrong: Wrong,
    ) -> Meeting | None:
        scopes = self._scopes
        compared = list(scopes.compared(scope.id))
        if any(left.is_unknown or right.is_unknown for left, right in compared):
            return None
        run, call = self._run(scope, nodes)
        demands = self._demands_of(scope, *run)
        told = set(_about(dims, [*compared, *demands.pairs(judged)]))
        if len(told) > _MOST_FACTS or (wrong is differ and _are_one(dims, told)):
            return None
        lost = {s for pair in told for dim in pair for s in dim.symbols() if s.opaque}
        values = scopes.values | demands.values | {symbol: int(symbol.name) for symbol in lost}
        facts = Facts(sorted(told, key=_order))
        return Meeting(scope, dims, facts, values, self._inputs(call), self._graph.target)

    def _run(self, scope: Scope, nodes: Sequence[Node]) -> tuple[tuple[int, int], Call | None]:
        """The run of calls made by the module that ``scope`` built, as far as ``nodes`` tell which it
        is, otherwise all; and the call of that very class.
        """
        graph, scopes = self._graph, self._scopes
        kinds = {_name(scopes.by_id[id]) for id in scopes.outwards(scope.id)}
        kinds |= {scope.cls.rsplit(".", 1)[-1]}
        first, last = min(node.id for node in nodes), max(node.id for node in nodes)
        around = [
            (call.stop - call.start, call, layer.kind)
            for call in graph.calls
            if call.start <= first and last < call.stop
            if (layer := graph.layer(call.layer)) is not None and layer.kind in kinds
        ]
        if not around:
            return (0, len(graph.nodes)), None
        _, call, kind = min(around, key=lambda item: item[0])
        own = kind in (_name(scope), scope.cls.rsplit(".", 1)[-1])
        return (call.start, call.stop), call if own else None

    def _demands_of(self, scope: Scope, start: int, stop: int) -> Demands:
        key = (scope.id, start, stop)
        if key not in self._demands:
            inside = self._graph.nodes[start:stop]
            self._demands[key] = Demands(self._graph, self._scopes, scope.id, inside)
        return self._demands[key]

    def _inputs(self, call: Call | None) -> tuple[tuple[Symbol, Shape], ...]:
        ids = call.inputs if call else ()
        return tuple([(Demands.of_tensor(id), self._graph.tensor(id).shape) for id in ids])


def _about(dims: Sequence[Dim], pairs: Sequence[tuple[Dim, Dim]]) -> Iterator[tuple[Dim, Dim]]:
    """The equalities that say anything of the symbols in ``dims``, or of those that these are tied to."""
    known = {symbol for dim in dims for symbol in dim.symbols() if not symbol.opaque}
    pending = [(pair, pair[0].symbols() | pair[1].symbols()) for pair in set(pairs)]
    while found := [item for item in pending if item[1] & known]:
        pending = [item for item in pending if not item[1] & known]
        for pair, symbols in found:
            known |= {symbol for symbol in symbols if not symbol.opaque}
            if pair[0] != pair[1]:
                yield pair


def _are_one(dims: Sequence[Dim], pairs: Iterable[tuple[Dim, Dim]]) -> bool:
    """Whether a chain of equalities leads from each to the next: most contracts are as plain as that."""
    neighbours: dict[str, set[str]] = {}
    for left, right in (pair for pair in pairs if not (pair[0].is_unknown or pair[1].is_unknown)):
        neighbours.setdefault(left.key, set()).add(right.key)
        neighbours.setdefault(right.key, set()).add(left.key)
    reached, pending = {dims[0].key}, [dims[0].key]
    while pending:
        further = neighbours.get(pending.pop(), set()) - reached
        reached |= further
        pending += further
    return all(dim.key in reached for dim in dims)


def _order(pair: tuple[Dim, Dim]) -> tuple[str, str]:
    return pair[0].key, pair[1].key


def _name(scope: Scope) -> str:
    return scope.kind.rsplit(".", 1)[-1]
