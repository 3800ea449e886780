"""The steps of a recording as a ``torch.fx.Graph``."""

from __future__ import annotations

from typing import Any

from torch import fx

from convlint.runtime.record import operations
from convlint.runtime.record.steps import Step, Value


class Written:
    """A ``torch.fx.Graph`` and the step that each of its nodes came from.

    ``item_of`` nodes, which take one tensor out of a tuple, belong to no step. Parameters and
    buffers are ``get_attr`` nodes by their names, other tensors from outside by made-up ones.
    """

    def __init__(self, steps: list[Step], returned: list[Value]) -> None:
        self.graph = fx.Graph()
        self.steps: dict[fx.Node, Step] = {}
        self._nodes: dict[Step, fx.Node] = {}
        self._items: dict[tuple[Step, int], fx.Node] = {}
        for step in steps:
            node = self._written(step)
            self._nodes[step] = node
            self.steps[node] = step
        self.graph.output([self._node_of(value) for value in returned])
        self.graph.lint()

    def _written(self, step: Step) -> fx.Node:
        if step.kind == "input":
            return self.graph.placeholder(step.name)
        if step.kind in ("state", "constant"):
            return self.graph.create_node("get_attr", step.name)
        func = operations.unseen if step.kind == "unseen" else step.func
        assert func is not None
        kwargs = self._arguments(dict(step.kwargs))
        return self.graph.create_node("call_function", func, self._arguments(step.args), kwargs)

    def _node_of(self, value: Value) -> fx.Node:
        """The node that stands for a value."""
        node = self._nodes[value.step]
        if not value.step.several:
            return node
        key = (value.step, value.position)
        if key not in self._items:
            self._items[key] = self.graph.create_node(
                "call_function", operations.item_of, (node, value.position)
            )
        return self._items[key]

    def _arguments(self, value: Any) -> Any:
        if isinstance(value, Value):
            return self._node_of(value)
        kind = type(value)
        if kind is tuple or kind is list:
            return kind([self._arguments(item) for item in value])
        if kind is dict:
            return {key: self._arguments(item) for key, item in value.items()}
        return value
