from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related
from convlint.rules.base import Rule, related_to

_MERGES = ops.ELEMENTWISE | {"cat", "stack", "matmul", "bmm"}
_VERBS = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "cat": "concatenate", "stack": "stack"}
_VERBS |= dict.fromkeys(("matmul", "bmm"), "matrix-multiply")


class MergeShapes(Rule):
    """Tensors of incompatible shapes are added, multiplied, concatenated or stacked.

    ## Why is this bad?

    The forward raises an error. In a residual block it means that the branch changed the channels or the size of
    the map and the shortcut did not. In a decoder it usually means that an odd size was halved and doubled: 15
    becomes 7 and then 14.

    If the channels differ and other layers show which side is wrong, the finding is reported at that layer.
    Otherwise it is reported at the line that merges the tensors, with the layers that output them.

    ## Use instead

    A 1x1 convolution with the same channels and stride as shortcut, or a map resized to the other:
    `F.interpolate(x, size=y.shape[-2:])`.
    """

    code = "CVL110"
    name = "merge-shapes"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, _MERGES)
        reported = {id for cause in diagnosis.disagreements(graph) for id in cause.nodes}
        merges = [n for n in graph.nodes if n.error is not None and n.op in _MERGES]
        below = graph_queries.downstream_tensors(graph, merges)
        for node in merges:
            if node.id in reported or len(node.inputs) < 2 or not below.isdisjoint(node.inputs):
                continue
            shapes = [graph_queries.sizes(graph.tensor(id).shape) for id in node.inputs]
            after = [n.id for n in merges if not graph_queries.downstream_tensors(graph, [node]).isdisjoint(n.inputs)]
            yield self.finding(
                f"cannot {_VERBS.get(node.op, f'apply {node.op} to')} "
                f"{' and '.join(dict.fromkeys(shapes))}: {_why(graph, node)}",
                node.site,
                module=node.module or None,
                related=_producers(graph, node),
                nodes=(node.id, *[id for id in after if id not in reported]),
            )


def _why(graph: Graph, node: Node) -> str:
    shapes = [graph.tensor(id).shape for id in node.inputs]
    if len({len(shape) for shape in shapes}) > 1 and node.op in ("cat", "stack"):
        return "the numbers of dimensions differ"
    if node.op in ("matmul", "bmm"):
        return str(node.error)
    along = node.attrs.get("dim", 0) if node.op == "cat" else None
    rank = max(len(shape) for shape in shapes)
    differing: dict[int, set[int]] = {}
    for dim in range(-rank, 0):
        sizes = {shape[dim] for shape in shapes if -dim <= len(shape)}
        if node.op in ops.ELEMENTWISE:
            sizes.discard(1)  # stretched
        if len(sizes) > 1 and (along is None or dim + rank != along % rank):
            differing[dim + rank] = sizes
    if not differing:
        return str(node.error)
    *others, last = differing
    if others:
        return f"sizes differ in dimensions {', '.join(map(str, others))} and {last}"
    sizes = differing[last]
    return f"sizes differ in dimension {last} ({min(sizes)} and {max(sizes)})"


def _producers(graph: Graph, node: Node) -> tuple[Related, ...]:
    found: list[Related] = []
    for id in dict.fromkeys(node.inputs):
        maker = graph.producer(id)
        while maker.layer is None and len(maker.inputs) == 1:
            maker = graph.producer(maker.inputs[0])
        text = f"{graph_queries.name(graph, maker)} outputs {graph_queries.sizes(graph.tensor(id).shape)}"
        found += related_to(text, graph.where(maker))
    return tuple(found)
