"""Equalities that hold wherever divisions are exact."""

from __future__ import annotations

import pytest

from convlint.symbolic import Dim, equal_without_remainders, symbol

c, n = symbol("c"), symbol("n")


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (c // n * n, c, True),
        (3 * n * (c // (2 * n)), 3 * (c // 2), True),
        (c // n, c, False),
        (c * n, c, False),
        (c % n, 0, True),
        (c, c, True),
    ],
)
def test_only_multiples_make_them_equal(left: Dim, right: Dim | int, expected: bool) -> None:
    assert equal_without_remainders(left, right) == expected
