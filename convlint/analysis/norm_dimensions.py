"""Norms that are called on a tensor of another dimension than their class accepts."""

from __future__ import annotations

import re

from convlint.analysis import graph_queries, ops
from convlint.ir import Graph, Node

_REFUSED = re.compile(r"expected (\dD(?: or \dD)*) input \(got \dD input\)")  # PyTorch's message
_CLASS = re.compile(r"((?:Lazy)?(?:Batch|Instance)Norm)[123]d")
_BY_RANK = {2: 1, 3: 1, 4: 2, 5: 3}


def accepted(node: Node) -> str | None:
    """The dimensions that a norm accepts if the call fails because of them: "2-D or 3-D"; else None."""
    refused = _REFUSED.search(node.error or "") if node.op in ops.PER_CHANNEL_NORMS else None
    return None if refused is None else refused[1].replace("D", "-D")


def fitting_class(graph: Graph, node: Node) -> str | None:
    """The class of the same norm that accepts the input of a call; None if there is none."""
    layer = graph.layer(node.layer)
    match = _CLASS.fullmatch("" if layer is None else layer.base)
    rank = len(graph_queries.input_shape(graph, node))
    if match is None or rank not in _BY_RANK or (rank == 2 and node.op == "instance_norm"):
        return None
    return f"{match[1]}{_BY_RANK[rank]}d"
