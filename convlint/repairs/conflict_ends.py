"""The ends of a conflict: the numbers that disagree, and the values that would settle it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from math import prod
from typing import Literal

from convlint.analysis import graph_queries, merges, ops
from convlint.analysis.constructor_parameters import parameter_of
from convlint.analysis.diagnosis import Disagreement, Vote
from convlint.analysis.diagnosis.messages import disagreements_at
from convlint.ir import Graph, Node, Site, Tensor
from convlint.repairs.changes import Change
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.support.dataclass import dataclass, replace

Role = Literal["consumer", "blamed", "other"]


@dataclass(frozen=True)
class End:
    """One number of a conflict, the value that would settle it, its written numbers, and its part in the conflict."""

    vote: Vote
    right: Fraction
    numbers: tuple[WrittenNumber, ...]
    role: Role


def inside(graph: Graph, end: End, block: merges.Block) -> End:
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


def ends_of(graph: Graph, failed: int, slicer: Slicer) -> Iterator[End]:
    """Both sides of a conflict: each number with the value that would settle it."""
    seen: set[tuple[str, tuple[Site, ...]]] = set()
    for vote, right in (*_split(graph, graph.nodes[failed]), *_reshaped(graph, graph.nodes[failed])):
        yield _end(graph, vote, right, slicer, "blamed")
    for conflict in disagreements_at(graph, [failed]):
        yield from _voting(graph, failed, conflict, slicer, seen, "blamed")
    for vote, right in declared_votes(graph, failed):
        if (vote.label, vote.frames) not in seen:
            seen.add((vote.label, vote.frames))
            yield _end(graph, vote, right, slicer, "consumer")
    for vote, right in _parts(graph, failed):
        if (vote.label, vote.frames) not in seen:
            seen.add((vote.label, vote.frames))
            yield _end(graph, vote, right, slicer, "other")
    for vote, right in _operands(graph, graph.nodes[failed]):
        if (vote.label, vote.frames) not in seen:
            seen.add((vote.label, vote.frames))
            yield _end(graph, vote, right, slicer, "other")
    for conflict in disagreements_at(graph, [failed]):
        yield from _voting(graph, failed, conflict, slicer, seen, "other")
    for vote, right in _before(graph, failed):
        if (vote.label, vote.frames) not in seen:
            seen.add((vote.label, vote.frames))
            yield _end(graph, vote, right, slicer, "other")


def _before(graph: Graph, failed: int) -> Iterator[tuple[Vote, Fraction]]:
    """The layer that makes the input of a failing layer, with what it must output for that to be what it expects.

    Calls between them may split, halve or reshape its output. A block that is called again is not followed again, so
    that its output has the same channels only by its shape.
    """
    declared = next(iter(declared_votes(graph, failed)), None)
    node = graph.nodes[failed]
    if declared is not None and node.inputs and (len(node.inputs) == 1 or node.op in ops.ELEMENTWISE | ops.OF_FEATURES):
        yield from _scaled(graph, node.inputs[0], Fraction(declared[0].number) / declared[1])


def _scaled(graph: Graph, tensor: int, ratio: Fraction) -> Iterator[tuple[Vote, Fraction]]:
    """The layer that a tensor comes from through calls with one input, with ``ratio`` times its channels."""
    node = graph.producer(tensor)
    while node.op not in ops.PROJECTIONS and node.op != "embedding":
        if not node.inputs or (len(node.inputs) > 1 and node.op not in ops.ELEMENTWISE):
            return
        if node.op == "chunk":
            ratio *= _whole(graph, node, tensor)
        tensor = node.inputs[0]
        node = graph.producer(tensor)
    name = parameter_of(node.op, "out")
    number = node.outputs[0].shape[-1] if node.op == "embedding" else node.attrs.get(name or "")
    if type(number) is int and _frames(graph, node) and (number * ratio).denominator == 1:
        yield Vote(node.id, "out", number, _frames(graph, node)), number * ratio


def _whole(graph: Graph, node: Node, part: int) -> Fraction:
    """Return by how much a whole must grow for equal parts: parts of 43, 43 and 42 channels need 129, not 128."""
    before, after = graph.tensor(node.inputs[0]).shape, graph.tensor(part).shape
    dim, count = node.attrs.get("dim"), node.attrs.get("chunks")
    if not isinstance(dim, int) or not isinstance(count, int) or not -len(before) <= dim < len(before) == len(after):
        return Fraction(1)
    return Fraction(after[dim] * count, before[dim]) if before[dim] else Fraction(1)


def _parts(graph: Graph, failed: int) -> Iterator[tuple[Vote, Fraction]]:
    """The layers whose outputs a failing layer reads joined, with what each must output for the sum to fit.

    Layers that one line builds change together.
    """
    joined = graph_queries.concatenation_before(graph, graph.nodes[failed])
    declared = next(iter(declared_votes(graph, failed)), None)
    if joined is None or declared is None:
        return
    missing = declared[0].number - declared[1]
    by_frames: dict[tuple[Site, ...], list[Node]] = {}
    for maker in _makers(graph, joined, _MOST_NESTED):
        if _frames(graph, maker):
            by_frames.setdefault(_frames(graph, maker), []).append(maker)
    for frames, makers in by_frames.items():
        name = parameter_of(makers[0].op, "out")
        number = makers[0].attrs.get(name) if name else None
        right = number + missing / len(makers) if type(number) is int else Fraction(0)
        if type(number) is int and right >= 1 and right.denominator == 1:
            yield Vote(makers[0].id, "out", number, frames), right


UNPACKED = re.compile(r"values to unpack \(expected (\d+)(?:, got (\d+))?\)")
"""The error of a tuple of another length: how many parts are expected, and how many there are."""


def unpacked(graph: Graph) -> int | None:
    """The call whose parts a failing forward could not unpack: the last one in that line."""
    failure = graph.failure
    if failure is None or failure.site is None or not UNPACKED.search(failure.message):
        return None
    place = (failure.site.path, failure.site.line)
    calls = [node.id for node in graph.nodes if node.site is not None and (node.site.path, node.site.line) == place]
    return calls[-1] if calls else None


def _split(graph: Graph, failed: Node) -> Iterator[tuple[Vote, Fraction]]:
    """The layer whose output is split into more or fewer parts than are unpacked, with the output for these."""
    text = failed.error or (graph.failure.message if graph.failure and failed.id == unpacked(graph) else "")
    counts = UNPACKED.search(text)
    if counts is not None and failed.inputs:
        number = int(counts[2] or len(failed.inputs))
        yield from _scaled(graph, failed.inputs[0], Fraction(int(counts[1]), number))


def _reshaped(graph: Graph, failed: Node) -> Iterator[tuple[Vote, Fraction]]:
    """The layer whose output a view cannot hold, with the channels that it can. Some may be cut off before, or it is
    one of several equal parts.
    """
    wanted = failed.attrs.get("shape", ())
    if failed.op != "reshape" or not failed.error or len(wanted) < 2 or not all(type(n) is int for n in wanted):
        return
    shape = graph.tensor(failed.inputs[0]).shape
    if min(wanted) < 1 or not shape or shape[0] < 1:
        return
    if prod(_unknown_sizes(failed.outputs[0])) % prod(_unknown_sizes(graph.tensor(failed.inputs[0]))):
        return
    before = graph.producer(failed.inputs[0])
    parts = len(before.outputs) if before.op in ("chunk", "split") else 1
    for vote, number in _scaled(graph, failed.inputs[0], Fraction(1)):
        maker, sizes = graph.nodes[vote.node], graph.nodes[vote.node].outputs[0].shape
        pixels = prod(sizes[1:-1] if maker.op in ops.OF_FEATURES else sizes[2:])
        channels, fitting = Fraction(prod(shape[1:]), pixels), Fraction(prod(wanted), shape[0] * pixels)
        right = parts * fitting if parts > 1 else number + fitting - channels
        if fitting.denominator == 1 and right >= 1:
            yield vote, right


def _unknown_sizes(tensor: Tensor) -> list[int]:
    """The sizes of a tensor that stand for unknown ones."""
    return [tensor.shape[dim] for dim, _ in tensor.unknown]


def _operands(graph: Graph, failed: Node) -> Iterator[tuple[Vote, Fraction]]:
    """The layers that make the operands of a sum or product, each with the size of another operand."""
    if failed.op not in ops.ELEMENTWISE:
        return
    for dim in merges.differing(graph, failed)[:1]:
        shapes = {id: graph.tensor(id).shape for id in failed.inputs}
        from_end = dim - max(map(len, shapes.values()))
        sizes = {id: shape[from_end] for id, shape in shapes.items() if -from_end <= len(shape)}
        for id, size in sizes.items():
            other = next((each for each in sizes.values() if each not in (1, size)), size)
            if size not in (1, other):
                yield from _scaled(graph, id, Fraction(other, size))


_MOST_NESTED = 20


def _makers(graph: Graph, joined: Node, depth: int) -> Iterator[Node]:
    """The layers that make the parts of a concatenation, also of concatenations in it."""
    for id in joined.inputs:
        maker = graph_queries.maker_of_channels(graph, id)
        if maker.op == "cat" and maker.attrs.get("dim") == joined.attrs.get("dim") and depth:
            yield from _makers(graph, maker, depth - 1)
        else:
            yield maker


def _voting(
    graph: Graph,
    failed: int,
    conflict: Disagreement,
    slicer: Slicer,
    seen: set[tuple[str, tuple[Site, ...]]],
    role: Role,
) -> Iterator[End]:
    """The blamed end of a conflict, or the others, with what would make them agree with it."""
    declared = {(vote.label, vote.node): right for vote, right in declared_votes(graph, failed)}
    wanted = [
        (vote, declared.get((vote.label, vote.node), right)) for vote, right in conflict.wrong if right is not None
    ]
    if wanted and role == "other":
        vote, right = wanted[0]
        ratio = Fraction(vote.number) / right if right else Fraction(0)
        wanted = [(other, other.number * ratio) for other in conflict.others]
    for vote, right in wanted:
        if vote.frames and (vote.label, vote.frames) not in seen:
            seen.add((vote.label, vote.frames))
            yield _end(graph, vote, right, slicer, role)


def _end(graph: Graph, vote: Vote, right: Fraction, slicer: Slicer, role: Role) -> End:
    change = Change.between(Fraction(vote.number), right)
    numbers = slicer.numbers(graph.nodes[vote.node].op, vote.label, vote.frames, change)
    return End(vote, right, tuple(numbers), role)


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
    label: Literal["in", "out"] = "in" if node.op in ops.SIZED_BY_INPUT else "out"
    name = None if node.op in ("layer_norm", "embedding") else parameter_of(node.op, label)
    dim = -1 if node.op in ops.OF_FEATURES else -ops.spatial_dims(node.op) - 1 if node.op in ops.ALL_CONVS else 1
    size = attrs.get(name) if name else None
    if isinstance(size, int) and -len(shape) <= dim < len(shape) and shape[dim] != size:
        yield label, size, shape[dim]


def _frames(graph: Graph, node: Node) -> tuple[Site, ...]:
    layer = graph.layer(node.layer)
    return () if layer is None or layer.site is None else (layer.site, *layer.chain)
