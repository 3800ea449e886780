"""Numbers of layers that have to be equal where their tensors meet, and whether they can differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from convlint import symbolic as dims
from convlint.analysis.contracts.requirements import Checked, Requirements
from convlint.analysis.contracts.scopes import Scopes
from convlint.ir import Call, Graph, Layer, Node, Scope, Shape
from convlint.support.dataclass import dataclass
from convlint.symbolic import Dim, Facts, Symbol

_DIVISIBLE = 2**8 * 3**2 * 5 * 7  # by all usual factors
_MAX_FACTS = 200  # of one class; with more, nothing is reported

Wrong = Callable[[tuple[int, ...]], bool]


def differ(numbers: tuple[int, ...]) -> bool:
    """Check whether numbers are not all equal."""
    return len(set(numbers)) > 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Numbers of layers as expressions over the parameters of one constructor, and what that requires of them.

    ``inputs`` are the symbol for the channels, and the shape, of each tensor that the class was called with; empty if
    no call was recorded. ``target`` is the model that was run.
    """

    scope: Scope
    dims: tuple[Dim, ...]
    facts: Facts
    values: Mapping[Symbol, int]
    inputs: tuple[tuple[Symbol, Shape], ...] = ()
    target: str | None = None

    @property
    def kind(self) -> str:
        return _name(self.scope)

    @property
    def current(self) -> tuple[int, ...]:
        """The numbers in the model that was built."""
        return tuple(dim.evaluate(self.values) for dim in self.dims)

    @property
    def equal_in_run(self) -> str:
        """The part of a message about the numbers in the model that was run; empty for static analysis."""
        return f"both are {self.current[0]} here, but " if self.target is not None else ""

    @property
    def differ_by_rounding(self) -> bool:
        """True for numbers that are equal where no division leaves a remainder: ``2 * (width // 2)`` and ``width``."""
        symbols = sorted({symbol for dim in self.dims for symbol in dim.symbols()}, key=str)
        for shift in (1, 2):
            values = {symbol: _DIVISIBLE * (at + shift) for at, symbol in enumerate(symbols)}
            try:
                if differ(tuple([dim.evaluate(values) for dim in self.dims])):
                    return False
            except (KeyError, ValueError, ZeroDivisionError):
                return False
        return True

    def can_be(self, wrong: Wrong) -> bool:
        """Check whether the numbers are wrong for other parameters that the class accepts."""
        return any(map(wrong, self._others()))

    def _others(self) -> Iterator[tuple[int, ...]]:
        """The numbers for other parameters; empty where a comparison in the class fixes one of the numbers."""
        for dim in self.dims:
            reduced = self.facts.reduce(dim)
            if not reduced.determined or (reduced.value is not None and dim.value is None):
                return
        for values in self.facts.instances(self.dims, self.values):
            with suppress(ZeroDivisionError):
                yield tuple(dim.evaluate(values) for dim in self.dims)


class Comparisons:
    """Comparisons of numbers of a graph's layers that could be wrong for other arguments."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._scopes = Scopes(graph.scopes)
        self._requirements: dict[tuple[int, int, int], Requirements] = {}
        self._known: dict[object, Comparison | None] = {}

    def of(
        self, numbers: Sequence[tuple[Layer, str]], nodes: Sequence[Node], wrong: Wrong = differ
    ) -> Comparison | None:
        """Compare ``numbers``, each a layer and an attribute.

        The comparison is made in the innermost constructor whose parameters express them all. ``nodes`` are the calls
        in which they have to fit. If groups are among the numbers, the requirement of their convolution on its output
        channels is not assumed.

        Returns None if the expression of a number is unknown, if all are one expression, if a requirement of the
        constructor is unknown, and if no parameters that it accepts make the numbers ``wrong``.
        """
        scopes = self._scopes
        exprs = [dims.from_json(layer.exprs.get(name)) for layer, name in numbers]
        if not all(expr.determined for expr in exprs):
            return None
        scope_ids = [layer.scope for layer, _ in numbers]
        scope = scopes.innermost([*scope_ids, *(s.scope for e in exprs for s in e.symbols())])
        if scope is None:
            return None
        expressed = tuple([scopes.expressed_in(expr, scope.id) for expr in exprs])
        checked = next(((layer.name, name) for layer, name in numbers if name == "groups"), None)
        return self._comparison(scope, expressed, nodes, checked, wrong)

    def with_input(self, node: Node, layer: Layer, name: str) -> Comparison | None:
        """Compare a number of ``layer`` with the input channels of its call ``node``.

        The comparison is made in the innermost constructor whose parameters express those channels; the layer's own
        requirement on them is not assumed. Returns None as ``of`` does, and if the input comes from outside.
        """
        expected = dims.from_json(layer.exprs.get(name))
        for id in self._scopes.ancestors(layer.scope) if expected.determined else ():
            scope = self._scopes.by_id[id]
            number = self._scopes.expressed_in(expected, id)
            channels = self._requirements_of(scope, *self._run(scope, (node,))[0]).channels(node.inputs[0])
            if not number.determined or not channels.determined:
                return None
            if Requirements.only_of_parameters(channels):
                return self._comparison(scope, (number, channels), (node,), (layer.name, "channels"), differ)
        return None

    def _comparison(
        self, scope: Scope, dims: tuple[Dim, ...], nodes: Sequence[Node], checked: Checked | None, wrong: Wrong
    ) -> Comparison | None:
        """The comparison, if it can be wrong; the same for a class that is called again in the same way."""
        if not all(dim.determined for dim in dims) or all(dim == dims[0] for dim in dims):
            return None
        layers = [self._graph.layer(node.layer) for node in nodes]
        key = (
            *(scope.kind, scope.path, scope.cls, scope.arguments, tuple(map(str, dims)), wrong),
            *((name, value) for name, value, _ in scope.symbols),
            *(layer.site for layer in layers if layer is not None),
        )
        if key not in self._known:
            comparison = self._new_comparison(scope, dims, nodes, checked, wrong)
            self._known[key] = comparison if comparison is not None and comparison.can_be(wrong) else None
        return self._known[key]

    def _new_comparison(
        self, scope: Scope, dims: tuple[Dim, ...], nodes: Sequence[Node], checked: Checked | None, wrong: Wrong
    ) -> Comparison | None:
        scopes = self._scopes
        compared = list(scopes.compared(scope.id))
        if any(left.is_unknown or right.is_unknown for left, right in compared):
            return None
        run, call = self._run(scope, nodes)
        requirements = self._requirements_of(scope, *run)
        equalities = set(_about(dims, [*compared, *requirements.pairs(checked)]))
        if len(equalities) > _MAX_FACTS or (wrong is differ and _are_equal(dims, equalities)):
            return None
        opaque = {s for pair in equalities for dim in pair for s in dim.symbols() if s.opaque}
        values = scopes.values | requirements.values | {symbol: int(symbol.name) for symbol in opaque}
        facts = Facts(sorted(equalities, key=lambda pair: (pair[0].key, pair[1].key)))
        return Comparison(scope, dims, facts, values, self._inputs(call), self._graph.target)

    def _run(self, scope: Scope, nodes: Sequence[Node]) -> tuple[tuple[int, int], Call | None]:
        """The range of calls inside the module that ``scope`` built, and the call of that very class.

        All calls if ``nodes`` do not identify the module.
        """
        graph, scopes = self._graph, self._scopes
        kinds = {_name(scopes.by_id[id]) for id in scopes.ancestors(scope.id)}
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

    def _requirements_of(self, scope: Scope, start: int, stop: int) -> Requirements:
        key = (scope.id, start, stop)
        if key not in self._requirements:
            self._requirements[key] = Requirements(self._graph, self._scopes, scope.id, self._graph.nodes[start:stop])
        return self._requirements[key]

    def _inputs(self, call: Call | None) -> tuple[tuple[Symbol, Shape], ...]:
        ids = call.inputs if call else ()
        return tuple([(Requirements.tensor_symbol(id), self._graph.tensor(id).shape) for id in ids])


def _about(dims: Sequence[Dim], pairs: Sequence[tuple[Dim, Dim]]) -> Iterator[tuple[Dim, Dim]]:
    """The equalities about the symbols in ``dims``, and about symbols that these are related to."""
    known = {symbol for dim in dims for symbol in dim.symbols() if not symbol.opaque}
    pending = [(pair, pair[0].symbols() | pair[1].symbols()) for pair in set(pairs)]
    while connected := [item for item in pending if item[1] & known]:
        pending = [item for item in pending if not item[1] & known]
        for pair, symbols in connected:
            known |= {symbol for symbol in symbols if not symbol.opaque}
            if pair[0] != pair[1]:
                yield pair


def _are_equal(dims: Sequence[Dim], pairs: Iterable[tuple[Dim, Dim]]) -> bool:
    """Check whether a chain of equalities connects all expressions, which settles most contracts."""
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


def _name(scope: Scope) -> str:
    return scope.kind.rsplit(".", 1)[-1]
