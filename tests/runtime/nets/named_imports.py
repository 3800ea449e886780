"""Layers imported by their names, and kernels that are tuples."""

from torch import Tensor, cat
from torch.nn import BatchNorm2d, Conv2d, Module, PReLU, Sequential
from torch.nn import functional as F


class Strip(Module):
    """A row and a column beside a square."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half, quarter = out_channels // 2, out_channels // 4
        self.row = Conv2d(in_channels, quarter, (1, 5), padding=(0, 2))
        self.column = Conv2d(in_channels, quarter, (5, 1), padding=(2, 0))
        self.square = Conv2d(in_channels, half, (3, 3), padding=(1, 1))
        self.norm = BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        out = cat([self.row(x), self.column(x), self.square(x)], dim=1)
        return F.relu(self.norm(out))


class Net(Module):
    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.stem = Sequential(Conv2d(3, 16, 3, 2, 1), BatchNorm2d(16), PReLU())
        self.strips = Sequential(Strip(16, 32), Strip(32, 32))
        self.down = Sequential(
            Conv2d(in_channels=32, out_channels=64, kernel_size=3, stride=2, padding=1),
            BatchNorm2d(num_features=64),
            PReLU(64),
        )
        self.head = Conv2d(64, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.down(self.strips(self.stem(x))))
        return F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)
