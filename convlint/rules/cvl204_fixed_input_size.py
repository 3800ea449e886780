from __future__ import annotations

from collections.abc import Iterator

from convlint import symbolic
from convlint.analysis import graph_queries, ops
from convlint.analysis.contracts.scopes import Scopes
from convlint.ir import Finding, Graph, Layer, Node, Shape
from convlint.rules.base import Rule, related_to

_MOST_SIZES = 4  # in a message


class FixedInputSize(Rule):
    """A number in the source fixes the input size: the model was run with other sizes and failed.

    ## Why is this bad?

    `Linear(512 * 7 * 7, 1000)` after a flattened map requires a 7x7 map and so an input of 224x224, far from the
    line that loads the images. Other sizes fail with an error about the shapes of two matrices. convlint runs the
    model with half and double the size and with sizes in between, and reports which ones work.

    A layer whose features are computed, or are an argument of the class, is not reported.

    ## Use instead

    `AdaptiveAvgPool2d((7, 7))` before the flattening: then every size works, and the current one gives the same
    result. Or make the size a parameter, and compute the features from it.
    """

    code = "CVL204"
    name = "fixed-input-size"
    severity = "info"

    def check(self, graph: Graph) -> Iterator[Finding]:
        refusing = {name for _, name in graph.tried_sizes if name is not None}
        for node in graph_queries.first_calls(graph, frozenset({"linear"})):
            layer = graph.layer(node.layer)
            if layer is not None and layer.name in refusing and _is_written(graph, layer):
                yield self._finding(graph, node, layer)

    def _finding(self, graph: Graph, node: Node, layer: Layer) -> Finding:
        flat = graph_queries.producer_of(graph, node)
        shape = graph_queries.input_shape(graph, flat) if flat is not None and flat.inputs else ()
        image = next((t.shape[2:] for n in graph.nodes if n.op == "input" for t in n.outputs), ())
        ran = sorted([image, *(size for size, refused in graph.tried_sizes if refused is None)])
        others = [size for size, refused in graph.tried_sizes if refused is not None]
        works = _works(ran, others)
        failing = [graph_queries.sizes(size) for size in _nearest(others, ran)]
        fails = "fails" if len(failing) == 1 else "fail"
        failing_sizes = " and ".join([", ".join(failing[:-1]), failing[-1]] if len(failing) > 1 else failing)
        whole = _global(graph, node)
        origin = f" ({graph_queries.sizes(shape[1:])})" if shape else ""
        return self.finding(
            f"in_features={layer.attrs.get('in_features')}{origin} of {graph_queries.name(graph, node)} fixes "
            f"the input size: {works}, {failing_sizes} {fails}; add adaptive pooling before it, or "
            f"derive in_features from a size argument",
            layer.site,
            module=layer.name,
            related=related_to("a convolution as large as its map", whole.site) if whole is not None else (),
        )


def _works(ran: list[Shape], others: list[Shape]) -> str:
    """Say which sizes work: a range only if all sizes in it ran."""
    names = [graph_queries.sizes(size) for size in ran]
    if len(ran) == 1:
        tried = {size[-1] - ran[0][-1] for size in others}
        return f"{'only ' if {-2, -1, 1, 2} <= tried else ''}{names[0]} works"
    if ran[-1][-1] - ran[0][-1] == len(ran) - 1:
        return f"{names[0]} to {names[-1]} work"
    shown = names if len(names) <= _MOST_SIZES else [*names[: _MOST_SIZES - 1], names[-1]]
    return f"{', '.join(shown[:-1])} and {shown[-1]} work"


def _is_written(graph: Graph, layer: Layer) -> bool:
    """Return whether the features are a literal number in the source, as far as that is known."""
    features = symbolic.from_json(layer.exprs.get("in_features"))
    outermost = list(Scopes(graph.scopes).ancestors(layer.scope))
    if outermost:
        features = Scopes(graph.scopes).expressed_in(features, outermost[-1])
    return features.is_unknown or features.value is not None


def _nearest(others: list[Shape], ran: list[Shape]) -> list[Shape]:
    """Return the sizes that failed next to those that worked, and one between them."""
    below = [size for size in others if size < ran[0]]
    between = [size for size in others if ran[0] < size < ran[-1]]
    above = [size for size in others if size > ran[-1]]
    return [size for size in (max(below, default=()), min(between, default=()), min(above, default=())) if size]


def _global(graph: Graph, node: Node) -> Layer | None:
    """Return a convolution before ``node`` whose kernel is as large as its input."""
    for before in graph_queries.producers(graph, node):
        if before.op in ops.CONVS and before.attrs.get("kernel_size") == graph_queries.input_shape(graph, before)[2:]:
            return graph.layer(before.layer)
    return None
