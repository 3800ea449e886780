"""The texts that may replace a written number for channels or features, and of which kind each is."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, islice, takewhile

from convlint.analysis import ops
from convlint.analysis.graph_queries import concatenation_before
from convlint.ir import Graph
from convlint.repairs.changes import literal_value, simplified
from convlint.repairs.concatenated import sum_texts
from convlint.repairs.conflict_ends import End
from convlint.repairs.list_items import other_items
from convlint.repairs.names_in_scope import (
    MOST_NAMES,
    computed_from,
    factors,
    other_attributes,
    passed_names,
    unread,
    unread_lists,
    widths,
)
from convlint.repairs.same_scope import near
from convlint.repairs.slicer import Slicer
from convlint.repairs.usual_widths import OTHER_END
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import assigned, default_of, parameters
from convlint.source_text.call_sites import Function
from convlint.source_text.trees import expression, nodes_of

_MOST_PEERS = 32  # expressions of other ends of a conflict, which are added in pairs


SIMPLER, SAME, COMPUTED, LITERAL, NAME, FIXED = range(6)


GENERALITY = {SIMPLER: 3, SAME: 3, COMPUTED: 2, NAME: 1}


def texts(
    graph: Graph, number: WrittenNumber, end: End, ends: Sequence[End], slicer: Slicer, *, may_add: bool
) -> Iterator[tuple[str, int]]:
    """The texts that may replace a written number, and of which kind each is; sums of two numbers if it ``may_add``."""
    change = number.change
    is_data = number.literal is not None or isinstance(number.node, ast.Call)
    if number.literal is not None:
        # Another factor keeps the parameter that it multiplies.
        is_general = end.role != "other" and not number.is_factor and _takes_widths(number, ends)
        for literal in change.of_literal(number.literal):
            if _is_times(number) and literal == _number_of_parts(graph, end):
                yield str(literal), SIMPLER
            elif literal != 1 or not number.is_factor:  # it is dropped
                yield (str(literal), FIXED if is_general else LITERAL)
    if number.role == "element" and isinstance(number.place.scope, Function):
        yield from _of_an_item(number, number.place.scope)
    if number.role in ("element", "unpacked") or (number.role in ("default", "attribute") and is_data):
        return
    if number.role == "argument" and number.place.depth == 0:
        is_arithmetic = isinstance(number.node, ast.BinOp) and not any(
            isinstance(part, ast.Name | ast.Attribute) for part in ast.walk(number.node)
        )
        yield from ((text, SIMPLER if is_arithmetic else SAME) for text in _product(graph, end))
    is_read = end.vote.label == "in" or graph.nodes[end.vote.node].op in ops.CHANNEL_NORMS
    if is_read and number.role in ("argument", "assignment") and change.value == end.vote.number:
        kind = SAME if number.place.is_parameterized and number.has_callers else SIMPLER
        for text in sum_texts(graph, end.vote.node, number, slicer):
            is_rest = f" + {number.text} + " in f" + {text} + "  # which was forgotten: where the number is computed
            yield text, SIMPLER if is_rest and not _is_alias(number) else kind
    peers = list(islice(_peers(number, _nearest_first(graph, end, ends)), _MOST_PEERS))
    wanted = None if change.value is None else change.wanted
    if number.role == "argument" and wanted and all(value != wanted for _, value in peers):
        peers += [(text, wanted) for text in near(graph, end.vote.node, int(wanted), number, slicer)]
    for text, value in peers:
        if change.wanted is None:
            yield text, NAME
        elif text.isdecimal():
            if value == change.wanted:
                yield text, FIXED if number.place.is_parameterized else LITERAL
        elif value == change.wanted:
            yield text, SAME
        elif value and change.wanted >= value and change.wanted % value == 0:
            yield f"{change.wanted / value} * {_operand(text)}", COMPUTED
        elif change.wanted and value and value % change.wanted == 0:
            yield f"{_operand(text)} // {value / change.wanted}", COMPUTED
    for (one, first), (other, second) in combinations(peers, 2) if may_add else ():
        written = not (one.isdecimal() or other.isdecimal()) or not number.place.is_parameterized
        if written and change.wanted is not None and first + second == change.wanted:
            yield f"{one} + {other}", COMPUTED
    if may_add and wanted and number.role == "argument" and number.literal is None:
        forgotten = _forgotten(graph, end, number, slicer)
        is_multiple = isinstance(number.node, ast.BinOp) and isinstance(number.node.op, ast.Mult)
        parts = [ast.unparse(part) for part in ast.walk(number.node)] if is_multiple else [number.text]
        kind = SAME if isinstance(_last_value(number), ast.BinOp) else SIMPLER  # which is added where that is computed
        yield from ((f"{name} + {number.text}", kind) for name in forgotten if name not in parts)
    for text in simplified(number.node, change):  # a parameter has a factor for a reason more often than a variable
        is_parameter = isinstance(number.place.scope, Function) and text in parameters(number.place.scope)
        yield text, SIMPLER if number.role == "argument" and not is_parameter else SAME
    if number.literal is None:
        text = number.text
        if change.ratio is not None and change.ratio.denominator == 1 and change.ratio > 1:
            yield f"{change.ratio} * {_operand(text)}", COMPUTED
        elif change.ratio is not None and change.ratio.numerator == 1 and change.ratio < 1:
            yield f"{_operand(text)} // {1 / change.ratio}", COMPUTED
        if change.wanted is not None and change.wanted.denominator == 1 and change.wanted >= 1:
            yield str(change.wanted), FIXED if number.place.is_parameterized else LITERAL
    yield from ((text, SIMPLER) for text in (*_other_totals(number.node), *_other_choice(number.node)))
    scope = number.place.scope
    if isinstance(scope, Function) and number.role == "argument":
        yield from ((name, SIMPLER) for name in unread(scope))
        if change.shift is not None and change.shift > 0 and number.literal is None:
            yield from ((f"{name} + {number.text}", SIMPLER) for name in unread(scope))
            yield from ((f"{number.text} + {name}.pop()", SIMPLER) for name in unread_lists(scope))
        if isinstance(number.node, ast.BinOp) and isinstance(number.node.op, ast.Add):
            left = ast.unparse(number.node.left)
            yield from ((f"{left} + {name}.pop()", SIMPLER) for name in unread_lists(scope))
        if change.ratio is not None and change.ratio > 1:
            yield from ((f"{_factor(number.node)} * {factor}", SAME) for factor in factors(number, scope))
            yield from ((text, SAME) for text in _squared(number.node))
    keyword, _ = number.place.file.parents.get(number.node, (None, ""))
    named = keyword.arg if isinstance(keyword, ast.keyword) and isinstance(scope, Function) else None
    if named and isinstance(scope, Function) and (named in parameters(scope) or assigned(scope, named)):
        yield named, SAME if named in passed_names(scope) else SIMPLER
    if number.role in ("argument", "assignment"):
        yield from ((text, SIMPLER) for text in other_items(number.node, scope))
    if isinstance(number.node, ast.Attribute) and number.node.attr in OTHER_END:
        yield f"{ast.unparse(number.node.value)}.{OTHER_END[number.node.attr]}", SIMPLER
    if isinstance(number.node, ast.Name) and number.role == "argument":
        passed = passed_names(scope)
        yield from ((name, SIMPLER) for name in computed_from(scope, number.node.id) if name not in passed)
    is_name = isinstance(number.node, ast.Name) and number.role in ("argument", "operand")
    if is_name and isinstance(scope, Function):  # another name was meant
        for name in widths(scope, number.node)[:MOST_NAMES]:
            yield name, SAME if _is_named_for(name, end) and not _is_named_for(number.text, end) else NAME
    if isinstance(number.node, ast.Attribute) and number.role in ("argument", "operand"):
        yield from ((name, NAME) for name in other_attributes(number.place.file.scope(scope), number.node))


def _is_times(number: WrittenNumber) -> bool:
    """Return whether a literal says how many times a width is taken: ``4 * width``."""
    around, _ = number.place.file.parents.get(number.node, (None, ""))
    return isinstance(around, ast.BinOp) and isinstance(around.op, ast.Mult)


def _number_of_parts(graph: Graph, end: End) -> int:
    """The number of equal tensors that a layer reads concatenated, or into which its output is divided; else 0."""
    node = graph.nodes[end.vote.node]
    if end.vote.label == "out":
        readers = [reader for tensor in node.outputs for reader in graph.consumers(tensor.id)]
        return next((len(reader.outputs) for reader in readers if reader.op in ("chunk", "split")), 0)
    joined = concatenation_before(graph, node)
    parts = [] if joined is None else [graph.tensor(id).shape[joined.attrs["dim"]] for id in joined.inputs]
    return len(parts) if len(set(parts)) == 1 else 0


def _other_totals(node: ast.expr) -> Iterator[str]:
    """The sum of numbers of which the largest is taken, or the largest of those that are added."""
    match node:
        case ast.Call(func=ast.Name(id="sum" | "max" as total), args=[numbers]):
            written = ast.unparse(numbers)
            inside = written if isinstance(numbers, ast.GeneratorExp) else f"({written})"
            yield f"{'max' if total == 'sum' else 'sum'}{inside}"


def _other_choice(node: ast.expr) -> Iterator[str]:
    """A conditional number with the opposite condition."""
    if isinstance(node, ast.IfExp):
        match node.test:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as operator], comparators=[right]):
                opposite = "!=" if isinstance(operator, ast.Eq) else "=="
                test = f"{ast.unparse(left)} {opposite} {ast.unparse(right)}"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                test = ast.unparse(operand)
            case other:
                yield f"{ast.unparse(node.orelse)} if {ast.unparse(other)} else {ast.unparse(node.body)}"
                return
        yield f"{ast.unparse(node.body)} if {test} else {ast.unparse(node.orelse)}"


def _forgotten(graph: Graph, end: End, number: WrittenNumber, slicer: Slicer) -> Iterator[str]:
    """The names for the part of a concatenation that a number lacks."""
    joined = concatenation_before(graph, graph.nodes[end.vote.node])
    lacks = number.change.shift
    parts = [] if joined is None else [graph.tensor(id).shape[joined.attrs["dim"]] for id in joined.inputs]
    if lacks is not None and lacks in parts and number.change.value == end.vote.number:
        yield from near(graph, end.vote.node, int(lacks), number, slicer)
        scope = number.place.scope
        for name in parameters(scope) if isinstance(scope, Function) else ():
            default = default_of(scope, name) if isinstance(scope, Function) else None
            if default is not None and literal_value(default) == lacks:
                yield name


def _is_alias(number: WrittenNumber) -> bool:
    """Return whether an argument is a variable that was another name last: ``width`` after ``width = inputs``."""
    return isinstance(_last_value(number), ast.Name)


def _last_value(number: WrittenNumber) -> ast.expr | None:
    """The value that a variable which is an argument was assigned last."""
    node, scope = number.node, number.place.scope
    if number.role != "argument" or not isinstance(node, ast.Name) or not isinstance(scope, Function):
        return None
    before = [value for value, holds in assigned(scope, node.id) if not holds and value.lineno < node.lineno]
    return max(before, key=lambda value: value.lineno, default=None)


def _is_named_for(name: str, end: End) -> bool:
    """Return whether a name says what it is for: ``in_channels`` for the input of a layer."""
    return name.startswith("in" if end.vote.label == "in" else "out")


def _takes_widths(number: WrittenNumber, ends: Sequence[End]) -> bool:
    """Return whether the function around a number has a parameter for one of the numbers of the conflict."""
    scope = number.place.scope
    names = parameters(scope) if isinstance(scope, Function) else []
    return any(
        other.place.scope is scope and isinstance(other.node, ast.Name) and other.node.id in names
        for end in ends
        for other in end.numbers
    )


def _product(graph: Graph, end: End) -> Iterator[str]:
    """The channels times the pixels that a flattened map gives to a linear layer: ``64 * 7 * 7``."""
    node = graph.nodes[end.vote.node]
    if node.op == "linear" and end.vote.label == "in" and node.inputs:
        before = graph.producer(node.inputs[0])
        while before.op in ops.ACTIVATIONS and before.inputs:
            before = graph.producer(before.inputs[0])
        if before.op in ops.FLATTENING and before.inputs:
            shape = graph.tensor(before.inputs[0]).shape[1:]
            if len(shape) > 1 and min(shape) > 0 and max(shape[1:]) > 1:
                yield " * ".join(map(str, shape))


def _nearest_first(graph: Graph, end: End, ends: Sequence[End]) -> list[End]:
    """The other ends of a conflict, those first that the same iteration of a loop builds: their names begin alike."""
    own = (graph.nodes[end.vote.node].layer or "").split(".")

    def distance(other: End) -> int:
        names = zip(own, (graph.nodes[other.vote.node].layer or "").split("."), strict=False)
        return -sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], names))

    return sorted((other for other in ends if other is not end), key=distance)


def _peers(number: WrittenNumber, ends: Sequence[End]) -> Iterator[tuple[str, Fraction]]:
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
        for node in nodes_of(scope)
        if isinstance(node, ast.For)
    ]


def _of_an_item(number: WrittenNumber, scope: Function) -> Iterator[tuple[str, int]]:
    """The texts that may replace an item of a list that a function writes: ``[stem]`` of ``build([stem], widths)``."""
    node, change = number.node, number.change
    names = widths(scope, node) if isinstance(node, ast.Name | ast.Attribute) else []
    yield from ((name, NAME) for name in names[:MOST_NAMES])
    if isinstance(node, ast.BinOp) or number.text in names:  # other items of a tuple may be classes
        yield from ((text, SAME) for text in simplified(node, change))
        if change.ratio is not None and change.ratio > 1:
            yield from ((f"{_factor(node)} * {factor}", SAME) for factor in factors(number, scope))
            if change.ratio.denominator == 1:
                yield f"{change.ratio} * {_operand(number.text)}", COMPUTED
        elif change.ratio is not None and change.ratio.numerator == 1 and change.ratio < 1:
            yield f"{_operand(number.text)} // {1 / change.ratio}", COMPUTED


def _squared(node: ast.expr) -> Iterator[str]:
    """A product of two names with either of them twice: ``channels * scale ** 2``."""
    match node:
        case ast.BinOp(left=ast.Name(id=left), op=ast.Mult(), right=ast.Name(id=right)):
            yield f"{left} * {right} ** 2"
            yield f"{right} * {left} ** 2"


def _factor(node: ast.expr) -> str:
    """An expression that can stand before ``*``."""
    is_product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
    return ast.unparse(node) if is_product else _operand(ast.unparse(node))


def _operand(text: str) -> str:
    """A text that can stand next to ``*`` or ``//``."""
    simple = isinstance(expression(text), ast.Name | ast.Attribute | ast.Constant | ast.Call | ast.Subscript)
    return text if simple else f"({text})"
