"""Symbolic integer expressions: normal form, printing and JSON, proofs."""

from __future__ import annotations

from convlint.dims.atoms import Apply, Atom, Symbol
from convlint.dims.normal import (
    UNKNOWN,
    ZERO,
    Dim,
    apply,
    as_dim,
    constant,
    maximum,
    minimum,
    symbol,
)
from convlint.dims.proofs import Facts, provably_divisible, provably_equal
from convlint.dims.text import from_json, text, to_json

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
    "from_json",
    "maximum",
    "minimum",
    "provably_divisible",
    "provably_equal",
    "symbol",
    "text",
    "to_json",
]
