"""Variables that are multiples of each other, and the dimensions that correspond in a reshape."""

from __future__ import annotations

from fractions import Fraction

from convlint.ir import Shape


class Variables:
    """Union-find over variables, numbered from 0: in one class, each is a known multiple of the others."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._ratios: list[Fraction] = []  # a variable's value over that of its parent

    def new_variable(self) -> int:
        """Create a variable in a class of its own."""
        self._parents.append(len(self._parents))
        self._ratios.append(Fraction(1))
        return len(self._parents) - 1

    def find(self, variable: int) -> tuple[int, Fraction]:
        """The class of a variable, and the ratio of its value to that of the class."""
        path = []
        while self._parents[variable] != variable:
            path.append(variable)
            variable = self._parents[variable]
        ratio = Fraction(1)
        for step in reversed(path):
            ratio *= self._ratios[step]
            self._parents[step], self._ratios[step] = variable, ratio
        return variable, ratio

    def tie(self, left: int, right: int, ratio: Fraction = Fraction(1)) -> None:
        """State that ``left == ratio * right``."""
        (root, left_ratio), (other_root, right_ratio) = self.find(left), self.find(right)
        if root != other_root:
            self._parents[root], self._ratios[root] = other_root, ratio * right_ratio / left_ratio


def grouped_dims(before: Shape, after: Shape) -> list[tuple[range, range]]:
    """Match ranges of dimensions of two shapes with equal products, in order.

    For (2, 12, 5) and (2, 3, 4, 5): dimensions 0 and 0, 1 and 1 to 2, 2 and 3.
    """
    groups: list[tuple[range, range]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        start, begin = i, j
        left, right = before[i], after[j]
        while left != right:
            if left < right and i + 1 < len(before):
                i += 1
                left *= before[i]
            elif right < left and j + 1 < len(after):
                j += 1
                right *= after[j]
            else:
                return groups
        i, j = i + 1, j + 1
        groups.append((range(start, i), range(begin, j)))
    return groups
