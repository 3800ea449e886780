from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from convlint.analysis import graph_queries, ops
from convlint.analysis.constructor_calls import constructor_call
from convlint.ir import Edit, Finding, Fix, Graph, Layer, Node, Site
from convlint.rules.base import Rule, related_to
from convlint.source_text import call_sites


class BiasBeforeNorm(Rule):
    """A convolution or linear layer has a bias, and the norm after it subtracts that bias.

    ## Why is this bad?

    BatchNorm and InstanceNorm subtract the mean of every channel. A constant that is added to the whole channel is
    part of that mean, so it cancels out, and in training its gradient is zero up to rounding. The parameters, their
    optimizer state and the addition cost memory and time without effect: the norm has a bias of its own.

    Nothing is reported before LayerNorm, or before a GroupNorm with fewer groups than channels: their mean covers
    several channels, so a bias per channel has an effect. Nor if anything besides the norm reads the output.

    ## Use instead

    `bias=False` in the constructor of the layer.

    ## Fix safety

    The fix is unsafe for saved models: old checkpoints contain a `bias` that the layer no longer has. In eval mode
    the old bias must be subtracted from the norm's `running_mean` to keep the outputs the same.

    It is only displayed if this one call cannot be edited for everything that it builds: if `bias` is a parameter
    or comes from `*args`, `**kwargs` or your own class, if the call also builds a layer without such a norm, if the
    norm is built in another function, conditionally or from a parameter, or if the file reads a `bias` without
    checking that it exists.

    ## References

    - Ioffe and Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167), section 3.2
    """

    code = "CVL301"
    name = "bias-before-norm"
    severity = "info"
    decided_by = ("source", "run")
    needs = "bias-before-norm"

    def check(self, graph: Graph) -> Iterator[Finding]:
        cancelled: list[tuple[Node, Sequence[Node]]] = []
        for node in graph_queries.first_calls(graph, ops.PROJECTIONS):
            if node.attrs["bias"]:
                calls = graph_queries.calls_of_same_layer(graph, node)
                norms = [n for call in calls if (n := _norm_that_cancels(graph, call)) is not None]
                if len(norms) == len(calls):
                    cancelled.append((node, norms))
        useless = {layer.name for node, _ in cancelled if (layer := graph.layer(node.layer))}
        needed = {layer.site: layer.name for layer in reversed(graph.layers) if layer.name not in useless}
        for node, norms_after in cancelled:
            yield self.finding(
                f"the bias of this {graph_queries.kind_name(graph, node)} ({node.outputs[0].shape[1]:,} parameters) "
                f"has no effect: {graph_queries.name(graph, norms_after[0])} subtracts it; use bias=False",
                graph.where(node),
                module=node.layer,
                # If the run ended early, another reader of the output may not have been reached.
                confidence="high" if graph.status == "complete" else "medium",
                related=related_to("the norm that subtracts the bias", graph.where(norms_after[0])),
                fix=_fix(graph, node, norms_after, needed),
            )


def _norm_that_cancels(graph: Graph, node: Node) -> Node | None:
    """Return the only reader of ``node`` if it subtracts the mean of each channel and the bias is constant on it."""
    norm = graph_queries.only_consumer(graph, node)
    if norm is None or norm.inputs[0] != node.outputs[0].id:
        return None
    shape = node.outputs[0].shape
    if len(shape) != (2 if node.op == "linear" else 2 + ops.spatial_dims(node.op)):
        return None  # the bias is not along dimension 1: there is no batch, or it is along the last one
    if norm.op in ops.PER_CHANNEL_NORMS:
        return norm
    if norm.op == "group_norm" and norm.attrs.get("num_groups") == shape[1] and len(shape) > 2:
        return norm
    return None


def _fix(graph: Graph, node: Node, norms: Sequence[Node], needed: Mapping[Site | None, str]) -> Fix | None:
    layer = graph.layer(node.layer)
    if layer is None or layer.site is None:
        return None
    edit = _edit(graph, layer, norms, needed)
    if isinstance(edit, str):
        return Fix(f"set bias=False manually: {edit}", "display", ())
    return Fix("set bias=False (old checkpoints still contain the bias)", "unsafe", (edit,))


def _edit(graph: Graph, layer: Layer, norms: Sequence[Node], needed: Mapping[Site | None, str]) -> Edit | str:
    """Return the edit of the call that builds ``layer``, or the reason why the call cannot be edited."""
    call = constructor_call(graph, layer)
    if call is None:
        return f"the line does not call torch.nn.{layer.base} directly"
    if layer.site in needed:
        return f"the same call builds `{needed[layer.site]}`, which is not followed by such a norm"
    for norm in norms:
        site = graph.where(norm)
        norm_call = call_sites.at(site, graph.texts) if site is not None else None
        if norm_call is None or not call.implies(norm_call) or not norm_call.callee:
            return "this layer may also be built without such a norm"
    if reader := _reader(call.file, layer.name.rpartition(".")[2]):
        return f"`{reader}` is read in this file"
    bias = call.argument("bias", 2 if layer.base == "Linear" else 7)
    if bias is None:
        return "some arguments are unpacked" if call.unpacks else call.adding("bias=False")
    if isinstance(bias, ast.Constant) and bias.value is True:
        return call.replacing(bias, "False")
    return f"bias is `{ast.unparse(bias)}`"


def _reader(file: call_sites.ParsedFile, attribute: str) -> str | None:
    """Return an expression in the file that may read the bias of the layer ``attribute`` and does not expect None."""
    return next((text for owner, text in _reads(file) if owner in (None, attribute)), None)


@lru_cache(maxsize=64)
def _reads(file: call_sites.ParsedFile) -> Sequence[tuple[str | None, str]]:
    """Return the expressions that read a bias and are not compared with None, each with the name of its owner, if that
    is an attribute.
    """
    reads: dict[tuple[str | None, str], None] = {}
    for node in file.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "bias" and isinstance(node.ctx, ast.Load):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else None
            if not _of_a_norm(file, node):
                reads.setdefault((owner, ast.unparse(node)))
    tested = set(_tested(file)) if reads else set()
    return [read for read in reads if read[1] not in tested]


def _tested(file: call_sites.ParsedFile) -> Iterator[str]:
    """Yield the expressions that the file compares with None: ``x`` in ``if x`` and ``x is not None``."""
    for node in file.nodes:
        if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "None":
            yield ast.unparse(node.left)
        elif isinstance(node, ast.If | ast.IfExp):
            yield ast.unparse(node.test)


def _of_a_norm(file: call_sites.ParsedFile, node: ast.AST) -> bool:
    """Return whether a node is only reached for instances of norms."""
    while node in file.parents:
        node, field = file.parents[node]
        if isinstance(node, ast.If) and field == "body":
            test = ast.unparse(node.test)
            if test.startswith("isinstance(") and "Norm" in test and "Conv" not in test:
                return "Linear" not in test
    return False
