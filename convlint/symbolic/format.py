"""Expressions as Python source and as JSON.

JSON: an integer is itself, ``None`` is unknown, ``["s", name, scope]`` a symbol (with a fourth item: opaque),
``["f", op, args]`` a function, ``["+", [coefficient, [atom, power], ...], ...]`` a polynomial.
"""

from __future__ import annotations

from typing import Any

from convlint.symbolic.expr import (
    MAX_SIZE,
    UNKNOWN,
    ZERO,
    Apply,
    Atom,
    Dim,
    Monomial,
    Symbol,
    applied,
    constant,
    only_atom,
    symbol,
)


def text(dim: Dim) -> str:
    """Python source of an expression: ``in_planes + 2 * growth``, ``c // 2``, ``c % 8``; ``?`` for unknown."""
    if dim.terms is None:
        return "?"
    remainders, rest = _remainders(dim)
    terms = sorted(rest.terms or (), key=lambda term: -sum(power for _, power in term[0]))
    parts = [(_product(monomial, factor), factor < 0) for monomial, factor in terms if monomial]
    parts += [(f"{_scale(factor)}({part})", factor < 0) for part, factor in remainders]
    offset = rest.coefficient(())
    if offset or not parts:
        parts.append((str(abs(offset)), offset < 0))
    if len(parts) == 1 and len(remainders) == 1 and remainders[0][1] == 1:
        return remainders[0][0]
    parts.sort(key=lambda part: part[1])  # a positive term first, if there is one
    sign = "-" if parts[0][1] else ""
    return sign + parts[0][0] + "".join(f" {'-' if minus else '+'} {t}" for t, minus in parts[1:])


def _remainders(dim: Dim) -> tuple[list[tuple[str, int]], Dim]:
    """Find the terms ``n * (x % y)``, which a polynomial has as ``n * x - n * y * (x // y)``, and the rest."""
    found: list[tuple[str, int]] = []
    rest = dim
    for atom in dict.fromkeys(atom for monomial, _ in dim.terms or () for atom, _ in monomial):
        if not isinstance(atom, Apply) or atom.op != "//":
            continue
        left, right = atom.args
        taken = right * applied("//", atom.args)
        if not taken.terms or not rest.terms:
            continue
        lead, unit = taken.terms[0]
        times = -rest.coefficient(lead) // unit
        shorter = rest - times * (left - taken)
        if times and shorter.terms is not None and len(shorter.terms) < len(rest.terms):
            found.append((f"{_operand(left)} % {_operand(right)}", times))
            rest = shorter
    return found, rest


def _scale(factor: int) -> str:
    return "" if abs(factor) == 1 else f"{abs(factor)} * "


def _product(monomial: Monomial, factor: int) -> str:
    """A product with the absolute value of its factor, so that a minus sign can precede it."""
    if factor == 1 and len(monomial) == 1 and monomial[0][1] == 1:
        return _atom(monomial[0][0])
    factors = [_tight(atom) + (f"**{power}" if power > 1 else "") for atom, power in monomial]
    return _scale(factor) + " * ".join(factors)


def _atom(atom: Atom) -> str:
    if isinstance(atom, Symbol):
        return atom.name
    if atom.op == "//":
        return f"{_operand(atom.args[0])} // {_operand(atom.args[1])}"
    if atom.op in _OPERATORS and len(atom.args) == 2:
        left, right = map(_operand, atom.args)
        return f"{left} {_OPERATORS[atom.op]} {right}"
    if not atom.args:
        return atom.op  # a float
    return f"{atom.op}({', '.join(map(text, atom.args))})"


_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "div": "/", "pow": "**", "floordiv": "//", "mod": "%"}
"""Operators of floats, by the names of their functions."""


def _tight(atom: Atom) -> str:
    """The text of an atom as a factor of a product."""
    computed = isinstance(atom, Apply) and (atom.op == "//" or atom.op in _OPERATORS)
    return f"({_atom(atom)})" if computed else _atom(atom)


def _operand(dim: Dim) -> str:
    """The text of an operand of ``//`` or ``%``."""
    alone = only_atom(dim)
    is_call = isinstance(alone, Apply) and alone.op != "//" and alone.op not in _OPERATORS
    plain = dim.value is not None and dim.value >= 0
    return text(dim) if plain or is_call or isinstance(alone, Symbol) else f"({text(dim)})"


def to_json(dim: Dim) -> Any:
    """Convert an expression to a JSON value; see the module docstring."""
    if dim.terms is None:
        return None
    if dim.value is not None:
        return dim.value
    alone = only_atom(dim)
    if alone is not None:
        return _atom_json(alone)
    return ["+", *([factor, *([_atom_json(a), power] for a, power in term)] for term, factor in dim.terms)]


def _atom_json(atom: Atom) -> list[Any]:
    if isinstance(atom, Symbol):
        return ["s", atom.name, atom.scope, *([True] if atom.opaque else [])]
    return ["f", atom.op, [to_json(arg) for arg in atom.args]]


def from_json(value: Any) -> Dim:
    """Convert the result of ``to_json`` back; lists may be tuples. Raises ValueError for other values."""
    try:
        return _read(value)
    except (TypeError, IndexError, KeyError) as error:
        raise ValueError(f"not an expression: {value!r}") from error


def _read(value: Any) -> Dim:
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return constant(value)
    tag, *rest = value
    if tag == "s":
        return symbol(str(rest[0]), int(rest[1]), bool(rest[2:] and rest[2]))
    if tag == "f":
        return applied(str(rest[0]), tuple(_read(arg) for arg in rest[1]))
    if tag != "+":
        raise ValueError(f"not an expression: {value!r}")
    total = ZERO
    for factor, *powers in rest:
        term = constant(factor)
        for atom, power in powers:
            if power > MAX_SIZE:
                raise ValueError(f"an expression too large: {value!r}")
            for _ in range(power):
                term = term * _read(atom)
        total = total + term
    return total
