"""Candidates for the repair of an argument that a layer rejects: groups, floats, sizes out of range."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import gcd
from typing import Any

from convlint.analysis import graph_queries, ops
from convlint.ir import Edit, Graph, Layer, Node, Site
from convlint.repairs.candidate import Candidate
from convlint.repairs.changes import Change, simplified
from convlint.repairs.names_in_scope import unread
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.call_sites import Function
from convlint.support.dataclass import dataclass

_MOST_DIVISORS = 4  # nearest to the groups that were given
_COUNTS = {
    "in_channels": 0,
    "out_channels": 1,
    "in_features": 0,
    "out_features": 1,
    "num_features": 0,
    "num_channels": 1,
    "num_groups": 0,
    "groups": 6,
}
"""Arguments that must be whole numbers, and their positions."""

Text = tuple[WrittenNumber, str]
"""A written number, and the text that may replace it."""


@dataclass(frozen=True)
class _Argument:
    """An argument of a layer, its position, its value, and a value to try instead."""

    name: str
    position: int
    value: int
    right: int


def argument_candidates(graph: Graph, name: str, slicer: Slicer) -> list[Candidate]:
    """The edits that might make a layer accept its arguments, the most likely first."""
    layer = graph.layer(name)
    if layer is None or layer.site is None:
        return []
    frames = (layer.site, *layer.chain)
    found: dict[tuple[Site, str], Candidate] = {}
    for candidate in _without_groups(graph, layer, slicer):
        found[candidate.edit.site, candidate.edit.text] = candidate
    for order, (number, text) in enumerate([*_whole(layer, frames, slicer), *_in_range(graph, layer, frames, slicer)]):
        if text != number.text:
            edit = Edit(number.site, text)
            found.setdefault((number.site, text), Candidate(edit, number, None, Fraction(0), (order,), (order,)))
    return [*found.values()]


# --- groups that the call need not have


def _without_groups(graph: Graph, layer: Layer, slicer: Slicer) -> Iterator[Candidate]:
    """The edit that removes a literal ``groups`` from a constructor call: not where its channels are wrong as well, or
    other layers have such groups.
    """
    call = None if layer.site is None else slicer.call(layer.site)
    into, out = layer.attrs.get("in_channels"), layer.attrs.get("out_channels")
    if call is None or not slicer.owns(call.site.path) or type(into) is not int:
        return
    written = next((keyword for keyword in call.node.keywords if keyword.arg == "groups"), None)
    if written is None or not isinstance(written.value, ast.Constant):
        return
    groups = [o.attrs["groups"] for o in graph.layers if o.error is None and o.attrs.get("groups", 1) != 1]
    if groups:
        calls = graph.nodes_of(layer.name)
        fits = _received(graph, calls) in (None, into) and _expected(graph, calls) in (None, out)
        kernel = layer.attrs.get("kernel_size")
        alike = [
            o.attrs["groups"]
            for o in graph.layers
            if o.error is None and "groups" in o.attrs and o.attrs.get("kernel_size") == kernel
        ]
        if not fits or any(type(number) is int and number > 1 and into % number == 0 for number in alike):
            return
    cost, words = (0,), f"remove `groups={ast.unparse(written.value)}`"
    yield Candidate(call.removing(written), None, None, Fraction(0), cost, cost, call.site, words)


# --- floats


def _whole(layer: Layer, frames: tuple[Site, ...], slicer: Slicer) -> Iterator[Text]:
    """Texts that make whole numbers of floats: by the division or rounding itself, else by a conversion."""
    floats = [name for name in _COUNTS if isinstance(layer.attrs.get(name), float)]
    if not floats and "float" in (layer.error or ""):  # static analysis rounds them
        floats = [name for name in _COUNTS if name in layer.attrs]
    numbers = [
        number for name in floats for number in slicer.numbers_of(frames, name, _COUNTS[name], Change(None, None))
    ]
    for number in numbers:
        match number.node:
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                yield number, f"{_operand(left)} // {_operand(right)}"
            case ast.Call(func=ast.Name(id="round"), args=[rounded, _]):
                yield number, f"round({ast.unparse(rounded)})"
            case ast.Constant(value=float(value)) if value.is_integer():
                yield number, str(int(value))
    for number in numbers:
        if isinstance(number.node, ast.BinOp | ast.Call) and number.role in ("assignment", "argument"):
            yield number, f"int({number.text})"
    for number in numbers:
        if isinstance(number.node, ast.Name | ast.Attribute) and number.role == "argument":
            yield number, f"int({number.text})"


def _operand(node: ast.expr) -> str:
    """A text that can stand next to ``//``."""
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.Call | ast.Subscript)
    return ast.unparse(node) if simple else f"({ast.unparse(node)})"


# --- values out of range, and groups that do not divide


def _in_range(graph: Graph, layer: Layer, frames: tuple[Site, ...], slicer: Slicer) -> Iterator[Text]:
    """Texts for arguments that are out of range: a literal factor dropped, then the smallest changes of each."""
    arguments: dict[tuple[str, int, int], list[int]] = {}
    for each in _arguments(graph, layer):
        arguments.setdefault((each.name, each.position, each.value), []).append(each.right)
    texts = [
        ((kind != _SIMPLER, argument, kind, number.place.depth, order), number, text)
        for argument, ((name, position, value), wanted) in enumerate(arguments.items())
        for order, right in enumerate(wanted)
        for number in slicer.numbers_of(frames, name, position, Change.between(Fraction(value), Fraction(right)))
        for kind, text in _texts(number, right, layer, frames, slicer)
    ]
    for _, number, text in sorted(texts, key=lambda each: each[0]):
        yield number, text


_SIMPLER = -2


def _texts(
    number: WrittenNumber, right: int, layer: Layer, frames: tuple[Site, ...], slicer: Slicer
) -> Iterator[tuple[int, str]]:
    """The texts that give a written number its right value, and how far each is from what was written."""
    if number.literal is not None and number.literal == number.change.value:
        yield 0, str(right)
        return
    if number.literal is not None:
        yield from ((0, str(literal)) for literal in number.change.of_literal(number.literal))
        return
    yield from ((_SIMPLER, text) for text in simplified(number.node, number.change))
    scope = number.place.scope
    if number.role == "argument":
        yield from ((1, text) for text in _texts_of_channels(number, right, layer, frames, slicer))
    if number.role == "argument" and number.place.depth == 0:
        if isinstance(scope, Function):
            keyword, _ = number.place.file.parents.get(number.node, (None, ""))
            own = keyword.arg if isinstance(keyword, ast.keyword) else None
            yield from ((_SIMPLER if name == own else -1, name) for name in unread(scope))
        yield 2, str(right)


def _texts_of_channels(
    number: WrittenNumber, right: int, layer: Layer, frames: tuple[Site, ...], slicer: Slicer
) -> Iterator[str]:
    """The expressions in the same call for the channels of the layer, if these have the right value."""
    for name in ("in_channels", "out_channels", "num_channels"):
        if layer.attrs.get(name) == right:
            for other in slicer.numbers_of(frames, name, _COUNTS[name], Change()):
                if other.role == "argument" and other.frame == number.frame and other.literal is None:
                    yield other.text


def _arguments(graph: Graph, layer: Layer) -> Iterator[_Argument]:
    """The arguments that may be wrong, each with a value to try, the most likely first."""
    calls = graph.nodes_of(layer.name)
    attrs = {**(calls[0].attrs if calls else {}), **layer.attrs}
    if "groups" in attrs and {"in_channels", "out_channels"} <= attrs.keys():
        yield from _of_groups(graph, attrs, calls)
    elif {"num_groups", "num_channels"} <= attrs.keys():
        yield from _of_norm_groups(graph, attrs, calls)
    yield from _of_windows(layer, attrs)


def _of_groups(graph: Graph, attrs: Mapping[str, Any], calls: tuple[Node, ...]) -> Iterator[_Argument]:
    into, out, groups = (attrs[name] for name in ("in_channels", "out_channels", "groups"))
    if not all(type(number) is int for number in (into, out, groups)):
        return
    if groups >= 1 and into % groups == out % groups == 0:
        return
    received, expected = _received(graph, calls), _expected(graph, calls)
    if groups >= 1 and received not in (None, into) and received % groups == 0:
        yield _Argument("in_channels", 0, into, received)
    if groups >= 1 and expected not in (None, out) and expected % groups == 0:
        yield _Argument("out_channels", 1, out, expected)
    if groups > 1 and groups == into:  # depthwise
        yield _Argument("out_channels", 1, out, into)
    elif groups > 1 and groups == out:  # or the channels of a depthwise layer, by which its groups are written
        yield _Argument("in_channels", 0, into, out)
        yield _Argument("out_channels", 1, out, into)
    others = Counter(
        layer.attrs["groups"] for layer in graph.layers if layer.error is None and layer.attrs.get("groups", 1) != 1
    )
    for divisor in _nearest(gcd(into, out), groups, others):
        yield _Argument("groups", 6, groups, divisor)


def _of_norm_groups(graph: Graph, attrs: Mapping[str, Any], calls: tuple[Node, ...]) -> Iterator[_Argument]:
    groups, channels = attrs["num_groups"], attrs["num_channels"]
    if type(groups) is not int or type(channels) is not int or (groups >= 1 and channels % groups == 0):
        return
    received = _received(graph, calls)
    expected = _expected(graph, calls)
    if groups >= 1 and received not in (None, channels) and received % groups == 0:
        yield _Argument("num_channels", 1, channels, received)
    if groups >= 1 and expected not in (None, channels, received) and expected % groups == 0:
        yield _Argument("num_channels", 1, channels, expected)
    others = Counter(
        layer.attrs["num_groups"] for layer in graph.layers if layer.error is None and "num_groups" in layer.attrs
    )
    for divisor in _nearest(received or channels, groups, others):
        yield _Argument("num_groups", 0, groups, divisor)


def _nearest(number: int, groups: int, others: Counter[int]) -> list[int]:
    """Divisors of ``number``: those that other layers use as groups first, then those nearest to ``groups``, and 1."""
    divisors = graph_queries.divisors(number)
    near = sorted(divisors, key=lambda n: (-others[n], abs(n - groups), -n))
    return [*dict.fromkeys([*near[:_MOST_DIVISORS], 1])]


def _received(graph: Graph, calls: tuple[Node, ...]) -> int | None:
    """The channels of the tensor that a layer receives, if it was called."""
    for node in calls:
        shape = graph_queries.input_shape(graph, node) if node.inputs else ()
        dim = -ops.spatial_dims(node.op) - 1 if node.op in ops.ALL_CONVS else 1
        if -len(shape) <= dim < len(shape):
            return shape[dim]
    return None


def _expected(graph: Graph, calls: tuple[Node, ...]) -> int | None:
    """The channels that the next layer expects, if there is one."""
    for node in calls:
        after = graph_queries.only_consumer(graph, node)
        while after is not None:
            for name in ("in_channels", "num_features", "num_channels"):
                if type(expected := after.attrs.get(name)) is int:
                    return expected
            after = graph_queries.only_consumer(graph, after) if after.op in ops.CHANNEL_PRESERVING else None
    return None


_LEAST = {"kernel_size": 1, "stride": 1, "dilation": 1, "padding": 0, "output_padding": 0}


def _of_windows(layer: Layer, attrs: Mapping[str, Any]) -> Iterator[_Argument]:
    """Kernels, strides and paddings, if all their values are equal."""
    is_pool = "Pool" in layer.base
    positions = ("kernel_size", "stride", "padding") if is_pool else ("", "", "kernel_size", "stride", "padding")
    if layer.base.startswith("ConvTranspose"):
        positions = (*positions, "output_padding", "", "", "dilation")
    elif not is_pool:
        positions = (*positions, "dilation")
    values = {name: value for name in positions if name and (value := _single(attrs.get(name))) is not None}
    for name, value in values.items():
        if value < _LEAST[name]:
            yield from (_Argument(name, positions.index(name), value, n) for n in {_LEAST[name]: 0, abs(value): 0})
    least = max(values.get("stride", 1), values.get("dilation", 1))
    if values.get("output_padding", 0) >= least:
        yield _Argument("output_padding", 5, values["output_padding"], least - 1)
        yield _Argument("stride", 3, values.get("stride", 1), values["output_padding"] + 1)
    if is_pool and 2 * values.get("padding", 0) > values.get("kernel_size", 0) > 0:
        yield _Argument("padding", 2, values["padding"], values["kernel_size"] // 2)


def _single(sizes: object) -> int | None:
    """The one value of all dimensions."""
    if isinstance(sizes, tuple) and len(set(sizes)) == 1 and type(sizes[0]) is int:
        return sizes[0]
    return None
