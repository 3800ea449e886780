"""Repairs that work only for the numbers of today.

A number of one call is changed where the class or helper that it calls is wrong.

Other numbers in that call must not break it again. Of two repairs the one that works for more of them is right.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeGuard

from convlint.ir import Edit
from convlint.repairs.candidate import Candidate
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text import lines
from convlint.source_text.call_sites import Function
from convlint.source_text.trees import expression, nodes_of

Works = Callable[[Sequence[Edit], Collection[tuple[str, int]]], bool]
"""Applies edits, and returns whether nothing fails that is called on some lines, or built by a call there."""

_MOST_RIVALS = 6  # repairs inside the callee that are tried
_MOST_NUMBERS = 4  # numbers of the call that are changed


def rivals(chosen: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The repairs inside what a call builds that could be meant instead of one of its arguments, or of a default."""
    if chosen.number is None or chosen.followed:
        return []
    level = _level(chosen.number)
    inside = [each for each in candidates if each.generality and each.number and _level(each.number) < level]
    inside.sort(key=lambda each: -each.generality)
    return [each for each in inside if not leaves_parameter_unused(each) and not _swaps_ends(each)][:_MOST_RIVALS]


def _swaps_ends(candidate: Candidate) -> bool:
    """Return whether what a layer outputs would be the input's width, and no longer the output's: as only a caller that
    has them equal means.
    """
    return candidate.number is not None and candidate.number.text[:3] == "out" and candidate.edit.text[:2] == "in"


def _level(number: WrittenNumber) -> float:
    """The calls between a number and a layer's constructor; a default stands for calls that pass nothing."""
    return number.place.depth + 0.5 * _is_in_default(number)


def _is_in_default(number: WrittenNumber) -> bool:
    scope = number.place.scope
    return isinstance(scope, Function) and any(number.node in ast.walk(default) for default in _defaults(scope))


def _defaults(function: Function) -> list[ast.expr]:
    return [each for each in (*function.args.defaults, *function.args.kw_defaults) if each is not None]


def leaves_parameter_unused(candidate: Candidate) -> bool:
    """Return whether a parameter of a function is not read any more after a repair."""
    number = candidate.number
    scope = None if number is None else number.place.scope
    if number is None or not isinstance(scope, Function):
        return False
    arguments = scope.args
    own = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    dropped = _names(number.node) - _names(expression(candidate.edit.text))
    inside = set(ast.walk(number.node))
    names = [node for node in nodes_of(scope) if isinstance(node, ast.Name) and node not in inside]
    for parameter in dropped & own:
        written = [node.lineno for node in names if node.id == parameter and isinstance(node.ctx, ast.Store)]
        read = [node.lineno for node in names if node.id == parameter and isinstance(node.ctx, ast.Load)]
        if not any(line <= min(written, default=line) for line in read):
            return True
    return False


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def most_general(chosen: Candidate, rivals: Sequence[Candidate], works: Works) -> Candidate:
    """The repair that works for the most other numbers in the call that ``chosen`` repairs; ``chosen`` among equals."""
    changes = list(_other_numbers(chosen))
    best, most = chosen, _count(chosen, chosen, changes, works)
    for rival in rivals:
        count = _count(chosen, rival, changes, works)
        if count > most:
            best, most = rival, count
    return best


def _count(chosen: Candidate, repair: Candidate, changes: Sequence[Edit], works: Works) -> int:
    """The number of other arguments of a call that work after a repair; the repaired argument may have others too."""
    places = _places(chosen)
    count = 0
    for change in changes:
        kept = [edit for edit in repair.edits if edit.site != change.site]
        count += works([*kept, change], places)
    return count


def _places(chosen: Candidate) -> Collection[tuple[str, int]]:
    """The line of the call, or all lines of the function whose default is repaired."""
    number = chosen.number
    if number is not None and _is_in_default(number):
        scope = number.place.scope
        first, last = getattr(scope, "lineno", 0), getattr(scope, "end_lineno", 0)
        return [(number.place.path, line) for line in range(first, last + 1)]
    place = chosen.place if number is None or number.role != "operand" else number.frame
    return [(place.path, place.line)]


def _other_numbers(chosen: Candidate) -> Iterator[Edit]:
    """Edits that multiply one number in the call, or in the defaults, that a repair changes."""
    number = chosen.number
    if number is None:
        return
    repaired = expression(chosen.edit.text)
    is_original = _is_double(number.node, repaired)  # with which a repair inside the callee works anyway
    yield Edit(number.site, f"3 * ({chosen.edit.text})" if is_original else _doubled(repaired))
    frame, place = number.frame, number.place
    call = place.file.calls.get((frame.line, frame.column, frame.end_line, frame.end_column))
    found: list[ast.expr] = []
    if _is_in_default(number) and isinstance(place.scope, Function):
        found = [node for default in _defaults(place.scope) for node in ast.walk(default) if _is_literal(node)]
    elif call is not None and frame.path == place.path:
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        found = [each for each in arguments if _is_literal(each) or isinstance(each, _NUMERIC)]
    for node in found[:_MOST_NUMBERS]:
        site = lines.span(place.path, node, place.file.lines)
        if site != number.site:
            yield Edit(site, _doubled(node))


_NUMERIC = (ast.Name, ast.Attribute, ast.BinOp)


def _is_literal(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value > 1


def _is_double(node: ast.expr, other: ast.expr) -> bool:
    """Return whether an expression is twice another one, as it is written."""
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=2)):
            return ast.dump(left) == ast.dump(other)
        case ast.BinOp(left=ast.Constant(value=2), op=ast.Mult(), right=right):
            return ast.dump(right) == ast.dump(other)
    return ast.unparse(node) == _doubled(other)


def _doubled(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return str(2 * node.value)
    return f"2 * ({ast.unparse(node)})"
