"""Candidates for the repair of sizes that do not fit: paddings, strides, kernels and output paddings.

The sizes are computed before anything is tried: only changes after which the operands of the merge fit are proposed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fractions import Fraction

from convlint.analysis import merges, ops
from convlint.analysis.constructor_parameters import position
from convlint.analysis.size_flow import flow
from convlint.analysis.working_sizes import working_sizes
from convlint.ir import Edit, Graph, Node, Shape, Site
from convlint.repairs.candidate import Candidate
from convlint.repairs.changes import Change
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import parameters
from convlint.source_text.call_sites import Function
from convlint.support.dataclass import dataclass

_MOST = 24  # changes that are proposed
_NEAREST = 8  # layers of one path that may be changed
_LARGEST_KERNEL = 7
_LARGEST_STRIDE = 4
_SCALES = (2, 4, 8)
_UNUSUAL = 10  # more unlikely than any other change


@dataclass(frozen=True)
class _Change:
    """Another value of one argument of a layer or function; ``centered`` for the padding that keeps the size."""

    node: Node
    name: str
    value: Shape
    order: tuple[int, ...]
    centered: bool = False


def size_candidates(graph: Graph, failed: int, slicer: Slicer) -> list[Candidate]:
    """The edits after which the maps that a merge joins have one size, the most likely first.

    None where other input sizes work: then the input is the cause.
    """
    node = graph.nodes[failed]
    if not merges.differs_in_size(graph, node) or merges.differs_in_channels(graph, node) or working_sizes(graph):
        return []
    found: dict[tuple[Site, str], Candidate] = {}
    for change in _fitting(graph, node):
        for candidate in _written(graph, change, slicer):
            found.setdefault((candidate.edit.site, candidate.edit.text), candidate)
    return sorted(found.values(), key=lambda candidate: candidate.cost)[:_MOST]


def _fitting(graph: Graph, failing: Node) -> Iterator[_Change]:
    """The changes of single layers on the way to the merge after which it works, with the failures that they leave."""
    paths = merges.paths(graph, failing)
    for path in paths:
        others = [node for other in paths if other is not path for node in other]
        sized = [node for node in path if node.op in _WINDOWS or node.op == "interpolate"]
        for node in sized[-_NEAREST:]:
            place = graph.where(node)
            alike = [other for other in graph.nodes if other.op == node.op and graph.where(other) == place]
            for name, value, likely in _values(node, others):
                centered = name == "padding" and value == _centered(node)
                result = flow(graph, {}, {each.id: _attrs(each, name, value, centered) for each in alike})
                if failing.id not in result.failed:
                    order = (len(result.failed), likely, len(path), -node.id)
                    yield _Change(node, name, value, order, centered)
            dilations = _dilations_before(graph, alike) if node.op in ops.CONVS else {}
            if dilations.get(node.id, node.attrs.get("dilation")) != node.attrs.get("dilation"):
                result = flow(graph, {}, {id: {"dilation": value} for id, value in dilations.items()})
                if failing.id not in result.failed:
                    order = (len(result.failed), 0, len(path), -node.id)
                    yield _Change(node, "dilation", dilations[node.id], order)


def _dilations_before(graph: Graph, alike: Sequence[Node]) -> dict[int, Shape]:
    """The dilation of the convolution before each of those that one line builds, as two in a block have the same."""
    found: dict[int, Shape] = {}
    ids, last = {node.id for node in alike}, None
    for node in graph.nodes:
        if node.id in ids and last is not None:
            found[node.id] = last
        elif node.op == alike[0].op:
            last = node.attrs.get("dilation")
    return found


_WINDOWS = ops.ALL_CONVS | ops.WINDOW_POOLS


def _attrs(node: Node, name: str, value: Shape, centered: bool) -> dict[str, object]:
    """The attributes of a call that a change of an argument changes."""
    if centered:
        return {name: _centered(node)}
    if name == "scale_factor":
        return {name: value[0]}
    if name == "kernel_size" and node.op in ops.WINDOW_POOLS and node.attrs["stride"] == node.attrs[name]:
        return {name: value, "stride": value}  # the stride of a pool is its kernel by default
    return {name: value}


def _centered(node: Node) -> Shape:
    """The padding with which an odd kernel keeps the size of the map."""
    kernel = node.attrs["kernel_size"]
    dilation = node.attrs.get("dilation") or (1,) * len(kernel)
    return tuple([ops.kernel_extent(k, d) // 2 for k, d in zip(kernel, dilation, strict=True)])


_USUAL = 2  # stride, and scale of an upsampling


def _values(node: Node, others: Sequence[Node]) -> Iterator[tuple[str, Shape, int]]:
    """Other values of the arguments of a window, each with its order: the lowest are the most likely."""
    attrs = node.attrs
    if node.op == "interpolate":
        scales = [n for n in _SCALES if n != attrs.get("scale_factor", n)]
        yield from (("scale_factor", (n,), 0 if n == _USUAL else 2) for n in scales)
        return
    kernel, stride, padding = (attrs.get(name) for name in ("kernel_size", "stride", "padding"))
    if not (isinstance(kernel, tuple) and isinstance(stride, tuple) and isinstance(padding, tuple)):
        return
    count, centered = len(kernel), _centered(node)
    keeps_size = node.op in ops.CONVS or set(stride) == {1}
    if keeps_size and centered != padding and all(k % 2 for k in kernel):
        yield "padding", centered, 0
    if node.op in ops.TRANSPOSED_CONVS:
        for extra in range(max(*stride, *(attrs.get("dilation") or (1,)))):
            if (extra,) * count != attrs.get("output_padding"):
                yield "output_padding", (extra,) * count, 0
    strides = {other.attrs["stride"] for other in others if isinstance(other.attrs.get("stride"), tuple)}
    for value in [*strides, *[(n,) * count for n in range(1, _LARGEST_STRIDE + 1)]]:
        if len(value) == count and value != stride:
            is_usual = value == (_USUAL,) * count and max(stride) > _USUAL
            yield "stride", value, 0 if is_usual else 1 if value in strides else 2
    for size in range(2 if max(kernel) > 1 else 1, _LARGEST_KERNEL + 1):
        if (size,) * count != kernel:
            is_even = size % 2 == 0 and kernel[0] % 2 == 1
            yield "kernel_size", (size,) * count, 3 + abs(size - kernel[0]) + _UNUSUAL * is_even
    for pad in range(max(centered) + 2):
        if (pad,) * count not in (padding, centered):
            yield "padding", (pad,) * count, 4 + abs(pad - padding[0])


# --- as text


_OF_FUNCTIONS = {"kernel_size": 1, "stride": 2, "padding": 3, "scale_factor": 2}
"""The positions of the arguments of functions, such as ``F.max_pool2d``."""


def _written(graph: Graph, change: _Change, slicer: Slicer) -> Iterator[Candidate]:
    """The edits that make a change: of the written numbers that the argument comes from, or of the call without it."""
    node, value = change.node, change.value
    layer = graph.layer(node.layer)
    if layer is not None and layer.site is not None and layer.base != "Module":
        frames, at = (layer.site, *layer.chain), position(node.op, change.name)
    elif node.site is not None and node.op not in ops.ALL_CONVS:
        frames, at = (node.site,), _OF_FUNCTIONS.get(change.name)
    else:
        return
    call = slicer.call(frames[0])
    if at is None or call is None or not slicer.owns(frames[0].path):
        return
    known = [*_computed(change, slicer, frames), *_names_in_scope(graph, change, slicer, frames), _text(value)]
    texts = [(text, order) for order, text in enumerate(known)]
    if call.argument(change.name, at) is None:
        if isinstance(call.scope, Function) and change.name in parameters(call.scope) and not call.unpacks:
            edit, cost = call.adding(f"{change.name}={change.name}"), (0, 0, *change.order[2:], 0)
            words = f"add {change.name}={change.name}"
            yield Candidate(edit, None, None, Fraction(0), cost, cost, frames[0], words)
        if not call.unpacks and change.name not in ("kernel_size", "scale_factor"):
            for text, order in texts:
                words = f"add {change.name}={text}"
                edit = call.adding(f"{change.name}={text}")
                cost = (*change.order, order)
                yield Candidate(edit, None, None, Fraction(0), cost, cost, frames[0], words)
        return
    old = node.attrs[change.name]
    first = old[0] if isinstance(old, tuple) else old
    wanted = Change(Fraction(first), Fraction(value[0]))
    for number in slicer.numbers_of(frames, change.name, at, wanted):
        if _is_whole(number, first):
            own = texts if number.place.depth == 0 and number.role == "argument" else texts[-1:]
            hides = number.literal is None and number.place.is_parameterized
            for text, order in own:
                if text != number.text:
                    failing, likely, *rest = change.order
                    # A literal in the place of a parameter takes its effect from it.
                    more = _UNUSUAL if hides and text.isdecimal() else 0
                    cost = (failing, likely + more, *rest, order + number.place.depth)
                    words = f"{change.name}={text} (replace `{number.text}` with `{text}`)"
                    yield Candidate(Edit(number.site, text), number, None, Fraction(0), cost, cost, words=words)


def _is_whole(number: WrittenNumber, old: int) -> bool:
    """Check whether a written number is the argument itself: the literal, or what is passed for it."""
    if number.literal is not None:
        return number.literal == old and number.role in ("argument", "default", "assignment")
    return number.role == "argument"


def _computed(change: _Change, slicer: Slicer, frames: tuple[Site, ...]) -> list[str]:
    """The centered padding as an expression, where kernel or dilation are not literals: ``d * (k - 1) // 2``."""
    if not change.centered:
        return []
    kernel, dilation = (
        None if (at := position(change.node.op, name)) is None else slicer.argument(frames, name, at)
        for name in ("kernel_size", "dilation")
    )
    if kernel is None or (kernel.literal is not None and (dilation is None or dilation.literal is not None)):
        return []
    if dilation is None:
        return [f"{kernel.text} // 2"]
    spacing = f"({dilation.text})" if isinstance(dilation.node, ast.BinOp) else dilation.text
    if kernel.literal is None:
        return [f"{spacing} * ({kernel.text} - 1) // 2"]
    half = kernel.literal // 2
    return [dilation.text if half == 1 else f"{half} * {spacing}"]


def _names_in_scope(graph: Graph, change: _Change, slicer: Slicer, frames: tuple[Site, ...]) -> list[str]:
    """Texts of other layers in the same function for an argument of this value: a parameter ``stride``, mostly."""
    call, texts = slicer.call(frames[0]), []
    for other in graph.layers:
        if other.site is None or call is None or other.site.path != frames[0].path or other.chain != frames[1:]:
            continue
        if other.attrs.get(change.name) in (change.value, change.value[0]):
            at = position(change.node.op, change.name)
            written = None if at is None else slicer.argument((other.site, *other.chain), change.name, at)
            if written is not None and written.literal is None and written.place.scope is call.scope:
                texts.append(written.text)
    return list(dict.fromkeys(texts))


def _text(value: Shape) -> str:
    return str(value[0]) if len(set(value)) == 1 else str(value)
