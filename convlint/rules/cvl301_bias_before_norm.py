from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

from convlint.analysis import graph_queries, ops
from convlint.analysis.constructor_calls import constructor_call
from convlint.ir import Edit, Finding, Fix, Graph, Layer, Node, Related
from convlint.rules.base import Rule
from convlint.source_text import call_sites


class BiasBeforeNorm(Rule):
    """A convolution or linear layer has a bias, and the normalisation behind it subtracts that bias
    again.

    ## Why is this bad?

    BatchNorm and InstanceNorm subtract the mean of every channel. A constant that was added to the
    whole channel is part of that mean, so it disappears. In training its gradient is zero up to
    rounding. The parameters, their optimizer state and the addition are paid for and change
    nothing: what a bias could do, the norm's own bias does.

    The rule is silent before LayerNorm, and before a GroupNorm with fewer groups than channels:
    their mean is taken over several channels, and a bias per channel survives it. It is also silent
    where anyone beside the norm reads the output.

    ## What to do

    Write `bias=False` in the constructor of the layer.

    ## Fix safety

    The change is unsafe for saved models: checkpoints written before hold a `bias` that the layer
    no longer has. In eval mode the old bias must be subtracted from the norm's `running_mean` to
    keep the outputs the same.

    It is only shown where the one call cannot be edited for all that it builds: where `bias` is
    decided elsewhere (a parameter, `*args`, `**kwargs`, a class of your own), where the call also
    builds a layer without such a norm, where the norm is built in another function, under a
    condition or from a parameter, and where the file reads a `bias` without a look whether there is one.

    ## References

    - Ioffe and Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167), section 3.2
    """

    code = "CVL301"
    name = "bias-before-norm"
    family = "advice"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "bias-before-norm"

    def check(self, graph: Graph) -> Iterator[Finding]:
        found: list[tuple[Node, Sequence[Node]]] = []
        for node in graph_queries.distinct(graph, ops.PROJECTIONS):
            if node.attrs["bias"]:
                same = graph_queries.calls_of_same_layer(graph, node)
                judged = [_norm_that_cancels(graph, call) for call in same]
                cancelling = [norm for norm in judged if norm is not None]
                if len(cancelling) == len(judged):
                    found.append((node, cancelling))
        useless = {layer.name for node, _ in found if (layer := graph.layer(node.layer))}
        for node, norms in found:
            site = graph.where(norms[0])
            yield self.finding(
                f"the bias of this {graph_queries.kind(graph, node)} ({node.outputs[0].shape[1]:,} parameters) "
                f"has no effect: {graph_queries.called(graph, norms[0])} subtracts it again; use bias=False",
                graph.where(node),
                module=node.layer,
                # Where the run ended early, a second reader of the output may not have been reached.
                confidence="high" if graph.status == "complete" else "medium",
                related=(Related("the norm that subtracts the bias", site),) if site else (),
                fix=_fix(graph, node, norms, useless),
            )


def _norm_that_cancels(graph: Graph, node: Node) -> Node | None:
    """The only reader of ``node``, if it subtracts each channel's own mean and the bias is constant
    on the channel.
    """
    norm = graph_queries.only_consumer(graph, node)
    if norm is None or norm.inputs[0] != node.outputs[0].id:
        return None
    shape = node.outputs[0].shape
    batched = 2 if node.op == "linear" else 2 + ops.spatial_dims(node.op)
    if (
        len(shape) != batched
    ):  # the bias lies along the last dimension, or there is no batch: not dimension 1
        return None
    if norm.op in ops.PER_CHANNEL_NORMS:
        return norm
    if norm.op == "group_norm" and norm.attrs["num_groups"] == shape[1] and len(shape) > 2:
        return norm
    return None


def _fix(graph: Graph, node: Node, norms: Sequence[Node], useless: Collection[str]) -> Fix | None:
    layer = graph.layer(node.layer)
    if layer is None or layer.site is None:
        return None
    edit = _edit(graph, layer, norms, useless)
    if isinstance(edit, str):
        return Fix(f"bias=False, by hand: {edit}", "display", ())
    return Fix("write bias=False (checkpoints saved before still hold the bias)", "unsafe", (edit,))


def _edit(
    graph: Graph, layer: Layer, norms: Sequence[Node], useless: Collection[str]
) -> Edit | str:
    """The edit of the call that built ``layer``, or why none is right for all that it builds."""
    call = constructor_call(layer)
    if call is None:
        return f"the line does not call {layer.base} of torch.nn itself"
    for other in graph.layers:
        if other.site == layer.site and other.name not in useless:
            return f"the same call builds `{other.name}`, which no such norm follows"
    for norm in norms:
        site = graph.where(norm)
        beside = call_sites.at(site) if site is not None else None
        if beside is None or not call.always_with(beside) or not beside.callee:
            return "this layer may also be built without such a norm"
    if reader := _reader(call.file, layer.name.rpartition(".")[2]):
        return f"`{reader}` is read in this file"
    given = call.given("bias", 2 if layer.base == "Linear" else 7)
    if given is None:
        return "some arguments come from elsewhere" if call.unpacks else call.added("bias=False")
    if isinstance(given, ast.Constant) and given.value is True:
        return call.replaced(given, "False")
    return f"`{ast.unparse(given)}` decides it"


@lru_cache(maxsize=64)
def _reader(file: call_sites.File, attribute: str) -> str | None:
    """An expression in the file that may read the bias of the layer ``attribute``, and would not
    expect None.
    """
    reads: dict[str, None] = {}
    for node in file.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "bias":
            owner = node.value
            of_another = isinstance(owner, ast.Attribute) and owner.attr != attribute
            if isinstance(node.ctx, ast.Load) and not of_another and not _of_a_norm(file, node):
                reads.setdefault(ast.unparse(node))
    asked = set(_tested(file)) if reads else set()
    return next((read for read in reads if read not in asked), None)


def _tested(file: call_sites.File) -> Iterator[str]:
    """Expressions that the file tests for being there: ``x`` in ``if x`` and ``x is not None``."""
    for node in file.nodes:
        if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "None":
            yield ast.unparse(node.left)
        elif isinstance(node, ast.If | ast.IfExp):
            yield ast.unparse(node.test)


def _of_a_norm(file: call_sites.File, node: ast.AST) -> bool:
    """Whether a node is reached only for what is an instance of some norm."""
    while node in file.parents:
        node, field = file.parents[node]
        if isinstance(node, ast.If) and field == "body":
            test = ast.unparse(node.test)
            if test.startswith("isinstance(") and "Norm" in test and "Conv" not in test:
                return "Linear" not in test
    return False
