"""What a disagreement reads like: one sentence with both ends, and the lines of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from convlint.analysis import graph_queries, ops
from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.vote import Disagreement, disagreements
from convlint.ir import Finding, Graph, Node, Related, Site

_MOST = 12  # other ends that a finding lists
_FRAMES = (
    3  # calls that are listed of one other end: the layer, and who called the helper around it
)


def findings(
    make: Callable[..., Finding], graph: Graph, operators: Iterable[str]
) -> Iterator[Finding]:
    """What disagrees at failed calls of ``operators``, as findings that ``make`` (``Rule.finding``) makes.

    A disagreement is told of the blamed layer's own call, where that failed, else of the first
    call that failed for it: each is found for one set of ``operators`` only.
    """
    wanted = frozenset(operators)
    explained: set[int] = set()
    for found in disagreements(graph):
        explained.update(found.nodes)
        if _told_of(graph, found).op in wanted:
            modules = _modules(graph, [vote for vote, _ in found.wrong])
            yield make(
                message(graph, found),
                found.site if found.site.path else None,
                module=modules[0] if modules else None,
                related=related(graph, found),
                nodes=found.nodes,
            ).with_(instances=modules)

    for node in graph.nodes:
        if node.op in wanted and node.id not in explained and _refuses_what_arrives(graph, node):
            arrives = graph_queries.input_shape(graph, node)[-ops.spatial_dims(node.op) - 1]
            takes = node.attrs["in_channels"]
            yield make(
                f"{graph_queries.called(graph, node)} takes {takes} channels, but {arrives} arrive",
                graph.where(node),
                module=node.layer,
                nodes=(node.id,),
            )


def _refuses_what_arrives(graph: Graph, node: Node) -> bool:
    """Whether a convolution failed for its channels. Where it is depthwise, two of its numbers stand
    against the one that arrives, and no vote says that they are one mistake.
    """
    layer = graph.layer(node.layer)
    if node.error is None or "in_channels" not in node.attrs or (layer and layer.error):
        return False
    shape, spatial = graph_queries.input_shape(graph, node), ops.spatial_dims(node.op)
    return len(shape) > spatial and shape[-spatial - 1] != node.attrs["in_channels"]


def _told_of(graph: Graph, found: Disagreement) -> Node:
    own = {vote.node for vote, _ in found.wrong}
    return graph.nodes[next((id for id in found.nodes if id in own), found.nodes[0])]


def message(graph: Graph, found: Disagreement) -> str:
    """The blamed number, the nearest that contradict it, and what they make of it."""
    node = _told_of(graph, found)
    vote, right = next((pair for pair in found.wrong if pair[0].node == node.id), found.wrong[0])
    contradicting: dict[str, None] = {}
    for other in sorted(found.others, key=lambda other: other.number != right):
        if other.node != vote.node:
            contradicting.setdefault(phrase(graph, other))
    said = [*_arithmetic(graph, vote), *contradicting][:2]
    if not said:
        said = [f"{right} arrive" if right is not None else "nothing else agrees"]
    advice = f"; {right} would fit" if right is not None and right.denominator == 1 else ""
    several = len(_modules(graph, [vote for vote, _ in found.wrong]))
    times = f" (and {several - 1} more built here)" if several > 1 else ""
    return f"{phrase(graph, vote)}{times}, but {' and '.join(said)}{advice}"


def _arithmetic(graph: Graph, vote: Vote) -> Iterator[str]:
    """How many arrive, where that is a sum or a product: "16 + 32 = 48 arrive from the cat" at a
    convolution or norm, "16*8*8 = 1024 arrive" at a linear layer behind a flattened map.
    """
    node = graph.nodes[vote.node]
    parts = _concatenated(graph, node) if vote.label == "in" or node.op in ops.CHANNEL_NORMS else ()
    if parts:
        shown = parts if len(parts) < 5 else (*parts[:2], "...", parts[-1])
        yield f"{' + '.join(map(str, shown))} = {sum(parts)} arrive from the cat"
    elif node.op == "linear" and vote.label == "in":
        tensor = graph.tensor(node.inputs[0])
        before = graph.producer(tensor.id)
        arrives = f"{tensor.shape[-1]} arrive"
        if before is not None and before.op in ops.FLATTENING and before.inputs:
            shape = graph.tensor(before.inputs[0]).shape[1:]
            if len(shape) > 1 and before.error is None:
                yield f"{'*'.join(map(str, shape))} = {arrives}"
                return
        yield arrives
    elif node.op == "reshape" and node.inputs:
        shape = graph.tensor(node.inputs[0]).shape[1:]
        product = 1
        for size in shape:
            product *= size
        yield f"{'*'.join(map(str, shape))} = {product} arrive"


def _concatenated(graph: Graph, node: Node) -> tuple[int, ...]:
    """The channels that a concatenation joined into what ``node`` reads, behind activations at most."""
    before = graph_queries.source(graph, node)
    while before is not None and before.op in ops.ACTIVATIONS and len(before.inputs) == 1:
        before = graph_queries.source(graph, before)
    if before is None or before.op != "cat" or before.error is not None:
        return ()
    shapes = [graph.tensor(id).shape for id in before.inputs]
    along_channels = before.attrs.get("dim", 0) in (1, 1 - len(shapes[0]))
    return tuple(shape[1] for shape in shapes) if along_channels and len(shapes[0]) > 1 else ()


def phrase(graph: Graph, vote: Vote) -> str:
    """What a vote says, as a sentence: "Conv2d `stem` gives 16 channels"."""
    node = graph.nodes[vote.node]
    if node.op == "reshape":
        return f"the view asks for {vote.number} features"
    unit = "features" if node.op in ("linear", "layer_norm") else "channels"
    if vote.label == "groups":
        verb, unit = "has", "groups"
    elif vote.label == "in":
        verb = "takes"
    elif node.op in ops.PROJECTIONS:
        verb = "gives"
    else:
        verb = "is for"
    return f"{graph_queries.called(graph, node)} {verb} {vote.number} {unit}"


def related(graph: Graph, found: Disagreement) -> tuple[Related, ...]:
    """The lines of the other ends, nearest first, with the callers of helpers around them."""
    ends: dict[Site, str] = {}
    for vote in [*found.others, *(vote for vote, _ in found.wrong)]:
        if len(ends) >= _MOST:
            break
        for depth, site in enumerate(vote.frames[:_FRAMES]):
            near = depth == 0 or site.path == found.site.path
            if site.path and site != found.site and near:
                ends.setdefault(site, phrase(graph, vote) if depth == 0 else _through(graph, vote))
    return tuple(Related(text, site) for site, text in ends.items())


def _through(graph: Graph, vote: Vote) -> str:
    return f"{graph_queries.called(graph, graph.nodes[vote.node])} is built through this call"


def _modules(graph: Graph, votes: Iterable[Vote]) -> tuple[str, ...]:
    layers = [graph.nodes[vote.node].layer for vote in votes]
    return tuple(dict.fromkeys([layer for layer in layers if layer is not None]))
