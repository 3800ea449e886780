"""Candidates for dimensions that calls in ``forward`` name: of permutations, concatenations, parts, and reductions."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations

from convlint.analysis import ops
from convlint.ir import Graph, Node
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict_ends import UNPACKED, declared_votes
from convlint.repairs.slicer import Slicer
from convlint.source_text.call_sites import WrittenCall

_MOST = 40  # edits for one conflict
_MOST_CALLS = 12  # calls before the failing one in which a dimension may be wrong
_MOST_MOVED = 3  # dimensions that change their places in a permutation
_MOST_PASSED = 60  # other calls on the way to these

_OF_ONE: dict[str, tuple[tuple[str, ...], int]] = {
    **dict.fromkeys(("cat", "stack"), (("dim", "axis"), 0)),
    **dict.fromkeys(("chunk", "split", "tensor_split"), (("dim",), 1)),
    **dict.fromkeys(("unbind", "unsqueeze", "squeeze", "glu"), (("dim",), 0)),
    **dict.fromkeys(ops.REDUCTIONS, (("dim", "axis"), 0)),
}
"""The parameters that name the dimension, and the position of the argument after the tensor or tensors."""
_ADDS_ONE = frozenset({"stack", "unsqueeze"})


def dimension_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits of dimensions in the calls that lead to a failing one, the nearest call first."""
    found: list[Candidate] = []
    for distance, node in enumerate(_calls_before(graph, graph.nodes[failed])):
        call = slicer.call(node.site) if node.site is not None and slicer.owns(node.site.path) else None
        if call is not None and not call.unpacks:
            found += _of_call(graph, node, call, distance)
    return found[:_MOST]


def expects_other_dimension(graph: Graph, failed: int) -> bool:
    """Return whether a layer expects the size that another dimension of its input has."""
    node = graph.nodes[failed]
    tensor = graph.tensor(node.inputs[0]) if node.inputs else None
    unknown = () if tensor is None else [dim for dim, _ in tensor.unknown]
    expected = [vote.number for vote, _ in declared_votes(graph, failed)][:1]
    sizes = () if tensor is None else tensor.shape
    return any(size in expected for dim, size in enumerate(sizes) if dim not in (0, *unknown))


def _calls_before(graph: Graph, failed: Node) -> Iterator[Node]:
    """The failing call and those before it that choose dimensions, the nearest first."""
    waiting, seen, found = deque([failed]), {failed.id}, 0
    while waiting and found < _MOST_CALLS and len(seen) < _MOST_PASSED:
        node = waiting.popleft()
        if _is_numbered(node):
            found += 1
            yield node
        for tensor in node.inputs:
            before = graph.producer(tensor)
            if before.id not in seen:
                seen.add(before.id)
                waiting.append(before)


def _is_numbered(node: Node) -> bool:
    return node.op in _OF_ONE or node.op in ("permute", "transpose")


def _of_call(graph: Graph, node: Node, call: WrittenCall, distance: int) -> Iterator[Candidate]:
    rank = len(graph.tensor(node.inputs[0]).shape) if node.inputs else 0
    first = int(call.callee.startswith("torch."))  # functions take the tensor first
    args = call.node.args[first:]
    if node.op == "permute":
        dims = args[0].elts if len(args) == 1 and isinstance(args[0], ast.Tuple | ast.List) else args
        yield from _reordered(call, dims, distance)
    elif node.op == "transpose":
        pairs = [pair for pair in permutations(range(1, rank), 2) if pair[0] < pair[1]]
        yield from _others(call, args, pairs, rank, distance)
    else:
        names, position = _OF_ONE[node.op]
        written = next((each for name in names if (each := call.argument(name, position + first)) is not None), None)
        rank += node.op in _ADDS_ONE
        if written is not None:
            yield from _others(call, [written], [(dim,) for dim in range(1, rank)], rank, distance)


def _reordered(call: WrittenCall, dims: Sequence[ast.expr], distance: int) -> Iterator[Candidate]:
    """Other orders of the dimensions of a permutation, those that move the fewest first; the batch keeps its place."""
    numbers = [_constant(each) for each in dims]
    if not 1 < len(numbers) <= len("NCDHW") + 1 or None in numbers:
        return
    orders: list[tuple[int, list[int | None]]] = []
    for order in permutations(range(len(numbers))):
        moved = sum(at != place for place, at in enumerate(order))
        changed = [numbers[at] for at in order]
        if 0 < moved <= _MOST_MOVED and (0 not in numbers or changed.index(0) == numbers.index(0)):
            orders.append((moved, changed))
    for _, places in sorted(orders, key=lambda each: each[0]):
        yield _candidate(call, list(zip(dims, places, strict=True)), distance)


def _others(
    call: WrittenCall, written: Sequence[ast.expr], choices: Sequence[tuple[int, ...]], rank: int, distance: int
) -> Iterator[Candidate]:
    """Other dimensions in the place of those that are written, from the last one if these are counted from there."""
    numbers = [_constant(each) for each in written]
    if not numbers or rank < 1 or any(number is None for number in numbers):
        return
    own = {number % rank for number in numbers if number is not None}
    is_from_end = all(number is not None and number < 0 for number in numbers)
    for choice in choices:
        if len(choice) == len(written) and set(choice) != own:
            texts = [number - rank if is_from_end else number for number in choice]
            yield _candidate(call, list(zip(written, texts, strict=True)), distance)


def _candidate(call: WrittenCall, changes: Sequence[tuple[ast.expr, int | None]], distance: int) -> Candidate:
    edits = [call.replacing(node, str(number)) for node, number in changes if _constant(node) != number]
    before = ", ".join(ast.unparse(node) for node, _ in changes)
    after = ", ".join(str(number) for _, number in changes)
    words = f"use dimension {after} instead of {before}" if len(changes) == 1 else f"replace `{before}` with `{after}`"
    first, *also = edits
    cost = (distance,)
    return Candidate(first, None, None, Fraction(0), cost, cost, call.site, words, tuple(also), doubtful=True)


def _constant(node: ast.expr) -> int | None:
    """The value of a literal integer."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
    return None


# --- the number of parts


def part_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits after which a call returns as many parts as are unpacked."""
    node = graph.nodes[failed]
    maker = graph.producer(node.inputs[0]) if node.inputs else node
    counts = UNPACKED.search(node.error or "")
    call = slicer.call(maker.site) if maker.site is not None and slicer.owns(maker.site.path) else None
    if maker.op not in ("chunk", "split") or counts is None or call is None or call.unpacks:
        return []
    expected, received = int(counts[1]), int(counts[2] or len(node.inputs))
    first = int(call.callee.startswith("torch."))
    names = ("chunks",) if maker.op == "chunk" else ("split_size", "split_size_or_sections")
    written = next((each for name in names if (each := call.argument(name, first)) is not None), None)
    if written is None:
        return []
    texts = [str(expected)] if maker.op == "chunk" else list(_scaled(written, Fraction(received, expected)))
    return [replacing(call, written, text) for text in texts]


def replacing(call: WrittenCall, node: ast.expr, text: str, order: int = 0) -> Candidate:
    """The candidate that writes another text for one argument of a call."""
    words = f"replace `{ast.unparse(node)}` with `{text}`"
    edit, cost = call.replacing(node, text), (order,)
    return Candidate(edit, None, None, Fraction(0), cost, cost, call.site, words, doubtful=True)


def _scaled(node: ast.expr, ratio: Fraction) -> Iterator[str]:
    """An expression times a ratio: a literal factor is changed, else one is written."""
    text = ast.unparse(node)
    match node:
        case ast.Constant(value=int(value)):
            if (value * ratio).denominator == 1:
                yield str(value * ratio)
            return
        case (
            ast.BinOp(left=ast.Constant(value=int(factor)), op=ast.Mult(), right=rest)
            | ast.BinOp(left=rest, op=ast.Mult(), right=ast.Constant(value=int(factor)))
        ) if (factor * ratio).denominator == 1:
            number = int(factor * ratio)
            yield ast.unparse(rest) if number == 1 else f"{number} * {ast.unparse(rest)}"
            return
    operand = text if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({text})"
    if ratio.denominator == 1:
        yield f"{ratio} * {operand}"
    elif ratio.numerator == 1:
        yield f"{operand} // {ratio.denominator}"
