from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, graph_queries, merges
from convlint.analysis.working_sizes import working_sizes
from convlint.ir import Finding, Graph, Node, Related, Site
from convlint.rules.base import Rule, related_to

_PRODUCTS = frozenset({"matmul", "bmm"})
_VERBS = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "cat": "concatenate", "stack": "stack"}
_VERBS |= dict.fromkeys(_PRODUCTS, "matrix-multiply")
_MAX_STEPS = 3  # size changes that are described


class MergeShapes(Rule):
    """Tensors of incompatible shapes are added, multiplied, concatenated or stacked.

    ## Why is this bad?

    The forward raises an error. In a residual block it means that the branch changed the channels or the size of
    the map and the shortcut did not. In a decoder it usually means that an odd size was halved and doubled: 15
    becomes 7 and then 14.

    A block that adds its input to its output works only for equal widths. If one call builds it with others, the
    finding is reported at that call. If every call with unequal widths fails, it is reported at the sum, which needs a
    projection or a condition. The message names the layer that changed the size, and the input sizes that work if
    only some fail.

    ## Use instead

    A 1x1 convolution with the same channels and stride as shortcut, or a map resized to the other:
    `F.interpolate(x, size=y.shape[-2:])`.
    """

    code = "CVL110"
    name = "merge-shapes"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        reported = {id for cause in diagnosis.about_layers(graph) for id in cause.nodes}
        failing = [n for n in graph.nodes if n.error is not None and n.op in merges.MERGES | _PRODUCTS]
        below = graph_queries.downstream_tensors(graph, failing)
        by_line: dict[tuple[str, Site | None], list[Node]] = {}
        for node in failing:
            if node.id not in reported and len(node.inputs) > 1 and below.isdisjoint(node.inputs):
                by_line.setdefault((node.op, node.site), []).append(node)
        for nodes in by_line.values():
            yield self._merge(graph, nodes)

    def _merge(self, graph: Graph, nodes: list[Node]) -> Finding:
        """The finding for the merges that fail at one line, in however many instances of its class."""
        node = nodes[0]
        block = merges.block_of(graph, node)
        site, related = node.site, _producers(graph, node)
        module = node.module or None
        modules = tuple(dict.fromkeys(each.module for each in _alike(graph, node) if each.module))
        if block is not None:
            module = block.layer.name
            places = {layer.site for layer in block.failing}
            others = {layer.site for layer in block.working}
            if len(places) == 1 and others and places.isdisjoint(others) and block.layer.site is not None:
                site = block.layer.site
                related = (*related_to(f"{block.layer.kind} adds its input to its output here", node.site), *related)
            else:
                built = [(layer, place) for layer in block.failing if (place := layer.site) is not None]
                related += tuple([Related(f"`{layer.name}` is built here", place) for layer, place in built])
        return self.finding(
            f"{statement(graph, node)}{_more(len(modules))}{_advice(graph, node, block)}",
            site,
            module=module,
            related=tuple({each.site: each for each in reversed(related)}.values())[::-1],
            nodes=tuple([node.id for node in nodes]),
        ).with_(instances=modules)


def _alike(graph: Graph, node: Node) -> list[Node]:
    """The merges at the same line that do not fit, also those that only fail because of an earlier one."""
    same = [other for other in graph.nodes if other.op == node.op and other.site == node.site]
    return [other for other in same if len(other.inputs) > 1 and merges.differing(graph, other)] or [node]


def statement(graph: Graph, node: Node) -> str:
    """Name the operation, the shapes and what differs."""
    shapes = [graph_queries.shape_text(graph.tensor(id)) for id in node.inputs]
    verb = _VERBS.get(node.op, f"apply {node.op} to")
    return f"cannot {verb} {' and '.join(dict.fromkeys(shapes))}: {_why(graph, node)}"


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _why(graph: Graph, node: Node) -> str:
    shapes = [graph.tensor(id).shape for id in node.inputs]
    if len({len(shape) for shape in shapes}) > 1 and node.op in ("cat", "stack"):
        return "the numbers of dimensions differ"
    dims = merges.differing(graph, node)
    if node.op in _PRODUCTS or not dims:
        return str(node.error)
    if merges.differs_in_channels(graph, node):
        return "features differ" if len(shapes[0]) == 2 else "channels differ"
    if merges.differs_in_size(graph, node) and merges.channel_dim(graph, node) in dims:
        return "channels and sizes differ"
    *others, last = dims
    if others:
        return f"sizes differ in dimensions {', '.join(map(str, others))} and {last}"
    rank = max(map(len, shapes))
    sizes = [*dict.fromkeys(shape[last - rank] for shape in shapes if len(shape) + last >= rank)]
    first, second, *_ = sizes if len(sizes) == 2 else [size for size in sizes if size != 1]
    return f"sizes differ in dimension {last} ({first} and {second})"


def _advice(graph: Graph, node: Node, block: merges.Block | None) -> str:
    if block is not None and merges.channel_dim(graph, node) in merges.differing(graph, node):
        return "; use a projection of the input where the shapes differ, or add it only where they are equal"
    if node.op in _PRODUCTS or not merges.differs_in_size(graph, node):
        return ""
    steps = [_step(graph, step) for step in merges.parting_steps(graph, node)[-_MAX_STEPS:]]
    sizes = working_sizes(graph)
    works = f"; {sizes} work" if sizes is not None else ""
    return (f"; {', '.join(steps)}" if steps else "") + works


def _step(graph: Graph, step: Node) -> str:
    before, after = graph.tensor(step.inputs[0]), step.outputs[0]
    verb = "enlarges" if after.shape[2:] > before.shape[2:] else "reduces"
    texts = [graph_queries.shape_text(tensor, start=2) for tensor in (before, after)]
    return f"{graph_queries.name(graph, step)} {verb} {' to '.join(texts)}"


def _producers(graph: Graph, node: Node) -> tuple[Related, ...]:
    """The layers that output the operands, and those that changed their size."""
    found: list[Related] = []
    for id in dict.fromkeys(node.inputs):
        maker = graph_queries.maker_of_channels(graph, id)
        text = f"{graph_queries.name(graph, maker)} outputs {graph_queries.shape_text(graph.tensor(id))}"
        found += related_to(text, graph.where(maker))
    if merges.differs_in_size(graph, node):
        for step in merges.parting_steps(graph, node):
            found += related_to(_step(graph, step), graph.where(step))
    return tuple(found)
