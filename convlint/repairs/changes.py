"""Changes of numbers, and the changes of the parts of an expression that cause them."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from convlint.source_text.call_sites import ParsedFile
from convlint.source_text.trees import expression, nodes_of
from convlint.support.dataclass import dataclass, replace


@dataclass(frozen=True, slots=True)
class Change:
    """A change from ``value`` to ``wanted`` if those are known, else by a factor ``ratio`` or a term ``shift``."""

    value: Fraction | None = None
    wanted: Fraction | None = None
    ratio: Fraction | None = None
    shift: Fraction | None = None

    @staticmethod
    def between(value: Fraction, wanted: Fraction) -> Change:
        """The change from one number to another."""
        return Change(value, wanted, wanted / value if value else None, wanted - value)

    def of_alternative(self) -> Change:
        """The change of one of several expressions of which one was the number."""
        return replace(self, value=None)

    def of_literal(self, literal: int) -> list[int]:
        """The whole numbers, at least 1, that could replace a literal, most likely first."""
        if self.value == literal and self.wanted is not None:
            numbers = [self.wanted]
        else:
            numbers = [literal * self.ratio] if self.ratio is not None else []
            numbers += [literal + self.shift] if self.shift is not None else []
        whole = [int(number) for number in numbers if number.denominator == 1 and number >= 1]
        return [number for number in dict.fromkeys(whole) if number != literal]

    def scaled(self, factor: Fraction | None) -> Change:
        """The change of ``x`` if this is the change of ``factor * x``; None is an unknown factor."""
        if not factor:
            return Change(ratio=self.ratio)
        value, wanted, shift = (
            None if number is None else number / factor for number in (self.value, self.wanted, self.shift)
        )
        return Change(value, wanted, self.ratio, shift)

    def shifted(self, term: Fraction | None) -> Change:
        """The change of ``x`` if this is the change of ``x + term``; None is an unknown term."""
        if term is None or self.value is None or self.wanted is None:
            return Change(shift=self.shift)
        return Change.between(self.value - term, self.wanted - term)


def operand_changes(node: ast.BinOp, change: Change) -> Iterator[tuple[ast.expr, Change]]:
    """The operands of an arithmetic expression, each with the change that would change the whole as ``change``."""
    left, right = literal_value(node.left), literal_value(node.right)
    match node.op:
        case ast.Mult():
            yield node.left, change.scaled(right)
            yield node.right, change.scaled(left)
        case ast.FloorDiv() | ast.Div():
            yield node.left, change.scaled(1 / right if right else None)
            yield node.right, Change(ratio=1 / change.ratio if change.ratio else None)
        case ast.Add():
            yield node.left, change.shifted(right)
            yield node.right, change.shifted(left)
        case ast.Sub():
            yield node.left, change.shifted(None if right is None else -right)
            yield node.right, Change(shift=None if change.shift is None else -change.shift)
        case _:
            yield node.left, change.scaled(None)
            yield node.right, change.scaled(None)


def simplified(node: ast.expr, change: Change) -> Iterator[str]:
    """The operand that remains if a literal factor or term is dropped: ``width`` of ``width * 2``."""
    if isinstance(node, ast.BinOp):
        for kept, dropped in ((node.left, node.right), (node.right, node.left)):
            literal, first = literal_value(dropped), kept is node.left
            match node.op:
                case ast.Mult() if literal and change.ratio == 1 / literal:
                    yield ast.unparse(kept)
                case ast.FloorDiv() if first and literal and change.ratio == literal:
                    yield ast.unparse(kept)
                case ast.Add() if literal and change.shift == -literal:
                    yield ast.unparse(kept)
                case ast.Sub() if first and literal and change.shift == literal:
                    yield ast.unparse(kept)


def literal_value(node: ast.expr) -> Fraction | None:
    """The number of a literal, None for other expressions."""
    is_number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return Fraction(ast.unparse(node)) if is_number else None


_WIDE = 32  # numbers of channels from which on most are multiples of powers of two


_USUAL = 2  # how many more times a number is written


def oddity(scope: ast.AST, node: ast.expr, text: str) -> int:
    """Return 1 if a new literal is less usual than the one that it replaces, 520 for 512, and -1 if it is usual.

    A number that the function writes elsewhere is usual, and so is a large power of two times a small number.
    """
    new = expression(text)
    removed, added = _integers(node) - _integers(new), _integers(new) - _integers(node)
    if len(removed) != 1 or len(added) != 1:
        return 0
    (before,), (after,) = removed, added
    written = _written(scope)
    gain = written[after] - (written[before] - 1)
    if gain >= _USUAL:
        return -1
    return gain < 0 or (gain <= 1 and min(before, after) >= _WIDE and _odd_part(after) > _odd_part(before))


_SHORTEST = 3  # numbers that make a progression


def regularity(file: ParsedFile, number: ast.expr, text: str) -> int:
    """Return 1 if a new literal makes a progression of its siblings, -1 if it breaks one: 64, 128, 256 or 64, 64, 64.

    The siblings are the literals that other calls of the same name in the same function pass in the same place, or the
    items of the same list: these only have to rise, or fall, from each to the next.
    """
    call, _ = file.parents.get(number, (None, ""))
    if isinstance(call, ast.List | ast.Tuple) and text.isdecimal():
        items = [literal_value(item) for item in call.elts]
        changed = [Fraction(text) if item is number else literal_value(item) for item in call.elts]
        return int(_is_graded(changed)) - int(_is_graded(items))
    if not isinstance(call, ast.Call) or number not in call.args or not text.isdecimal():
        return 0
    at, callee = call.args.index(number), ast.dump(call.func)
    calls = [node for node in _calls(file.scope(call)).get(callee, ()) if len(node.args) > at]
    calls.sort(key=lambda node: (node.lineno, node.col_offset))
    siblings = [node.args[at] for node in calls]
    before = [literal_value(node) for node in siblings]
    after = [Fraction(text) if node is number else value for node, value in zip(siblings, before, strict=True)]
    known = siblings.index(number)
    around = slice(max(known - 1, 0), known + 2)
    found = int(_is_regular(after, around)) - int(_is_regular(before, around))
    return found or _repetition(calls, call, at, Fraction(text))


def _repetition(calls: list[ast.Call], own: ast.Call, at: int, new: Fraction) -> int:
    """Return 1 if a new argument repeats another one, as all other calls do, and -1 if it does so no more."""
    others = [call for call in calls if call is not own]
    if len(others) < _SHORTEST:
        return 0
    for other in range(min(len(call.args) for call in calls)):
        pairs = [(literal_value(call.args[at]), literal_value(call.args[other])) for call in others]
        if other != at and all(one is not None and one == two for one, two in pairs):
            repeated = literal_value(own.args[other])
            return int(new == repeated) - int(literal_value(own.args[at]) == repeated)
    return 0


@lru_cache(maxsize=64)
def _calls(scope: ast.AST) -> dict[str, list[ast.Call]]:
    """The calls in a function by what they call."""
    calls: dict[str, list[ast.Call]] = {}
    for node in nodes_of(scope):
        if isinstance(node, ast.Call):
            calls.setdefault(ast.dump(node.func), []).append(node)
    return calls


def _is_regular(numbers: list[Fraction | None], around: slice) -> bool:
    near = numbers[around]
    return _is_progression(numbers) or (len(near) == _SHORTEST and len(set(near)) == 1)


def _is_progression(numbers: list[Fraction | None]) -> bool:
    known = [number for number in numbers if number]
    if len(known) != len(numbers) or len(known) < _SHORTEST:
        return False
    return len({later / earlier for earlier, later in pairwise(known)}) == 1 and known[0] != known[1]


def _is_graded(numbers: list[Fraction | None]) -> bool:
    known = [number for number in numbers if number]
    signs = {later > earlier for earlier, later in pairwise(known) if later != earlier}
    return len(known) == len(numbers) >= _SHORTEST and len(set(known)) == len(known) and len(signs) == 1


def _integers(node: ast.AST) -> Counter[int]:
    literals = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and type(n.value) is int]
    return Counter(value for value in literals if value > 0)


@lru_cache(maxsize=64)
def _written(scope: ast.AST) -> Counter[int]:
    """The integers that a function writes."""
    return _integers(scope)


def _odd_part(number: int) -> int:
    return number // (number & -number)
