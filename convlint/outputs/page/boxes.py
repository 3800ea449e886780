"""Boxes of the drawn graph: nested module calls, and the operator calls in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from convlint.ir import Call, Graph, Node
from convlint.support.dataclass import dataclass, field

_NOT_DRAWN = frozenset({"parameter", "constant"})


@dataclass(slots=True)
class Box:
    """A call of ``module`` with the boxes ``inside`` it, or of one operator; its nodes are ``start`` to ``stop``."""

    module: str
    start: int
    stop: int
    node: Node | None = None
    call: Call | None = None
    inside: list[Box] = field(default_factory=list)


def nested(graph: Graph) -> Box:
    """The whole forward as one box: the model's inputs, the boxes of its own call, and its output.

    A layer with a single call is drawn as that call. Consecutive boxes of one module list, which is never called
    itself, are grouped into a box for that list.
    """
    root = Box("", 0, len(graph.nodes))
    boxes = [box for call in graph.calls if call.layer and (box := _of_call(graph, call))]
    drawn = (node for node in graph.nodes if node.op not in _NOT_DRAWN)
    boxes += [Box(node.layer or node.module, node.id, node.id + 1, node) for node in drawn]
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
    """Return whether ``outer`` contains ``box``, which starts later; without nodes the paths decide."""
    if box.start == box.stop:
        return outer.stop >= box.start and box.module.startswith(f"{outer.module}.")
    return outer.stop > box.start


def _of_call(graph: Graph, call: Call) -> Box | None:
    """A box for a call in which operators ran, or that failed."""
    layer = graph.layer(call.layer)
    failure = graph.failure
    stopped = failure is not None and graph.layer(failure.module) is layer
    if call.start == call.stop and not stopped:
        return None
    return Box(call.layer, call.start, max(call.stop, call.start), call=call)


def _tidy(graph: Graph, box: Box) -> None:
    for part in box.inside:
        _tidy(graph, part)
    box.inside = [_single(part) for part in box.inside]
    box.inside = _listed(graph, box)


def _single(box: Box) -> Box:
    """The box of a layer's only call, if it made one call, else the layer's box."""
    if box.node is None and len(box.inside) == 1:
        only = box.inside[0]
        if only.node is not None and only.module == box.module:
            only.call = box.call
            return only
    return box


def _listed(graph: Graph, box: Box) -> list[Box]:
    """The parts of a box, with those of one module list grouped."""
    boxes: list[Box] = []
    for name, run in groupby(box.inside, lambda part: _list_around(graph, box.module, part.module)):
        parts = list(run)
        if name is None or len(parts) < 2 or len(parts) == len(box.inside):
            boxes += parts
            continue
        group = Box(name, parts[0].start, parts[-1].stop, inside=parts)
        group.inside = _listed(graph, group)
        boxes.append(group)
    return boxes


def _list_around(graph: Graph, outer: str, name: str) -> str | None:
    """The child module of ``outer`` that contains a part; None if the part is that module."""
    prefix = f"{outer}." if outer else ""
    if not name.startswith(prefix) or name == outer:
        return None
    first, dot, _ = name[len(prefix) :].partition(".")
    around = prefix + first
    return around if dot and graph.layer(around) is not None else None


def in_order(root: Box) -> Iterator[tuple[Box, int | None]]:
    """Every box after the one that contains it, with the position of that one."""
    pending: list[tuple[Box, int | None]] = [(root, None)]
    position = 0
    while pending:
        box, parent = pending.pop()
        yield box, parent
        pending += [(part, position) for part in reversed(box.inside)]
        position += 1
