"""Reachability in a directed graph that is explored on demand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Reachability(Generic[K]):
    """A predicate: a node leads to one with a property. Each node and edge is examined once, in cycles as well."""

    def __init__(self, successors: Callable[[K], Iterable[K]], holds: Callable[[K], bool]) -> None:
        self._successors = successors
        self._holds = holds
        self._decided: dict[K, bool] = {}

    def __call__(self, start: K) -> bool:
        if start not in self._decided:
            self._explore(start)
        return self._decided[start]

    def clear(self) -> None:
        """Forget all results: the graph has changed."""
        self._decided.clear()

    def _explore(self, start: K) -> None:
        predecessors: dict[K, list[K]] = {start: []}
        true: list[K] = []
        pending = [start]
        while pending:
            node = pending.pop()
            if self._holds(node):
                true.append(node)
            for successor in self._successors(node):
                if successor in self._decided:
                    if self._decided[successor]:
                        true.append(node)
                elif successor in predecessors:
                    predecessors[successor].append(node)
                else:
                    predecessors[successor] = [node]
                    pending.append(successor)
        while true:
            node = true.pop()
            if not self._decided.get(node):
                self._decided[node] = True
                true += predecessors[node]
        for node in predecessors:
            self._decided.setdefault(node, False)
