"""The expressions that may replace the one that a number is written as."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

from convlint.analysis.width_names import is_width_name
from convlint.latent.arguments import NOT_WIDTHS
from convlint.latent.expression_values import own_value, scope_of, value_of
from convlint.latent.following import Followed
from convlint.latent.numbers import LayerNumber
from convlint.latent.rewritten import is_small_literal, swapped_parameters
from convlint.repairs.changes import simplified
from convlint.repairs.list_items import other_items
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import is_bound_at, parameters
from convlint.source_text.call_sites import Function
from convlint.source_text.trees import expression
from convlint.static.domain.objects import Scope
from convlint.static.program.parse import cached

_MOST_EXPRESSIONS = 24  # of one scope


def texts(failed: Followed, number: LayerNumber, written: WrittenNumber) -> Iterator[tuple[str, bool, bool]]:
    """The texts that may replace an expression; for each whether its value fits, and whether it was composed."""
    scope = written.place.scope
    if not isinstance(scope, Function):
        return
    values = {
        text: value
        for text, value in _expressions(failed, number, written, scope).items()
        if is_bound_at(scope, written.node, text) and not _reads_target(written, text)
    }
    wanted = written.change.wanted
    is_exact = (
        wanted is not None
        and written.change.value is not None
        and written.change.value == own_value(failed, number, written)
    )
    for text, value in values.items():
        if value == wanted or (not is_exact and not (written.role == "operand" and is_small_literal(written.node))):
            yield text, value == wanted, False
    if (swapped := swapped_parameters(written, scope)) is not None:
        yield swapped, False, False
    if wanted is not None and wanted.denominator == 1 and written.role == "operand" and is_small_literal(written.node):
        yield str(wanted), True, True
    if wanted is None and written.role == "argument":
        yield from ((f"{factor} * {_operand(written.text)}", False, True) for factor in range(2, _LARGEST_FACTOR))
        if isinstance(written.node, ast.BinOp) and isinstance(written.node.op, ast.Mult):
            yield ast.unparse(written.node.left), False, True
            yield ast.unparse(written.node.right), False, True
        if failed.step is not None and failed.step.op in _DIVIDING:
            yield from (
                (f"{factor} * {name}", False, True) for name in values if name.isidentifier() for factor in (3, 2)
            )
    for text in simplified(written.node, written.change):
        yield text, wanted is not None, False
    if wanted is None or wanted.denominator != 1 or wanted < 1 or written.role not in ("argument", "assignment"):
        return
    for text, value in values.items():
        if not value or value == wanted:
            continue
        if wanted % value == 0 and wanted / value <= _LARGEST_FACTOR:
            yield f"{wanted / value} * {_operand(text)}", True, True
        elif value % wanted == 0 and value / wanted <= _LARGEST_FACTOR:
            yield f"{_operand(text)} // {value / wanted}", True, True
    for name, count in _counters(written, scope_of(failed, number.layer, written)):
        for one, first in values.items():
            for other, second in values.items():
                if first and second and one != other and first + count * second == wanted:
                    yield f"{one} + {name} * {_operand(other)}", True, True
    for (one, first), (other, second) in combinations(values.items(), 2):
        if first and second and first + second == wanted:
            yield f"{one} + {other}", True, True


def _reads_target(written: WrittenNumber, text: str) -> bool:
    """Return whether a text reads a variable that the statement around an expression assigns: its value comes later."""
    around: ast.AST | None = written.node
    while isinstance(around, ast.expr):
        around, _ = written.place.file.parents.get(around, (None, ""))
    if not isinstance(around, ast.Assign):
        return False
    read = _parts(text)
    return any(ast.unparse(target) in read for target in around.targets)


@lru_cache(maxsize=256)
def _parts(text: str) -> frozenset[str]:
    """An expression and those that it is made of."""
    return frozenset(ast.unparse(node) for node in ast.walk(expression(text)) if isinstance(node, ast.expr))


_LARGEST_FACTOR = 4
_DIVIDING = ("reshape", "view", "unflatten", "chunk", "split")
"""Operations whose input has a number of equal parts, such as queries, keys and values."""


def _counters(written: WrittenNumber, scope: Scope | None) -> Iterator[tuple[str, int]]:
    """The variables of loops around an expression that count from 0, with their values above 0."""
    around: ast.AST | None = written.node
    while around is not None and around is not written.place.scope:
        around, _ = written.place.file.parents.get(around, (None, ""))
        if not isinstance(around, ast.For) or not isinstance(around.iter, ast.Call) or scope is None:
            continue
        target = around.target.elts[0] if isinstance(around.target, ast.Tuple) else around.target
        if isinstance(target, ast.Name) and ast.unparse(around.iter.func) in ("range", "enumerate"):
            count = scope.names.get(target.id)
            if type(count) is int and count > 0:
                yield target.id, count


def _expressions(
    failed: Followed, number: LayerNumber, written: WrittenNumber, scope: Function
) -> dict[str, int | None]:
    """The widths that are written in a function, and its parameters, with their values in the failing execution."""
    texts = dict(cached(scope, "widths", lambda: _widths(scope)))
    for text in other_items(written.node, scope):
        texts.setdefault(text, ast.parse(text, mode="eval").body)
    around = scope_of(failed, number.layer, written)
    found: dict[str, int | None] = {}
    for text, node in texts.items():
        if not isinstance(node, ast.BinOp) and NOT_WIDTHS.search(text) and not is_width_name(text.rpartition(".")[2]):
            continue
        value = value_of(failed, node, around)
        if type(value) is int and value > 0:
            found[text] = value
    return dict(list(found.items())[:_MOST_EXPRESSIONS])


def _widths(scope: Function) -> dict[str, ast.expr]:
    """The expressions in a function that may be widths, and its parameters, by their texts."""
    texts: dict[str, ast.expr] = {}
    nodes = list(ast.walk(scope))
    for node in nodes:
        if isinstance(node, ast.Call):
            for argument in [*node.args[:3], *(keyword.value for keyword in node.keywords)]:
                for width in (argument, *_terms(argument)) if _is_width(argument) else ():
                    texts.setdefault(ast.unparse(width), width)
    for node in nodes:
        if isinstance(node, ast.Assign) and _is_width(node.value):
            texts.setdefault(ast.unparse(node.value), node.value)
            for target in node.targets:
                if isinstance(target, ast.Name | ast.Attribute):
                    texts.setdefault(ast.unparse(target), target)
    for name in parameters(scope):
        texts.setdefault(name, ast.Name(name, ast.Load()))
    return texts


def _terms(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the terms of a sum, such as the widths of the parts into which the output of a layer is split."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for term in (node.left, node.right):
            if not isinstance(term, ast.Constant):
                yield term
                yield from _terms(term)


def _is_width(node: ast.expr) -> bool:
    """Return whether an expression may be a width, and can be evaluated without consequences."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.BinOp | ast.Subscript | ast.Call | ast.IfExp | ast.BoolOp):
        return False
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            name = inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", "")
            if name[:1].isupper() or name in ("append", "add_module", "pop", "insert", "extend"):
                return False
        elif isinstance(inner, ast.Lambda | ast.ListComp | ast.Starred | ast.Constant) and not (
            isinstance(inner, ast.Constant) and isinstance(inner.value, int | float)
        ):
            return False
    return True


def _operand(text: str) -> str:
    node = expression(text)
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.Call | ast.Subscript)
    return text if simple else f"({text})"
