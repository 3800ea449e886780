"""Findings about disagreements: one sentence with both numbers, and the lines of the other layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from math import prod

from convlint.analysis import graph_queries, merges, ops
from convlint.analysis.constructor_parameters import parameter_of
from convlint.analysis.diagnosis.blame import Disagreement, disagreements
from convlint.analysis.diagnosis.constraints import Vote
from convlint.ir import Finding, Graph, Node, Related, Site

_MAX_RELATED = 12  # related lines of one finding
_MAX_FRAMES = 3  # lines for each other layer: its constructor call, and callers of the function around it
_MAX_TERMS = 4  # terms of a sum that are written out


def findings(make: Callable[..., Finding], graph: Graph, operators: Iterable[str]) -> Iterator[Finding]:
    """Find disagreements at failed calls of ``operators``. ``make`` is ``Rule.finding``.

    A disagreement is reported at the call of the blamed layer if that failed, else at the first call that failed
    because of it, so that each is found for one set of operators only.
    """
    wanted = frozenset(operators)
    explained: set[int] = set()
    for disagreement in about_layers(graph):
        explained.update(disagreement.nodes)
        if reported_call(graph, disagreement).op in wanted:
            modules = _modules(graph, [vote for vote, _ in disagreement.wrong])
            yield make(
                message(graph, disagreement),
                disagreement.site if disagreement.site.path else None,
                module=modules[0] if modules else None,
                related=related(graph, disagreement),
                nodes=disagreement.nodes,
            ).with_(instances=modules)

    for node in graph.nodes:
        if node.op in wanted and node.id not in explained and _has_wrong_input(graph, node):
            yield make(
                f"{graph_queries.name(graph, node)} expects {node.attrs['in_channels']} input "
                f"channels but receives {_received_channels(graph, node)}",
                graph.where(node),
                module=node.layer,
                nodes=(node.id,),
            )


def about_layers(graph: Graph) -> list[Disagreement]:
    """The disagreements because of which a layer fails. Where only merges fail, these are reported themselves."""
    return [
        disagreement
        for disagreement in disagreements(graph)
        if any(graph.nodes[id].op not in merges.MERGES for id in disagreement.nodes)
    ]


def _has_wrong_input(graph: Graph, node: Node) -> bool:
    """Check whether a convolution failed because of its input channels.

    Of a depthwise convolution two numbers contradict the input, and the vote does not know that they are one mistake.
    """
    layer = graph.layer(node.layer)
    if node.error is None or "in_channels" not in node.attrs or (layer and layer.error):
        return False
    return _received_channels(graph, node) not in (None, node.attrs["in_channels"])


def _received_channels(graph: Graph, node: Node) -> int | None:
    """The channels of a convolution's input; None where the input has too few or too many dimensions."""
    shape, dim = graph_queries.input_shape(graph, node), -ops.spatial_dims(node.op) - 1
    return shape[dim] if len(shape) in (-dim, 1 - dim) else None


def reported_call(graph: Graph, disagreement: Disagreement) -> Node:
    """The failed call that a disagreement is reported for: that of the blamed layer, else the first."""
    blamed = {vote.node for vote, _ in disagreement.wrong}
    failed = [id for id in disagreement.nodes if graph.nodes[id].op not in merges.MERGES] or disagreement.nodes
    return graph.nodes[next((id for id in failed if id in blamed), failed[0])]


def disagreements_at(graph: Graph, nodes: Iterable[int]) -> list[Disagreement]:
    """The disagreements that some failed calls are about."""
    failed = set(nodes)
    return [found for found in disagreements(graph) if not failed.isdisjoint(found.nodes)]


def message(graph: Graph, disagreement: Disagreement, advice: str | None = None, modules: Sequence[str] = ()) -> str:
    """State the blamed number, the number that contradicts it, and the number to use, or other ``advice``.

    ``modules`` are all modules that have the number, if the graph does not show all of them.
    """
    node = reported_call(graph, disagreement)
    vote, right = next((pair for pair in disagreement.wrong if pair[0].node == node.id), disagreement.wrong[0])
    modules = modules or _modules(graph, [vote for vote, _ in disagreement.wrong])
    others = f" (and {len(modules) - 1} more built here)" if len(modules) > 1 else ""
    evidence = _input(graph, vote, right) or _other_statements(graph, vote, right, disagreement)
    return f"{statement(graph, vote, others)} but {evidence}{_advice(graph, vote, right) if advice is None else advice}"


def about_input(graph: Graph, vote: Vote) -> str | None:
    """State the size that a layer expects, and the one that it receives; None if these agree."""
    evidence = _input(graph, vote, None)
    return None if evidence is None else f"{statement(graph, vote)} but {evidence}"


def statement(graph: Graph, vote: Vote, others: str = "") -> str:
    """Describe the size that a layer declares: "Conv2d `stem` outputs 16 channels"."""
    node = graph.nodes[vote.node]
    if node.op == "reshape":
        return f"the view expects {vote.number} features"
    unit = "features" if node.op in ops.OF_FEATURES else "channels"
    if vote.label == "groups":
        verb, unit = "has", "groups"
    elif node.op not in ops.SIZED_BY_INPUT:
        verb = "expects"
    elif vote.label == "in":
        verb, unit = "expects", f"input {unit}"
    else:
        verb = "outputs"
    return f"{graph_queries.name(graph, node)}{others} {verb} {vote.number} {unit}"


def _input(graph: Graph, vote: Vote, right: Fraction | None) -> str | None:
    """The size of the input and where it comes from: "receives 16 from Conv2d `stem`".

    None if the vote is not about the input, or if the input agrees with it, or not with ``right``.
    """
    node = graph.nodes[vote.node]
    if vote.label == "groups" or (vote.label == "out" and node.op in ops.PROJECTIONS):
        return None
    shape = graph_queries.input_shape(graph, node) if node.inputs else ()
    size = _input_size(node, shape)
    if size is None or size == vote.number or (right is not None and right != size):
        return None
    producer = graph_queries.producer_of(graph, node)
    if node.op == "reshape" and len(shape) > 2:
        return f"receives {size} ({graph_queries.sizes(shape[1:])})"
    if parts := _parts(graph, node):
        return f"receives {size} ({parts})"
    maker = graph_queries.source_layer(graph, node)
    if node.op == "linear" and producer is not None and producer.op in ops.FLATTENING:
        before = graph_queries.input_shape(graph, producer) if producer.inputs else ()
        if prod(before[1:]) == size and len(before) > 2:
            name = f" from `{maker.layer}`" if maker is not None and maker.layer else ""
            return f"receives {size} ({graph_queries.sizes(before[1:])}{name})"
        if before != shape and producer.error is None:
            texts = [graph_queries.shape_text(graph.tensor(each.inputs[0])) for each in (producer, node)]
            return f"receives {size} ({' reshaped to '.join(texts)})"
    if maker is None or _output_size(maker) != size:
        return f"receives {size}"
    return f"receives {size} from {graph_queries.name(graph, maker)}"


def _input_size(node: Node, shape: tuple[int, ...]) -> int | None:
    """The number of channels or features that a call reads; None where it has no such dimension."""
    if node.op == "reshape":
        return prod(shape[1:])
    dim = -ops.spatial_dims(node.op) - 1 if node.op in ops.ALL_CONVS else -1 if node.op in ops.OF_FEATURES else 1
    return shape[dim] if -len(shape) <= dim < len(shape) else None


def _output_size(node: Node) -> int | None:
    shape = node.outputs[0].shape if node.outputs else ()
    return shape[-1 if node.op == "linear" else 1] if len(shape) > 1 else None


def _parts(graph: Graph, node: Node) -> str:
    """The channels or features that a concatenation joined to the input of a call: "64 from `up` + 128 from `skip`"."""
    joined = graph_queries.concatenation_before(graph, node)
    if joined is None:
        return ""
    along = joined.attrs["dim"]
    terms = []
    for id in joined.inputs:
        maker = graph_queries.source_of(graph, graph.producer(id))
        name = f" from `{maker.layer}`" if maker is not None and maker.layer else ""
        terms.append(f"{graph.tensor(id).shape[along]}{name}")
    if len(terms) > _MAX_TERMS:
        terms = [*terms[:2], "...", terms[-1]]
    return " + ".join(terms)


def _other_statements(graph: Graph, vote: Vote, right: Fraction | None, disagreement: Disagreement) -> str:
    """Describe the sizes that the nearest other layers declare, those with the right number first."""
    others = sorted(disagreement.others, key=lambda other: other.number != right)
    texts = dict.fromkeys(statement(graph, other) for other in others if other.node != vote.node)
    if texts:
        return " and ".join([*texts][:2])
    return "no other layer agrees" if right is None else f"receives {right}"


def _advice(graph: Graph, vote: Vote, right: Fraction | None) -> str:
    """The number to use and its argument: "; use in_channels=64"; empty if the vote does not say."""
    if right is None or right.denominator != 1 or right < 1:
        return ""
    name = argument(graph, vote)
    return f"; use {right}" if name is None else f"; use {name}={right}"


def argument(graph: Graph, vote: Vote) -> str | None:
    """The argument of a layer's constructor that a vote comes from."""
    node = graph.nodes[vote.node]
    if node.layer is None:
        return None
    if node.op == "layer_norm" and len(node.attrs["normalized_shape"]) > 1:
        return None
    return parameter_of(node.op, vote.label)


def related(graph: Graph, disagreement: Disagreement) -> tuple[Related, ...]:
    """The lines of the other layers, nearest first, with the callers of the functions around them."""
    messages: dict[Site, str] = {}
    for vote in [*disagreement.others, *(vote for vote, _ in disagreement.wrong)]:
        if len(messages) >= _MAX_RELATED:
            break
        for depth, site in enumerate(vote.frames[:_MAX_FRAMES]):
            if site.path and site != disagreement.site and (depth == 0 or site.path == disagreement.site.path):
                name = graph_queries.name(graph, graph.nodes[vote.node])
                text = statement(graph, vote) if depth == 0 else f"{name} is built by this call"
                messages.setdefault(site, text)
    return tuple(Related(text, site) for site, text in messages.items())


def _modules(graph: Graph, votes: Iterable[Vote]) -> tuple[str, ...]:
    layers = [graph.nodes[vote.node].layer for vote in votes]
    return tuple(dict.fromkeys([layer for layer in layers if layer is not None]))
