"""Conflicts of a program, and the outcome of analyzing or running it: what fails, and what depends on that."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from convlint.analysis import graph_queries, merges, ops
from convlint.ir import Finding, Graph, Layer, Node, Site
from convlint.support.dataclass import dataclass

Place = tuple[str, int]
"""A file and a line."""
Operation = tuple[str, int, str]
"""A file, a line, and the layer or function that is called there: the same one after an edit of a number."""


@dataclass(frozen=True)
class Conflict:
    """An operation that PyTorch refuses, the finding that reports it, and the graph in which it is.

    ``node`` is the id of the failing call; None for a constructor that fails, whose ``layer`` is named if it is known.
    """

    finding: Finding
    graph: Graph
    node: int | None = None
    layer: str | None = None

    @cached_property
    def operation(self) -> Operation:
        if self.node is not None:
            return operation(self.graph.nodes[self.node], self.finding.site)
        layer = self.graph.layer(self.layer)
        return _operation(self.finding.site, self.finding.code) if layer is None else construction(layer)

    @property
    def place(self) -> Site | None:
        """The failing call."""
        return None if self.node is None else self.graph.nodes[self.node].site

    @property
    def frames(self) -> tuple[Site, ...]:
        """The failing call and the calls that built its layer, or the module around it; innermost first."""
        if self.node is None:
            return construction_frames(self.graph.layer(self.layer))
        return frames(self.graph, self.graph.nodes[self.node])

    @property
    def built_at(self) -> Place | None:
        """The line of the call that builds the layer that fails."""
        node = None if self.node is None else self.graph.nodes[self.node]
        layer = self.graph.layer(self.layer if node is None else node.layer)
        return None if layer is None or layer.site is None else (layer.site.path, layer.site.line)

    @property
    def is_merge(self) -> bool:
        """True if the failing call is a sum, a product or a concatenation."""
        return self.node is not None and self.graph.nodes[self.node].op in merges.MERGES

    @property
    def is_of_sizes(self) -> bool:
        """True if the operands of the failing call differ in the height, width, length or depth of their maps."""
        node = None if self.node is None else self.graph.nodes[self.node]
        return node is not None and self.is_merge and merges.differs_in_size(self.graph, node)

    @cached_property
    def readers(self) -> frozenset[Operation]:
        """The layers that read what a failing sum or concatenation returns: they fit one of its operands."""
        if not self.is_merge or self.node is None:
            return frozenset()
        failed = self.graph.nodes[self.node]
        tensors = {tensor.id for tensor in failed.outputs}
        found = set()
        for node in self.graph.nodes[failed.id + 1 :]:
            if not tensors.isdisjoint(node.inputs):
                if node.op in ops.CHANNEL_PRESERVING or node.op in ops.ELEMENTWISE:
                    tensors.update(tensor.id for tensor in node.outputs)
                else:
                    found.add(operation(node))
        return frozenset(found)

    def is_on(self, places: Collection[Place]) -> bool:
        """Return whether the finding, the failing call or a call that built its layer is on one of these lines."""
        sites = (*((self.finding.site,) if self.finding.site else ()), *self.frames)
        return any((site.path, site.line) in places for site in sites)


def frames(graph: Graph, node: Node) -> tuple[Site, ...]:
    """A call, and the calls that built its layer or the module around it."""
    own = () if node.site is None else (node.site,)
    return (*own, *construction_frames(graph.layer(node.layer if node.layer is not None else node.module)))


def construction_frames(layer: Layer | None) -> tuple[Site, ...]:
    """The calls that built a layer, innermost first; empty if they are not known."""
    return () if layer is None or layer.site is None else (layer.site, *layer.chain)


def operation(node: Node, default: Site | None = None) -> Operation:
    """The operation of a call; ``default`` is its place if it has none of its own."""
    return _operation(node.site or default, node.layer or node.op)


def construction(layer: Layer) -> Operation:
    """The operation that builds a layer."""
    return _operation(layer.site, layer.name)


def _operation(site: Site | None, name: str) -> Operation:
    return ("", 0, name) if site is None else (site.path, site.line, name)


@dataclass(frozen=True)
class Outcome:
    """The result of a trial: conflicts in the order of execution, and the lines of all operations that were reached.

    ``unknown`` are operations that ran after a failing one and may fail after it is repaired. A ``partial`` program
    ended at a conflict: what fails after it is unknown too, but for the operations that are known to be ``working``.
    """

    conflicts: tuple[Conflict, ...]
    reached: frozenset[Place] = frozenset()
    unknown: frozenset[Operation] = frozenset()
    working: frozenset[Operation] = frozenset()
    partial: bool = False

    @cached_property
    def failing(self) -> frozenset[Operation]:
        """All operations that fail."""
        return frozenset(conflict.operation for conflict in self.conflicts)

    @cached_property
    def count(self) -> int:
        """The number of operations that fail: one that fails in a class and in a model that contains it counts once."""
        of_place: dict[Place, list[str]] = {}
        for path, line, name in self.failing:
            of_place.setdefault((path, line), []).append(f".{name}")
        return sum(
            not any(other.endswith(name) for other in names if other != name)
            for names in of_place.values()
            for name in names
        )

    @cached_property
    def dependent(self) -> frozenset[Operation]:
        """The operations that read what a failing one returns: they work, or fail, by its numbers.

        The calls of a layer whose constructor fails are among them.
        """
        found: set[Operation] = set()
        for graph in {id(conflict.graph): conflict.graph for conflict in self.conflicts}.values():
            own = [conflict for conflict in self.conflicts if conflict.graph is graph]
            calls, refused = {each.node for each in own}, {each.layer for each in own if each.node is None}
            failed = [node for node in graph.nodes if node.id in calls or (node.layer and node.layer in refused)]
            tensors = graph_queries.downstream_tensors(graph, failed)
            found |= {operation(node) for node in graph.nodes if node in failed or not tensors.isdisjoint(node.inputs)}
        return frozenset(found)

    def may_fail(self, conflict: Conflict) -> bool:
        """Return whether the operation of a conflict fails, or is not known to work.

        What fails in a model fails in a class that it contains, which is not always reported as well.
        """
        operation = conflict.operation
        is_unknown = operation in self.unknown or (self.partial and operation not in self.working)
        return is_unknown or operation in self.failing or self._fails_elsewhere(conflict)

    def _fails_elsewhere(self, conflict: Conflict) -> bool:
        """Return whether the same layer of a larger program fails."""
        *_, name = conflict.operation
        built = conflict.built_at
        return built is not None and any(
            other.built_at == built and other.operation[2].endswith(f".{name}") for other in self.conflicts
        )
