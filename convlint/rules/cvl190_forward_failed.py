from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries
from convlint.ir import Finding, Graph, Related
from convlint.rules.base import Rule

_OF_SHAPES = frozenset({"RuntimeError", "ValueError", "IndexError", "AssertionError"})


class ForwardFailed(Rule):
    """The constructor or the forward of the model raises, for a reason that no other rule knows.

    ## Why is this bad?

    The model does not run. The finding stands at the deepest line of your own code on the way to
    the exception, and says which module was being called. The table of layers goes up to there.

    A failure that another finding explains is not reported a second time, and neither is one that
    only follows from another: where a call cannot work, the run goes on with a stand-in of the
    shape that was asked for.

    ## What to do

    Read the exception's message. `--traceback` shows the whole way to it.
    """

    code = "CVL190"
    name = "forward-failed"
    family = "invalid"
    severity = "error"
    decided_by = ("source", "run")
    needs = "failed-call"
    fallback = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        failed = [node for node in graph.nodes if node.error is not None]
        below = graph_queries.downstream(graph, failed)
        for node in failed:
            if below.isdisjoint(node.inputs):
                yield self.finding(
                    f"{node.op} raises: {node.error}",
                    node.site or graph.where(node),
                    module=node.module or None,
                    nodes=(node.id,),
                )
        failure = graph.failure
        if failure is None or (failed and failure.type in _OF_SHAPES):
            return
        within = f" in `{failure.module}`" if failure.module else ""
        yield self.finding(
            f"{failure.phase}{within} raises {failure.type}: {failure.message}",
            failure.site,
            module=failure.module or None,
            related=tuple(
                [
                    Related("called from here", site)
                    for site in failure.chain
                    if site != failure.site
                ]
            )[:3],
        )
