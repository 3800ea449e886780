from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries
from convlint.ir import Finding, Graph, Related
from convlint.rules.base import Rule

_OF_SHAPES = frozenset({"RuntimeError", "ValueError", "IndexError", "AssertionError"})


class ForwardFailed(Rule):
    """The constructor or the forward of the model raises an error that no other rule explains.

    ## Why is this bad?

    The model does not run. The finding is reported at the innermost line of your own code in the traceback, with
    the module that was called. The table contains the layers up to there.

    An error that another finding explains is not reported again, and neither is one that only follows from another:
    when a call fails, the run continues with a tensor of the expected shape.

    ## Use instead

    Code that fixes the exception in the message. `--traceback` shows the whole traceback.
    """

    code = "CVL190"
    name = "forward-failed"
    decided_by = ("source", "run")
    needs = "failed-call"
    fallback = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        failed = [node for node in graph.nodes if node.error is not None]
        below = graph_queries.downstream_tensors(graph, failed)
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
            related=tuple([Related("called from here", site) for site in failure.chain if site != failure.site])[:3],
        )
