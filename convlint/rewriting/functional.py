"""Convolutions that are calls of functions, with a weight that a module of the project owns: they can have groups.

Other rewrites replace a layer, and here is none: the module keeps its weight, which becomes smaller.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from convlint.analysis import cost, ops
from convlint.ir import Costs, Edit, Graph, LayerChange, Node, Refusal, Replacement, Site
from convlint.rewriting.base import Draft, EditedCall, Kind, KindOptions
from convlint.rewriting.kinds.cvl501_grouped import Grouped
from convlint.rewriting.layer_use import STEM_CHANNELS, LayerArguments, LayerUse
from convlint.rewriting.project import Project
from convlint.rewriting.unsupported import matches_pattern
from convlint.source_text import call_sites
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass, replace

_GROUPS = 6  # the position of the argument ``groups``


@dataclass(frozen=True, slots=True)
class GroupedCall:
    """A call in the source that gets groups: the modules that make it, with their costs, and the edits."""

    kind: Kind
    place: EditedCall
    form: Replacement
    changes: tuple[LayerChange, ...]
    draft: Draft


def rewrites(
    graph: Graph, kinds: Sequence[Kind], kind_options: KindOptions, patterns: Sequence[str], project: Project
) -> Iterator[GroupedCall | Refusal]:
    """The calls that can have groups, and the refusals of all ``kinds`` for the others."""
    yield from refusals(graph, [kind for kind in kinds if not isinstance(kind, Grouped)], patterns)
    by_site: dict[Site | None, list[Node]] = {}
    for node in _dense_calls(graph, patterns):
        by_site.setdefault(node.site, []).append(node)
    for kind in kinds:
        if isinstance(kind, Grouped):
            for site, group in by_site.items():
                made = _grouped(graph, kind, kind_options, group, project)
                names = tuple(node.module for node in group)
                yield Refusal(kind.code, site, names, made) if isinstance(made, str) else made


def refusals(graph: Graph, kinds: Sequence[Kind], patterns: Sequence[str]) -> Iterator[Refusal]:
    """The refusals of kinds that replace layers; of those for linear layers only where there is no other kind."""
    kinds = [kind for kind in kinds if kind.base != "Linear"] or kinds
    for node in _dense_calls(graph, patterns):
        reason = f"not supported for a call of torch.nn.functional.{node.op}: there is no layer to replace"
        for kind in kinds:
            yield Refusal(kind.code, graph.where(node), (node.module,), reason)


def _dense_calls(graph: Graph, patterns: Sequence[str]) -> Iterator[Node]:
    """The convolutions larger than 1x1 that no layer owns, without first layers."""
    for node in graph.nodes:
        convolves = node.op in ops.CONVS | ops.TRANSPOSED_CONVS and matches_pattern(node.module, patterns)
        if convolves and not _is_layer(graph, node):
            numbers = node.attrs
            dense = prod(numbers.get("kernel_size", ())) > 1 and numbers.get("groups") == 1
            if dense and numbers.get("in_channels", 0) > STEM_CHANNELS:
                yield node


def _is_layer(graph: Graph, node: Node) -> bool:
    """Return whether a call is that of a convolution layer."""
    owner = graph.layer(node.layer or node.module)
    return owner is not None and owner.base.startswith("Conv")


def _grouped(
    graph: Graph, kind: Grouped, kind_options: KindOptions, nodes: Sequence[Node], project: Project
) -> GroupedCall | str:
    """One call with groups, for all modules that make it; a string is the reason why it cannot be written."""
    uses = [use for node in nodes if (use := _use(graph, node)) is not None]
    names = {_parameter(use) for use in uses}
    site, name = nodes[0].site, names.pop() if len(names) == 1 else None
    if len(uses) != len(nodes) or len({use.layer.name for use in uses}) != len(uses) or name is None or site is None:
        return "its weight is not the parameter of a module that only computes this"
    for use in uses:
        if (reason := kind.refusal(use.arguments, kind_options)) is not None:
            return reason
    if (reason := project.refusal(site)) is not None:
        return reason
    form = kind.form(uses, kind_options, graph)
    if isinstance(form, str) or not all(kind.fits(use.arguments, form, kind_options) for use in uses):
        return "its modules have no number of groups in common"
    form = replace(form, base="")
    call = call_sites.at(site, project.texts)
    edits = None if call is None or call.unpacks else _edits(call, name, form.groups)
    if call is None or edits is None:
        return "the shape of its weight is not written in the constructor of its class"
    weight = call.argument("weight", 1)
    computed = not (isinstance(weight, ast.Attribute) and ast.unparse(weight) == f"self.{name}")
    changes = tuple(_change(use, kind, form, computed=computed) for use in uses)
    return GroupedCall(kind, EditedCall(site, call, tuple(uses), project=project), form, changes, Draft(edits))


def _change(use: LayerUse, kind: Grouped, form: Replacement, *, computed: bool) -> LayerChange:
    """The costs of a module before and after: its weight and the convolution have that many times less.

    What is saved for backward of a weight that is computed from the parameter depends on how it is computed.
    """
    n, before = use.arguments, use.before
    weights = n.window * n.in_channels * n.out_channels
    fewer = weights - weights // form.groups
    after = replace(kind.costs(use, form), params=before.params - fewer)
    if computed:
        after = replace(after, saved_bytes=None)
    return LayerChange(use.layer.name, form, before, after)


def _arguments(node: Node) -> LayerArguments:
    """The numbers of a call."""
    numbers: Mapping[str, Any] = node.attrs
    kernel = tuple(numbers["kernel_size"])
    transposed = node.op in ops.TRANSPOSED_CONVS
    return LayerArguments(int(numbers["in_channels"]), int(numbers["out_channels"]), kernel, transposed=transposed)


def _use(graph: Graph, node: Node) -> LayerUse | None:
    """The module that makes a call; None if it has layers of its own, or is the model."""
    layer = graph.layer(node.module)
    if layer is None or not layer.name or any(each.name.startswith(f"{layer.name}.") for each in graph.layers):
        return None
    macs = sum(cost.macs(graph, each) or 0 for each in graph.nodes if each.module == layer.name)
    out = node.outputs[0]
    before = Costs(layer.params, macs, out.nbytes, layer.saved_bytes)
    calls = ((graph.tensor(node.inputs[0]), out),)
    return LayerUse(layer, _arguments(node), before, calls) if macs == cost.macs(graph, node) else None


def _parameter(use: LayerUse) -> str | None:
    """The parameter of a module that has the shape of the weight; None unless there is one."""
    n = use.arguments
    first = (n.in_channels, n.out_channels) if n.transposed else (n.out_channels, n.in_channels)
    names = [name for name, shape in use.layer.parameters if tuple(shape) == (*first, *n.kernel_size)]
    return names[0] if len(names) == 1 and not use.layer.shares else None


def _edits(call: WrittenCall, name: str, groups: int) -> tuple[Edit, ...] | None:
    """The edits of the call and of the statement that creates the weight; None if they are not written plainly."""
    given = next((keyword.value for keyword in call.node.keywords if keyword.arg == "groups"), None)
    if given is None and len(call.node.args) > _GROUPS:
        given = call.node.args[_GROUPS]
    if given is not None and not (isinstance(given, ast.Constant) and given.value == 1):
        return None
    shape = _shape(call, name)
    if shape is None:
        return None
    second = shape[1]
    if isinstance(second, ast.Constant) and isinstance(second.value, int):
        text = str(second.value // groups)
    else:
        written = ast.get_source_segment("".join(call.file.lines), second) or ""
        plain = isinstance(second, ast.Name | ast.Attribute | ast.Call)
        text = f"{written if plain else f'({written})'} // {groups}"
    with_groups = call.adding(f"groups={groups}") if given is None else call.replacing(given, str(groups))
    return (call.replacing(second, text), with_groups)


def _shape(call: WrittenCall, name: str) -> list[ast.expr] | None:
    """The numbers that the class around a call gives a tensor which becomes its parameter ``name``."""
    node: ast.AST = call.node
    while not isinstance(node, ast.ClassDef):
        if node not in call.file.parents:
            return None
        node, _ = call.file.parents[node]
    written = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Assign) and any(ast.unparse(target) == f"self.{name}" for target in each.targets)
    ]
    if len(written) != 1:
        return None
    for made in ast.walk(written[0].value):
        if isinstance(made, ast.Call) and made.args:
            first = made.args[0]
            numbers = first.elts if isinstance(first, ast.Tuple | ast.List) else made.args
            if len(numbers) >= 3 and not any(isinstance(number, ast.Starred) for number in numbers[:2]):
                return list(numbers)
    return None
