"""Symbolic integer expressions: normal form, printing and JSON, proofs."""

from __future__ import annotations

from convlint.symbolic.exact import equal_without_remainders
from convlint.symbolic.expr import (
    UNKNOWN,
    ZERO,
    Apply,
    Atom,
    Dim,
    Symbol,
    apply,
    as_dim,
    constant,
    forget,
    maximum,
    minimum,
    symbol,
)
from convlint.symbolic.format import from_json, text, to_json
from convlint.symbolic.solver import Facts, provably_divisible, provably_equal

__all__ = [
    "UNKNOWN",
    "ZERO",
    "Apply",
    "Atom",
    "Dim",
    "Facts",
    "Symbol",
    "apply",
    "as_dim",
    "constant",
    "equal_without_remainders",
    "forget",
    "from_json",
    "maximum",
    "minimum",
    "provably_divisible",
    "provably_equal",
    "symbol",
    "text",
    "to_json",
]
