"""The boxes of the drawn graph: calls of modules, one in another, and the single calls inside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from convlint.ir import Call, Graph, Node


@dataclass(slots=True)
class Box:
    """A call of a module with what ran ``inside`` it, or one call that made tensors (``node``).

    ``module`` is the path of the module that it is drawn for, ``start`` the first node that it covers.
    """

    module: str
    start: int
    stop: int
    node: Node | None = None
    call: Call | None = None
    inside: list[Box] = field(default_factory=list)


def nested(graph: Graph) -> Box:
    """The whole forward as one box. Its inputs, the contents of the model's own call, and its output lie side by side.

    A layer that made one call is drawn as that call. Neighbours that lie in one list of modules, which is never
    called itself, are put into a box for that list.
    """
    root = Box("", 0, len(graph.nodes))
    boxes = [box for call in graph.calls if call.layer and (box := _of_call(graph, call))]
    boxes += [_of_node(node) for node in graph.nodes if node.op not in _NOT_DRAWN]
    around = [root]
    for box in sorted(boxes, key=lambda box: (box.start, -box.stop, box.node is not None)):
        while len(around) > 1 and not _holds(around[-1], box):
            around.pop()
        around[-1].inside.append(box)
        if box.node is None:
            around.append(box)
    _tidy(graph, root)
    return root


def _holds(outer: Box, box: Box) -> bool:
    """Whether a box that starts later lies in an outer one. In one that stopped nothing ran: its path tells."""
    if box.start == box.stop:
        return outer.stop >= box.start and box.module.startswith(f"{outer.module}.")
    return outer.stop > box.start


_NOT_DRAWN = frozenset({"parameter", "constant"})


def _of_call(graph: Graph, call: Call) -> Box | None:
    """A box for a call in which something ran, or should have run."""
    layer = graph.layer(call.layer)
    failure = graph.failure
    stopped = failure is not None and graph.layer(failure.module) is layer
    if call.start == call.stop and not stopped:
        return None
    return Box(call.layer, call.start, max(call.stop, call.start), call=call)


def _of_node(node: Node) -> Box:
    return Box(node.layer or node.module, node.id, node.id + 1, node)


def _tidy(graph: Graph, box: Box) -> None:
    for part in box.inside:
        _tidy(graph, part)
    box.inside = [_single(part) for part in box.inside]
    box.inside = _listed(graph, box)


def _single(box: Box) -> Box:
    """The one call that a layer made in the place of the layer's box."""
    if box.node is None and len(box.inside) == 1:
        only = box.inside[0]
        if only.node is not None and only.module == box.module:
            only.call = box.call
            return only
    return box


def _listed(graph: Graph, box: Box) -> list[Box]:
    """The parts of a box, with those that lie in one list of modules put together."""
    found: list[Box] = []
    for name, run in groupby(box.inside, lambda part: _list_around(graph, box.module, part.module)):
        parts = list(run)
        if name is None or len(parts) < 2 or len(parts) == len(box.inside):
            found += parts
            continue
        group = Box(name, parts[0].start, parts[-1].stop, inside=parts)
        group.inside = _listed(graph, group)
        found.append(group)
    return found


def _list_around(graph: Graph, outer: str, name: str) -> str | None:
    """The module right below ``outer`` that a part lies in; None where the part is that module."""
    prefix = f"{outer}." if outer else ""
    if not name.startswith(prefix) or name == outer:
        return None
    first, dot, _ = name[len(prefix) :].partition(".")
    around = prefix + first
    return around if dot and graph.layer(around) is not None else None


def in_order(root: Box) -> Iterator[tuple[Box, int | None]]:
    """Every box behind the one around it, with the position of that one."""
    pending: list[tuple[Box, int | None]] = [(root, None)]
    position = 0
    while pending:
        box, parent = pending.pop()
        yield box, parent
        pending += [(part, position) for part in reversed(box.inside)]
        position += 1
