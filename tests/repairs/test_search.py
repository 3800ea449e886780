"""The search for repairs: what is reported where none is found."""

from __future__ import annotations

from pathlib import Path

from convlint.repairs.search import Budget, explain
from convlint.repairs.static_trials import outcome
from convlint.static import Project, check_file
from tests.repairs.small_programs import HEAD, folder

__all__ = ["folder"]


def test_what_follows_an_error_without_a_repair_needs_one_to_be_reported() -> None:
    source = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 1), nn.Conv2d(9, 16, 1), nn.Conv2d(17, 4, 1)
        self.side = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return self.c(self.b(self.a(x))), self.side(x)
"""
    Path("net.py").write_text(source)
    start = outcome(check_file("net.py", source.encode(), Project("."), with_reached=True))
    assert [conflict.operation[2] for conflict in start.conflicts] == ["b", "c", "side"]
    causes = explain(start, lambda *_: [], lambda *_: None, Budget(10))
    assert [cause.conflict.operation[2] for cause in causes] == ["b", "side"]
