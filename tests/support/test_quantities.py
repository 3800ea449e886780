"""Counts with units."""

from __future__ import annotations

import pytest

from convlint.support.quantities import short_count


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0 k"),
        (99_949, "99.9 k"),
        (99_950, "100 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (11_689_512, "11.7 M"),
        (1_814_073_344, "1.81 G"),
        (2 * 10**12, "2.00 T"),
    ],
)
def test_a_short_count_has_three_digits(number: int, text: str) -> None:
    assert short_count(number) == text
