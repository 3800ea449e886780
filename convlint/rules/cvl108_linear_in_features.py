from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import diagnosis, graph_queries
from convlint.ir import Finding, Graph, Node, Shape
from convlint.rules.base import Rule, related_to


class LinearInFeatures(Rule):
    """A linear layer expects a different number of features than it receives.

    ## Why is this bad?

    The forward raises "mat1 and mat2 shapes cannot be multiplied". For a flattened feature map the right number is
    C*H*W, and H and W depend on the input size and on every padding, stride and pooling. The message contains that
    calculation.

    ## Use instead

    The number that the layer receives. If inputs have different sizes, add `nn.AdaptiveAvgPool2d` before the
    flattening, or use `nn.LazyLinear`, which infers the number.
    """

    code = "CVL108"
    name = "linear-in-features"
    decided_by = ("source", "run")
    needs = "failed-call"
    operators = frozenset({"linear", "reshape", "flatten", "unflatten"})

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, self.operators)
        explained = {id for cause in diagnosis.about_layers(graph) for id in cause.nodes}
        for node in graph.nodes:
            if node.error is not None and "multiple_of" in node.attrs:
                yield self._no_multiple(graph, node)
            elif node.error is not None and node.op == "reshape" and node.id not in explained:
                yield from self._reshape(graph, node)
        for layer in graph.layers:
            if layer.error is not None and layer.base == "Linear":
                into, out = layer.attrs.get("in_features"), layer.attrs.get("out_features")
                why = f" cannot be built with in_features={into!r} and out_features={out!r}: {layer.error}"
                yield self.constructor_finding(graph, layer, why)

    def _no_multiple(self, graph: Graph, node: Node) -> Finding:
        """The finding for a layer that fits no size of the map that it reads."""
        expected, factor = node.attrs["in_features"], node.attrs["multiple_of"]
        maker = graph_queries.source_layer(graph, node)
        origin = f" ({factor} channels from {graph_queries.name(graph, maker)})" if maker is not None else ""
        return self.finding(
            f"{graph_queries.name(graph, node)} expects {expected} input features but receives a multiple of "
            f"{factor}{origin}",
            graph.where(node),
            module=node.layer,
            related=related_to("this layer outputs the map", None if maker is None else graph.where(maker)),
            nodes=(node.id,),
        )

    def _reshape(self, graph: Graph, node: Node) -> Iterator[Finding]:
        """The finding for a view of each sample to sizes whose product is another one."""
        wanted = node.attrs.get("shape", ())
        before = graph_queries.input_shape(graph, node) if node.inputs else ()
        if len(wanted) < 2 or wanted[0] not in (-1, *before[:1]) or min(wanted[1:]) < 1 or len(before) < 2:
            return
        maker = graph_queries.source_layer(graph, node)
        origin = f" from {graph_queries.name(graph, maker)}" if maker is not None else ""
        received = _product(before[1:])
        yield self.finding(
            f"the view expects {_product(wanted[1:])} values per sample but receives {received}{origin}",
            node.site,
            module=node.module or None,
            related=related_to(f"this layer outputs {received} values", None if maker is None else graph.where(maker)),
            nodes=(node.id,),
        )


def _product(sizes: Shape) -> str:
    """A product with its arithmetic: "1568 (32*7*7)"."""
    return f"{prod(sizes)} ({'*'.join(map(str, sizes))})" if len(sizes) > 1 else str(prod(sizes))
