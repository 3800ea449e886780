"""Candidates for the repair of a conflict: written numbers, and the texts that may replace them, most likely first."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import Literal

from convlint.analysis import graph_queries, merges, ops
from convlint.analysis.constructor_parameters import parameter_of
from convlint.analysis.diagnosis import Disagreement, Vote
from convlint.analysis.diagnosis.messages import disagreements_at
from convlint.ir import Edit, Graph, Node, Site
from convlint.repairs.changes import Change, is_odder, simplified
from convlint.repairs.concatenated import sum_texts
from convlint.repairs.written_numbers import Slicer, WrittenNumber, parameters
from convlint.source_text.call_sites import Function

MOST_NAMES = 6
"""Names in scope that are tried without a reason of their own."""


@dataclass(frozen=True)
class Candidate:
    """One edit to try: the number of the graph that it is to correct, and its right value.

    ``cost`` orders candidates: the smallest first. Candidates of the same ``rank`` differ in nothing that makes one of
    them more likely; their order is a convention.
    ``vote`` is None for an argument that its layer does not accept. Where nothing is written yet, ``number`` is None,
    ``call`` the call to which the edit adds an argument, and ``words`` describe it. ``also`` are edits of other places
    that write the same number. ``generality`` is positive for a change inside a class or helper that may be right for
    other arguments too, and larger for an expression that is written there already.
    """

    edit: Edit
    number: WrittenNumber | None
    vote: Vote | None
    right: Fraction
    cost: tuple[int, ...]
    rank: tuple[int, ...]
    call: Site | None = None
    words: str = ""
    also: tuple[Edit, ...] = ()
    generality: int = 0

    def is_equal_to(self, other: Candidate) -> bool:
        """Return whether this repair is as likely as another, of the other end of a conflict."""
        if self.vote is None or other.vote is None:
            return False
        same_end = (self.vote.label, self.vote.frames) == (other.vote.label, other.vote.frames)
        return self.rank == other.rank and not same_end and self.edit.site != other.edit.site

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All edits, which are made together."""
        return (self.edit, *self.also)

    @property
    def place(self) -> Site:
        """The call in which the number is an argument, else the number itself."""
        if self.number is None:
            return self.call or self.edit.site
        return self.number.frame if self.number.role in ("argument", "operand") else self.number.site

    @property
    def title(self) -> str:
        """The edit in words."""
        if self.number is None or self.words:
            return self.words
        return f"replace `{self.number.text}` with `{self.edit.text}`"


Role = Literal["consumer", "blamed", "other"]


@dataclass(frozen=True)
class _End:
    """One number of a conflict, the value that would settle it, its written numbers, and its part in the conflict."""

    vote: Vote
    right: Fraction
    numbers: tuple[WrittenNumber, ...]
    role: Role


def candidates(
    graph: Graph, failed: int, slicer: Slicer, suspected: Collection[tuple[str, int]] = ()
) -> list[Candidate]:
    """The edits that might settle a conflict about channels or features, most likely first.

    ``failed`` is the id of the node that fails. ``suspected`` are lines of classes that fail for some arguments:
    a change inside the class is preferred there.
    """
    block = merges.block_of(graph, graph.nodes[failed])
    ends = [_inside(graph, end, block) if block else end for end in _ends(graph, failed, slicer)]
    known = {str(end.vote.number) for end in ends}
    suspected = {*suspected, *_always_failing(graph)}
    frames = {(number.site, number.frame) for end in ends for number in end.numbers}
    reached = Counter(site for site, _ in frames)  # the calls that a number is written for
    own = {*_in_the_model(graph)}
    joined = graph_queries.concatenation_before(graph, graph.nodes[failed]) is not None
    best: dict[tuple[Site, str], Candidate] = {}
    in_class = any((site.path, site.line) in suspected for end in ends for site in end.vote.frames[:1])
    seen: set[tuple[Site, Change, Role, Site]] = set()  # the numbers of a block that is built many times
    for end in ends:
        for number in end.numbers:
            if (alike := (number.site, number.change, end.role, number.frame)) in seen:
                continue
            seen.add(alike)
            for text, kind in _texts(graph, number, end, ends, slicer):
                if text == number.text:
                    continue
                is_part = joined and end.role == "other"  # of a concatenation, whose sum is easily miscounted
                shared = _is_shared(number) and (number.place.path, number.frame.line) not in own
                rank = (is_part, *_rank(number, kind, text not in known, shared != in_class))
                is_odd = is_odder(number.place.scope, number.node, text)
                cost = _cost(end, number, rank, is_first=in_class and end.vote.node == failed, is_odd=is_odd)
                rank = (*rank, reached[number.site])  # a number of several calls is not as likely as that of one
                generality = _GENERALITY.get(kind, 0) if number.place.is_parameterized else 0
                edit = Edit(number.site, text)
                candidate = Candidate(edit, number, end.vote, end.right, cost, rank, generality=generality)
                key = (candidate.edit.site, text)
                if key not in best or candidate.cost < best[key].cost:
                    best[key] = candidate
    return sorted(best.values(), key=lambda candidate: candidate.cost)


def _inside(graph: Graph, end: _End, block: merges.Block) -> _End:
    """An end with the numbers of a block alone, or of the call that builds it.

    A block that adds its input to its output requires equal widths, so no number of another layer is wrong.
    """
    name = graph.nodes[end.vote.node].layer or ""
    frames = end.vote.frames
    if not name.startswith(f"{block.layer.name}.") or block.layer.site not in frames:
        return replace(end, numbers=())
    depth = frames.index(block.layer.site)
    numbers = [
        number
        for number in end.numbers
        if number.place.depth < depth or (number.place.depth == depth and number.role in ("argument", "operand"))
    ]
    return replace(end, numbers=tuple(numbers))


def _always_failing(graph: Graph) -> Iterator[tuple[str, int]]:
    """The calls through which several layers are built of which every one fails, or makes the next one fail: these are
    wrong, not their callers.
    """
    failed = [node for node in graph.nodes if node.error]
    sources = [graph_queries.source_layer(graph, node) for node in failed if node.inputs]
    failing = {node.layer for node in (*failed, *sources) if node is not None}
    built: dict[tuple[Site, ...], list[bool]] = {}
    for layer in graph.layers:
        if layer.site is not None and layer.leaf:
            frames = (layer.site, *layer.chain)
            for depth in range(1, len(frames) + 1):
                built.setdefault(frames[:depth], []).append(layer.name in failing)
    for frames, fails in built.items():
        if len(fails) > 1 and all(fails):
            yield frames[-1].path, frames[-1].line


def _in_the_model(graph: Graph) -> Iterator[tuple[str, int]]:
    """The calls in the constructor of the model's own class: no block that is used elsewhere as well."""
    root = graph.layer("")
    for layer in graph.layers if root is not None else ():
        for site in (*((layer.site,) if layer.site else ()), *layer.chain):
            if root is not None and site.function == f"{root.kind}.__init__":
                yield site.path, site.line


def _ends(graph: Graph, failed: int, slicer: Slicer) -> Iterator[_End]:
    """Both sides of a conflict: each number with the value that would settle it."""
    seen: set[tuple[str, tuple[Site, ...]]] = set()
    for conflict in disagreements_at(graph, [failed]):
        yield from _voting(graph, conflict, slicer, seen, "blamed")
    for vote, right in declared_votes(graph, failed):
        if (vote.label, vote.frames) not in seen:
            seen.add((vote.label, vote.frames))
            yield _end(graph, vote, right, slicer, "consumer")
    for conflict in disagreements_at(graph, [failed]):
        yield from _voting(graph, conflict, slicer, seen, "other")


def _voting(
    graph: Graph, conflict: Disagreement, slicer: Slicer, seen: set[tuple[str, tuple[Site, ...]]], role: Role
) -> Iterator[_End]:
    """The blamed end of a conflict, or the others, with what would make them agree with it."""
    wanted = [(vote, right) for vote, right in conflict.wrong if right is not None]
    if wanted and role == "other":
        vote, right = wanted[0]
        ratio = Fraction(vote.number) / right if right else Fraction(0)
        wanted = [(other, other.number * ratio) for other in conflict.others]
    for vote, right in wanted:
        if vote.frames and (vote.label, vote.frames) not in seen:
            seen.add((vote.label, vote.frames))
            yield _end(graph, vote, right, slicer, role)


def _end(graph: Graph, vote: Vote, right: Fraction, slicer: Slicer, role: Role) -> _End:
    change = Change.between(Fraction(vote.number), right)
    numbers = slicer.numbers(graph.nodes[vote.node].op, vote.label, vote.frames, change)
    return _End(vote, right, tuple(numbers), role)


def declared_votes(graph: Graph, id: int) -> Iterator[tuple[Vote, Fraction]]:
    """The numbers that a failing layer declares, each with the number that it receives."""
    node = graph.nodes[id]
    frames = _frames(graph, node)
    is_known = bool(frames) and "multiple_of" not in node.attrs
    for label, declared, received in _declared(graph, node) if is_known else ():
        yield Vote(id, label, declared, frames), Fraction(received)


def _declared(graph: Graph, node: Node) -> Iterator[tuple[Literal["in", "out"], int, int]]:
    """The sizes that a failing layer declares and receives: channels or features."""
    shape = graph.tensor(node.inputs[0]).shape if node.inputs else ()
    layer = graph.layer(node.layer)
    attrs = {**(layer.attrs if layer else {}), **node.attrs}
    label: Literal["in", "out"] = "in" if node.op in ops.PROJECTIONS else "out"
    name = None if node.op == "layer_norm" else parameter_of(node.op, label)
    dim = -1 if node.op == "linear" else -ops.spatial_dims(node.op) - 1 if node.op in ops.ALL_CONVS else 1
    size = attrs.get(name) if name else None
    if isinstance(size, int) and -len(shape) <= dim < len(shape) and shape[dim] != size:
        yield label, size, shape[dim]


def _frames(graph: Graph, node: Node) -> tuple[Site, ...]:
    layer = graph.layer(node.layer)
    return () if layer is None or layer.site is None else (layer.site, *layer.chain)


_SIMPLER, _SAME, _COMPUTED, _LITERAL, _NAME, _FIXED = range(6)


_GENERALITY = {_SIMPLER: 3, _SAME: 3, _COMPUTED: 2, _NAME: 1}


def _texts(
    graph: Graph, number: WrittenNumber, end: _End, ends: Sequence[_End], slicer: Slicer
) -> Iterator[tuple[str, int]]:
    """The texts that may replace a written number, and of which kind each is."""
    change = number.change
    is_data = number.literal is not None or isinstance(number.node, ast.Call)
    if number.literal is not None:
        is_general = end.role != "other" and _takes_widths(number, ends)
        for literal in change.of_literal(number.literal):
            yield (str(literal), _FIXED if is_general else _LITERAL)
    if number.role in ("element", "unpacked") or (number.role in ("default", "attribute") and is_data):
        return
    if number.role == "argument" and number.place.depth == 0:
        is_arithmetic = isinstance(number.node, ast.BinOp) and not any(
            isinstance(part, ast.Name | ast.Attribute) for part in ast.walk(number.node)
        )
        yield from ((text, _SIMPLER if is_arithmetic else _SAME) for text in _product(graph, end))
        if end.vote.label == "in" or graph.nodes[end.vote.node].op in ops.CHANNEL_NORMS:
            kind = _SAME if number.place.is_parameterized and number.has_callers else _SIMPLER
            yield from ((text, kind) for text in sum_texts(graph, end.vote.node, number, slicer))
    peers = list(_peers(number, ends))
    for text, value in peers:
        if change.wanted is None:
            yield text, _NAME
        elif text.isdecimal():
            if value == change.wanted:
                yield text, _FIXED if number.place.is_parameterized else _LITERAL
        elif value == change.wanted:
            yield text, _SAME
        elif value and change.wanted % value == 0:
            yield f"{change.wanted / value} * {_operand(text)}", _COMPUTED
        elif change.wanted and value % change.wanted == 0:
            yield f"{_operand(text)} // {value / change.wanted}", _COMPUTED
    for (one, first), (other, second) in combinations(peers, 2):
        written = not (one.isdecimal() or other.isdecimal()) or not number.place.is_parameterized
        if written and change.wanted is not None and first + second == change.wanted:
            yield f"{one} + {other}", _COMPUTED
    simpler = _SIMPLER if number.role == "argument" else _SAME
    yield from ((text, simpler) for text in simplified(number.node, change))
    if number.literal is None:
        text = number.text
        if change.ratio is not None and change.ratio.denominator == 1 and change.ratio > 1:
            yield f"{change.ratio} * {_operand(text)}", _COMPUTED
        elif change.ratio is not None and change.ratio.numerator == 1 and change.ratio < 1:
            yield f"{_operand(text)} // {1 / change.ratio}", _COMPUTED
        if change.wanted is not None and change.wanted.denominator == 1 and change.wanted >= 1:
            yield str(change.wanted), _FIXED if number.place.is_parameterized else _LITERAL
    scope = number.place.scope
    if isinstance(scope, Function) and number.literal is not None and number.role == "argument":
        yield from ((name, _SIMPLER) for name in _unread(scope))
    is_name = isinstance(number.node, ast.Name) and number.role in ("argument", "operand")
    if is_name and isinstance(scope, Function):  # another name was meant
        for name in _widths(scope, number.node)[:MOST_NAMES]:
            yield name, _NAME


def _takes_widths(number: WrittenNumber, ends: Sequence[_End]) -> bool:
    """Return whether the function around a number has a parameter for one of the numbers of the conflict."""
    scope = number.place.scope
    names = parameters(scope) if isinstance(scope, Function) else []
    return any(
        other.place.scope is scope and isinstance(other.node, ast.Name) and other.node.id in names
        for end in ends
        for other in end.numbers
    )


def _product(graph: Graph, end: _End) -> Iterator[str]:
    """The channels times the pixels that a flattened map gives to a linear layer: ``64 * 7 * 7``."""
    node = graph.nodes[end.vote.node]
    if node.op == "linear" and end.vote.label == "in" and node.inputs:
        before = graph.producer(node.inputs[0])
        if before is not None and before.op in ops.FLATTENING and before.inputs:
            shape = graph.tensor(before.inputs[0]).shape[1:]
            if len(shape) > 1 and min(shape) > 0 and max(shape[1:]) > 1:
                yield " * ".join(map(str, shape))


def _unread(scope: Function) -> list[str]:
    """The parameters that a function never reads: where it has a number instead, one of them was meant."""
    read = {node.id for node in ast.walk(scope) if isinstance(node, ast.Name)}
    return [name for name in parameters(scope) if name not in read]


def _widths(scope: Function, node: ast.expr) -> list[str]:
    """The names that a function passes as one of the first two arguments of calls: widths, mostly.

    Those come first that other calls get where ``node`` is passed.
    """
    same: Counter[str] = Counter()
    position = None
    for call in ast.walk(scope):
        if isinstance(call, ast.Call):
            position = next((i for i, argument in enumerate(call.args) if argument is node), position)
    for call in ast.walk(scope):
        if isinstance(call, ast.Call):
            for i, argument in enumerate(call.args[:2]):
                if isinstance(argument, ast.Name) and not hasattr(builtins, argument.id):
                    same[argument.id] += i == position
    own = {
        *parameters(scope),
        *(n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)),
    }
    return [name for name, _ in same.most_common() if name in own]


def _peers(number: WrittenNumber, ends: Sequence[_End]) -> Iterator[tuple[str, Fraction]]:
    """Expressions that other ends of the conflict write in the same scope, and their values."""
    scope = number.place.scope
    found: dict[str, Fraction] = {}
    for end in ends:
        for other in end.numbers:
            if (
                other.place.scope is scope
                and other.node is not number.node
                and other.change.value is not None
                and (other.literal is not None or other.role not in ("element", "unpacked"))
                and not other.is_alternative
                and other.text not in found
                and not _is_past_loop(other, number)
            ):
                found[other.text] = other.change.value
    yield from found.items()


def _is_past_loop(variable: WrittenNumber, number: WrittenNumber) -> bool:
    """Return whether a variable of a loop would be read after the loop, where its last value remains."""
    name = variable.node.id if isinstance(variable.node, ast.Name) else None
    loops = [inside for names, inside in _loops(number.place.scope) if name in names]
    return bool(loops) and not any(number.node in inside for inside in loops)


@lru_cache(maxsize=32)
def _loops(scope: ast.AST) -> list[tuple[frozenset[str], frozenset[ast.AST]]]:
    """The loops of a function: the names that they bind, and all nodes in them."""
    return [
        (frozenset(t.id for t in ast.walk(node.target) if isinstance(t, ast.Name)), frozenset(ast.walk(node)))
        for node in ast.walk(scope)
        if isinstance(node, ast.For)
    ]


def _operand(text: str) -> str:
    """A text that can stand next to ``*`` or ``//``."""
    node = ast.parse(text, mode="eval").body
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.Call | ast.Subscript)
    return text if simple else f"({text})"


def _is_shared(number: WrittenNumber) -> bool:
    """Return whether a number is inside a class or helper that is called with arguments."""
    return number.place.is_parameterized and number.has_callers


def _rank(number: WrittenNumber, kind: int, is_new: bool, is_elsewhere: bool) -> tuple[int, ...]:
    """Rank an edit by its size, and by whether it is elsewhere than suspected: inside a class that other calls use as
    well, or outside of one that fails for other arguments.
    """
    is_default = number.role in ("default", "attribute") and number.place.is_parameterized
    return (kind in (_NAME, _FIXED), kind != _SIMPLER, is_elsewhere, is_default, kind, is_new)


def _cost(end: _End, number: WrittenNumber, rank: tuple[int, ...], *, is_first: bool, is_odd: bool) -> tuple[int, ...]:
    """Order edits: the end that is blamed first, then the layer that fails, and the smaller change.

    ``is_first`` puts the end first of those that are as likely, ``is_odd`` an edit last.
    """
    *likely, is_default, kind, is_new = rank
    return (
        *likely,
        not is_first,
        is_odd,
        ("blamed", "consumer", "other").index(end.role),
        is_default,
        kind,
        number.place.depth,
        is_new,
        number.role == "assignment" or number.is_alternative,  # other numbers come from it too
        -end.vote.node,
        number.site.line,
        number.site.column,
    )
