"""Modules that keep what they saw: one of several that a line builds begins as each of the others did."""

from __future__ import annotations

from tests.static.test_python import HEAD, findings_in

KEEPS_THE_LAST_FRAMES = """

class CausalConv(nn.Conv3d):
    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels, 3, padding=(0, 1, 1))
        self.previous = None

    def forward(self, x):
        if self.previous is None:
            x = F.pad(x, (0, 0, 0, 0, 2, 0), mode="replicate")
        else:
            x = torch.cat([self.previous, x], 2)
        self.previous = x[:, :, -2:]
        return super().forward(x)


class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = CausalConv(cin, cout)
        self.down = nn.MaxPool3d((1, 2, 2))

    def forward(self, x):
        return self.down(x + self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv3d(3, 16, 1)
        self.blocks = nn.ModuleList([Block(16, 16) for _ in range(3)])
        self.last = nn.Conv3d(16, 4, 1)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)


Net()(torch.zeros(2, 3, 4, 32, 32))
"""

SHOWS_WHAT_IT_KEPT = """
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.seen = None

    def forward(self, x):
        self.seen = self.conv(x)
        return x + self.seen


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(3) for _ in range(2)])
        self.last = nn.Conv2d(6, 4, 1)

    def forward(self, x):
        kept = []
        for block in self.blocks:
            x = block(x)
            kept.append(block.seen)
        return self.last(torch.cat(kept, 1))


Net()(torch.zeros(2, 3, 8, 8))
"""


def torch_runs(source: str) -> bool:
    try:
        exec(compile(source, "net.py", "exec"), {"__name__": "net"})  # noqa: S102 - the program under test
    except RuntimeError:
        return False
    return True


def errors(source: str) -> list[str]:
    return [code for code, _ in findings_in(source) if code < "CVL2"]


def test_each_module_of_a_loop_begins_without_what_another_kept() -> None:
    assert torch_runs(HEAD + KEEPS_THE_LAST_FRAMES)
    assert errors(HEAD + KEEPS_THE_LAST_FRAMES) == []


def test_a_mistake_behind_such_modules_is_found() -> None:
    wrong = HEAD + KEEPS_THE_LAST_FRAMES.replace("nn.Conv3d(16, 4, 1)", "nn.Conv3d(8, 4, 1)")
    assert not torch_runs(wrong)
    assert errors(wrong) == ["CVL102"]


def test_what_a_module_kept_can_be_read_after_its_call() -> None:
    wrong = SHOWS_WHAT_IT_KEPT.replace("nn.Conv2d(6, 4, 1)", "nn.Conv2d(9, 4, 1)")
    assert torch_runs(HEAD + SHOWS_WHAT_IT_KEPT)
    assert not torch_runs(HEAD + wrong)
    assert errors(HEAD + SHOWS_WHAT_IT_KEPT) == []
    assert errors(HEAD + wrong) == ["CVL102"]
