from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries
from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class IgnoredArgument(Rule):
    """A constructor takes a number of channels, and no layer depends on it.

    ## Why is this bad?

    The caller asks for a width and gets another one, the one that is written down in the class. It
    works as long as both are the same, mostly at the default; the first caller that passes another
    number gets a model that is not the one asked for, or a failure far behind it.

    ## What to do

    Use the parameter where the number is repeated, or take it out of the signature.
    """

    code = "CVL205"
    name = "ignored-argument"
    family = "latent"
    severity = "warning"
    decided_by = ("source",)
    needs = "ignored-argument"
    unnecessary_code = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        if not any(layer.leaf and "out_channels" in layer.attrs for layer in graph.layers):
            return
        for name, kind, site in graph.ignored_arguments:
            if graph_queries.is_width(name):
                yield self.finding(
                    f"`{kind}` takes `{name}`, but none of its layers depends on it: use it where "
                    f"its number is written down, or take it out",
                    site,
                )
