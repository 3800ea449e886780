from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related
from convlint.rules.base import Rule

_MERGES = ops.ELEMENTWISE | {"cat", "stack", "matmul", "bmm"}


class MergeShapes(Rule):
    """Tensors are added, multiplied, concatenated or stacked whose shapes do not fit.

    ## Why is this bad?

    The forward raises. In a residual block it means that the branch changed the channels or the
    size of the map and the shortcut did not. In a decoder it mostly means that an odd size was
    halved and doubled again: 15 becomes 7 and then 14.

    Where the channels differ and the layers around tell which end is wrong, the finding stands at
    that layer; else it stands at the line that merges, and lists who made each tensor.

    ## What to do

    Give the shortcut a 1x1 convolution with the same channels and stride, or resize one map to the
    other: `F.interpolate(x, size=y.shape[-2:])`.
    """

    code = "CVL110"
    name = "merge-shapes"
    family = "invalid"
    severity = "error"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, _MERGES)
        told = {id for found in diagnosis.disagreements(graph) for id in found.nodes}
        merges = [n for n in graph.nodes if n.error is not None and n.op in _MERGES]
        below = graph_queries.downstream(graph, merges)
        for node in merges:
            if node.id in told or len(node.inputs) < 2 or not below.isdisjoint(node.inputs):
                continue
            shapes = [graph_queries.by(graph.tensor(id).shape) for id in node.inputs]
            after = [
                n.id
                for n in merges
                if not graph_queries.downstream(graph, [node]).isdisjoint(n.inputs)
            ]
            yield self.finding(
                f"{node.op} of {' and '.join(dict.fromkeys(shapes))}: {_why(graph, node)}",
                node.site,
                module=node.module or None,
                related=_producers(graph, node),
                nodes=(node.id, *[id for id in after if id not in told]),
            )


def _why(graph: Graph, node: Node) -> str:
    """Which sizes differ."""
    shapes = [graph.tensor(id).shape for id in node.inputs]
    if len({len(shape) for shape in shapes}) > 1 and node.op in ("cat", "stack"):
        return "they have different numbers of dimensions"
    if node.op in ("matmul", "bmm"):
        return str(node.error)
    along = node.attrs.get("dim", 0) if node.op == "cat" else None
    rank = max(len(shape) for shape in shapes)
    differing = []
    for dim in range(-rank, 0):
        sizes = {shape[dim] for shape in shapes if -dim <= len(shape)}
        if node.op in ops.ELEMENTWISE:
            sizes.discard(1)  # stretched
        if len(sizes) > 1 and (along is None or dim + rank != along % rank):
            differing.append(f"{min(sizes)} and {max(sizes)} in dimension {dim + rank}")
    return f"they differ, {', '.join(differing)}" if differing else str(node.error)


def _producers(graph: Graph, node: Node) -> tuple[Related, ...]:
    found = []
    for id in dict.fromkeys(node.inputs):
        maker = graph.producer(id)
        while maker is not None and maker.layer is None and len(maker.inputs) == 1:
            maker = graph.producer(maker.inputs[0])
        where = None if maker is None else graph.where(maker)
        if maker is not None and where is not None:
            shape = graph_queries.by(graph.tensor(id).shape)
            found.append(Related(f"{graph_queries.called(graph, maker)} makes the {shape}", where))
    return tuple(found)
