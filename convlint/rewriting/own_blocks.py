"""Separable blocks of a project in place of its dense ones, with the norms and activations of both.

A call ``conv_bn(64, 128, 2)`` becomes ``conv_dw(64, 128, 2)`` where the project defines both. The recorded model shows
what the dense block computes; the text of the other only shows that it may fit, and a run decides.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from convlint.ir import Edit, Graph, IntermediateLayers, LayerChange, Node, Replacement, Site
from convlint.rewriting import call_text, imports
from convlint.rewriting.base import Draft, KindOptions
from convlint.rewriting.between import FORMS, SAVE_LESS_IN_PLACE, form_of
from convlint.rewriting.candidates import Candidate
from convlint.rewriting.layer_use import LayerUse
from convlint.rewriting.own_definitions import NAMES, OwnDefinition, argument, calls, known, parameters
from convlint.rewriting.project import Project
from convlint.rewriting.verification import first_call
from convlint.source_text import call_sites
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass, replace

_CHANNELS = ("in_channels", "out_channels")


def preferred(found: Sequence[Candidate], graph: Graph, project: Project, kind_options: KindOptions) -> list[Candidate]:
    """The candidates; those whose layers can be replaced with their blocks become the fallback of one that does so."""
    result = []
    for candidate in found:
        if candidate.form.code == "CVL502" and candidate.place and "Transpose" not in candidate.form.base:
            for form in reversed(list(_in_blocks(candidate, graph, project, kind_options))):
                candidate = replace(form, fallback=candidate)  # noqa: PLW2901
        result.append(candidate)
    return result


@dataclass(frozen=True, slots=True)
class _Block:
    """The module of a project around a layer, and the operators after its convolution."""

    name: str
    use: LayerUse
    tail: tuple[Node, ...]

    @property
    def operators(self) -> tuple[str, ...]:
        return tuple(node.op for node in self.tail)


def _in_blocks(candidate: Candidate, graph: Graph, project: Project, kind_options: KindOptions) -> Iterator[Candidate]:
    """The same layers replaced with their blocks; several if the text does not show what is between."""
    assert candidate.place is not None
    by_call: dict[Site, list[_Block]] = {}
    for use in candidate.place.uses:
        block = _block_of(use, graph)
        if block is None:
            return
        by_call.setdefault(use.layer.chain[0], []).append(block)
    blocks = [block for group in by_call.values() for block in group]
    names = {use.layer.name for use in candidate.place.uses}
    others = [e for e in graph.layers if e.base == candidate.place.uses[0].layer.base and e.name not in names]
    if len({block.operators for block in blocks}) > 1 or any(set(e.chain[:1]) & set(by_call) for e in others):
        return
    written = [call_sites.at(site, project.texts) for site in by_call if project.refusal(site) is None]
    found = [call for call in written if call is not None and not call.unpacks]
    edits = [_edits(call, project, blocks[0].use.layer.base) for call in found]
    if len(edits) < len(by_call) or not all(edits):
        return
    for between in _forms(blocks[0].operators, edits[0][0].norms, kind_options):
        form = replace(candidate.form, between=between)
        changes = tuple(_change(block, form, candidate, edits[0][0]) for block in blocks)
        if all(min(c.before.params - c.after.params, c.before.macs - c.after.macs) >= 0 for c in changes):
            draft = Draft(tuple(edit for each in edits for edit in each[0].edits))
            place = replace(candidate.place, site=found[0].site, call=found[0])
            yield replace(candidate, place=place, form=form, changes=changes, drafts=(draft,))


def _block_of(use: LayerUse, graph: Graph) -> _Block | None:
    """The module that a call of the project builds of a convolution, and of a norm and an activation after it."""
    name = use.layer.name.rpartition(".")[0]
    module = graph.layer(name) if name else None
    chain = use.layer.chain[:1]
    if module is None or not chain or chain[0] not in (module.site, *module.chain[:1]):
        return None
    once = first_call(graph, name)
    if not once or once[0].layer != use.layer.name:
        return None
    block = _Block(name, use, tuple(once[1:]))
    return block if form_of(block.operators) is not None else None


@dataclass(frozen=True, slots=True)
class _Written:
    """The call of a separable block. ``norms`` between its convolutions; None if it is made of two dense blocks.

    ``biases`` of its convolutions, None for those of the dense block.
    """

    edits: tuple[Edit, ...]
    norms: int | None
    biases: tuple[bool | None, ...]


def _edits(call: WrittenCall, project: Project, base: str) -> list[_Written]:
    """The ways to call a separable block of the project instead of a dense one."""
    definitions = list(known(call, project, base))
    callee = ast.unparse(call.node.func)
    dense = next((each for each in definitions if each.name == callee and each.statement is None), None)
    if dense is None or len(dense.convs) != 1:
        return []
    blocks = {each.node.name for each in definitions} - {dense.node.name}
    found = []
    for own in definitions:
        halves = _halves(own, dense, blocks) if own.node is not dense.node else None
        edits = _arguments(call, dense, own) if halves else None
        if halves is None or edits is None:
            continue
        if own.statement is not None:
            edits.append(imports.with_name(own.statement, call.site.path, call.file, own.name))
        norms = [each for each in calls(own.node) if "Norm" in ast.unparse(each.func)]
        between = sum(halves[0].lineno <= n.lineno < halves[1].lineno for n in norms)
        its_own = halves[0] in own.convs
        biases = tuple(_bias(half) if its_own else None for half in halves)
        found.append(_Written(tuple(edits), between if its_own else None, biases))
    return found


def _bias(conv: ast.Call) -> bool | None:
    return {"": True, "True": True, "False": False}.get(argument(conv, "bias", 7))


def _halves(own: OwnDefinition, dense: OwnDefinition, blocks: Iterable[str]) -> tuple[ast.Call, ast.Call] | None:
    """The calls that build the two convolutions of a separable block: of torch.nn, or of blocks of the project."""
    names = {*blocks, dense.node.name}
    parts = [each for each in calls(own.node) if each in own.convs or ast.unparse(each.func) in names]
    if len(parts) != len(_CHANNELS) or any(len(each.args) < len(_CHANNELS) for each in parts):
        return None
    first, same = (ast.unparse(each) for each in parts[0].args[:2])
    second = [ast.unparse(each) for each in parts[1].args[:2]]
    groups = first  # another block may have the groups inside
    if parts[0] in own.convs:
        groups = argument(parts[0], "groups", 6)
    elif ast.unparse(parts[0].func) == dense.node.name:
        written = list(parameters(dense.node) or ())
        groups = next((argument(parts[0], n, at) for at, n in enumerate(written) if NAMES.get(n) == "groups"), "")
    return (parts[0], parts[1]) if groups == first == same == second[0] != second[1] else None


def _arguments(call: WrittenCall, dense: OwnDefinition, own: OwnDefinition) -> list[Edit] | None:
    """The edits for a call of another definition; None if it has no parameter for an argument that may matter."""
    before, after = parameters(dense.node), parameters(own.node)
    if before is None or after is None or min(len(before), len(after)) < len(_CHANNELS):
        return None
    given: dict[str, ast.expr] = dict(zip(_named(before), call.node.args, strict=False))
    positional = list(given)
    names = dict(zip(before, _named(before), strict=True))
    given |= {names.get(k.arg or "", ""): k.value for k in call.node.keywords}
    defaults = dict(zip(_named(before), before.values(), strict=True))
    arguments: list[str] = []
    more: list[str] = []  # defaults of the dense block
    for name, written in zip(_named(after), after, strict=True):
        if name in given:
            text = call_text.source(call, given[name])
            in_order = not more and positional[len(arguments) : len(arguments) + 1] == [name]
            arguments.append(text if in_order else f"{written}={text}")
            continue
        default = defaults.get(name)
        if default is None and after[written] is None:
            return None  # a parameter that the dense block does not have
        if default is not None and not _same(default, after[written]):
            if not isinstance(default, ast.Constant):
                return None
            more.append(f"{written}={ast.unparse(default)}")
            arguments.append(more[-1])
    named = _named(after)
    lost = [value for name, value in given.items() if name not in named]
    if not all(isinstance(value, ast.Constant) for value in lost):
        return None
    if not lost and named[: len(positional)] == positional and {k.arg for k in call.node.keywords} <= {*after}:
        return [call.replacing(call.node.func, own.name), *([call.adding(", ".join(more))] if more else [])]
    if call.node.end_lineno != call.node.lineno:
        return None  # there may be comments between its arguments
    return [Edit(call.site, f"{own.name}({', '.join(arguments)})")]


def _named(defaults: Mapping[str, object]) -> list[str]:
    """The parameters of a block, named as in torch.nn."""
    return [*_CHANNELS, *(NAMES.get(name, name) for name in list(defaults)[len(_CHANNELS) :])]


def _same(first: ast.expr | None, second: ast.expr | None) -> bool:
    return first is not None and second is not None and ast.unparse(first) == ast.unparse(second)


def _forms(operators: tuple[str, ...], norms: int | None, kind_options: KindOptions) -> Iterator[IntermediateLayers]:
    """Yield the possible layers between the convolutions: those after the dense one, only its norm, or none."""
    possible = [operators, operators[:1]] if norms != 0 else [()]
    for between in dict.fromkeys(form_of(each) for each in (possible[:1] if norms is None else possible)):
        if between is not None and kind_options.between in (None, between):
            yield between


def _change(block: _Block, form: Replacement, candidate: Candidate, written: _Written) -> LayerChange:
    """The costs of a layer before and after, with the biases that the block has, and an activation in place."""
    use = block.use
    after = candidate.kind.costs(use, form)
    n = use.arguments
    first, second = (n.bias if bias is None else bias for bias in written.biases)
    more = n.in_channels * first + n.out_channels * (second - n.bias)
    saved = after.saved_bytes
    in_place = [x for x in block.tail if x.attrs.get("inplace") and x.op in SAVE_LESS_IN_PLACE]
    if saved is not None and in_place and FORMS[form.between].operators == block.operators:
        saved -= sum(out.numel // n.out_channels * n.in_channels * out.itemsize for _, out in use.calls)
    after = replace(after, params=after.params + more, saved_bytes=saved)
    return LayerChange(use.layer.name, form, use.before, after, block=block.name)
