from __future__ import annotations

from collections.abc import Iterator

from convlint import symbolic
from convlint.analysis import graph_queries, ops
from convlint.analysis.contracts.scopes import Scopes
from convlint.ir import Finding, Graph, Layer, Node, Related, Shape
from convlint.rules.base import Rule


class FixedInputSize(Rule):
    """A number in the source fits one size of input: the model was tried on others, and refuses them.

    ## Why is this bad?

    `Linear(512 * 7 * 7, 1000)` behind a flattened map says that the map is 7x7, so the picture is
    224x224, and says it far from where pictures are made. Other sizes fail with the shapes of two
    matrices. The rule states the sizes that do run: half and double were tried, and those between,
    up to the first that fails.

    A layer whose features are computed, or passed to the class from outside, is not reported: the
    class takes other sizes when it is told so.

    ## What to do

    Put `AdaptiveAvgPool2d((7, 7))` in front of the flattening: any size then runs, and at today's it
    changes nothing. Or take the size as a parameter, and compute the features from it.
    """

    code = "CVL204"
    name = "fixed-input-size"
    family = "latent"
    severity = "info"

    def check(self, graph: Graph) -> Iterator[Finding]:
        refusing = {name for _, name in graph.tried_sizes if name is not None}
        for node in graph_queries.distinct(graph, frozenset({"linear"})):
            layer = graph.layer(node.layer)
            if layer is not None and layer.name in refusing and _is_written(graph, layer):
                yield self._finding(graph, node, layer)

    def _finding(self, graph: Graph, node: Node, layer: Layer) -> Finding:
        flat = graph_queries.source(graph, node)
        shape = graph_queries.input_shape(graph, flat) if flat is not None and flat.inputs else ()
        image = next((t.shape[2:] for n in graph.nodes if n.op == "input" for t in n.outputs), ())
        ran = sorted([image, *(size for size, refused in graph.tried_sizes if refused is None)])
        others = [size for size, refused in graph.tried_sizes if refused is not None]
        fits = graph_queries.by(ran[0]) + (
            f" to {graph_queries.by(ran[-1])}" if len(ran) > 1 else " alone"
        )
        tried = " and ".join(map(graph_queries.by, _nearest(others, ran)))
        whole = _global(graph, node)
        read = f"reads {graph_queries.by(shape[1:])} values" if shape else "reads a whole map"
        related = (
            (Related("a convolution as large as its map", whole.site),)
            if whole is not None and whole.site is not None
            else ()
        )
        return self.finding(
            f"{graph_queries.called(graph, node)} {read} as {layer.attrs.get('in_features')} features: the "
            f"model runs on inputs of {fits}, and not on {tried}; pool adaptively in front of it, or "
            f"compute the number from a size that the class is given",
            layer.site,
            module=layer.name,
            related=related,
        )


def _is_written(graph: Graph, layer: Layer) -> bool:
    """Whether the features are a number in the source, as far as that is known."""
    features = symbolic.from_json(layer.exprs.get("in_features"))
    outermost = list(Scopes(graph.scopes).outwards(layer.scope))
    if outermost:
        features = Scopes(graph.scopes).lifted(features, outermost[-1])
    return features.is_unknown or features.value is not None


def _nearest(others: list[Shape], ran: list[Shape]) -> list[Shape]:
    """Of the sizes that failed, the ones next to those that ran."""
    below = [size for size in others if size < ran[0]]
    above = [size for size in others if size > ran[-1]]
    return [*([max(below)] if below else []), *([min(above)] if above else [])]


def _global(graph: Graph, node: Node) -> Layer | None:
    """A convolution before ``node`` whose kernel is as large as the map that it reads."""
    before = graph_queries.source(graph, node)
    while before is not None:
        convolves = before.op in ops.CONVS
        if (
            convolves
            and before.attrs.get("kernel_size") == graph_queries.input_shape(graph, before)[2:]
        ):
            return graph.layer(before.layer)
        before = graph_queries.source(graph, before)
    return None
