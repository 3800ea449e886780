from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis.width_names import is_width_name
from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class IgnoredArgument(Rule):
    """A constructor has a parameter for a number of channels, and no layer depends on it.

    ## Why is this bad?

    The caller asks for a width and gets the one that is written in the class. That works as long as both are equal,
    usually for the default. The first caller that passes another number gets a different model than expected, or an
    error far from the cause.

    ## Use instead

    The parameter wherever the number is repeated, or a signature without it.
    """

    code = "CVL205"
    name = "ignored-argument"
    severity = "warning"
    decided_by = ("source",)
    needs = "ignored-argument"
    unnecessary_code = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        if not any(layer.leaf and "out_channels" in layer.attrs for layer in graph.layers):
            return
        for name, kind, site in graph.ignored_arguments:
            if is_width_name(name):
                yield self.finding(
                    f"`{name}` of `{kind}` has no effect: no layer depends on it; use it, or remove it", site
                )
