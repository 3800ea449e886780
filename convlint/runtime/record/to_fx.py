"""The steps of a recording as a ``torch.fx.Graph``."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from convlint.runtime import code_sites
from convlint.runtime.record import operations
from convlint.runtime.record.steps import Step, Value
from convlint.source_text.site import Site


class FxGraph:
    """Writes a ``torch.fx.Graph``.

    ``item_of`` nodes take one tensor out of a tuple. Parameters and buffers are ``get_attr`` nodes with their names as
    targets; tensors that belong to no module are called ``_constant_0`` and so on. See ``convlint.trace`` for
    ``node.meta``.
    """

    def __init__(self, steps: list[Step], result: Any, returned: list[Value]) -> None:
        self.graph = fx.Graph()
        self._nodes: dict[Step, fx.Node] = {}
        self._items: dict[tuple[Step, int], fx.Node] = {}
        for step in steps:
            self._nodes[step] = self._create_node(step)
        output = self.graph.output(self._arguments(result))
        tensors = [value.step.outputs[value.position] for value in returned]
        output.meta = _meta(tensors, several=not isinstance(result, Value))

    def _create_node(self, step: Step) -> fx.Node:
        module = step.module
        if step.kind == "input":
            node = self.graph.placeholder(step.name)
        elif step.kind in ("state", "constant"):
            node = self.graph.create_node("get_attr", step.name)
            module = step.name.rpartition(".")[0]
        else:
            func = operations.unseen if step.kind == "unseen" else step.func
            assert func is not None
            arguments, keywords = self._arguments(step.args), self._arguments(dict(step.kwargs))
            node = self.graph.create_node("call_function", func)
            node.args = arguments  # afterwards, because create_node looks for symbolic numbers in them
            if keywords:
                node.kwargs = keywords
        site = None if step.frame is None else code_sites.site_of(step.frame)
        node.meta = _meta(step.outputs, step.several, module, site)
        return node

    def _node_of(self, value: Value) -> fx.Node:
        """The node that stands for a tensor."""
        node = self._nodes[value.step]
        if not value.step.several:
            return node
        key = (value.step, value.position)
        if key not in self._items:
            item = self.graph.create_node("call_function", operations.item_of, (node, value.position))
            item.meta = node.meta | _meta([value.step.outputs[value.position]], several=False)
            self._items[key] = item
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


def _meta(
    tensors: list[tuple[torch.Size, torch.dtype]], several: bool, module: str = "", site: Site | None = None
) -> dict[str, object]:
    shapes = [tuple(shape) for shape, _ in tensors]
    dtypes = [dtype for _, dtype in tensors]
    return {
        "shape": tuple(shapes) if several else shapes[0],
        "dtype": tuple(dtypes) if several else dtypes[0],
        "module": module,
        "site": site,
    }
