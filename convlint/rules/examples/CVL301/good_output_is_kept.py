"""The output of each convolution is read by more than the norm: it is returned, stored, collected or hooked."""

from torch import nn


class Returned(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x):
        features = self.conv(x)
        return self.norm(features), features


class Stored(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.features = None

    def forward(self, x):
        self.features = self.conv(x)
        return self.norm(self.features)


class Collected(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.features = []

    def forward(self, x):
        x = self.conv(x)
        self.features.append(x)
        return self.norm(x)


class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.features = {}
        self.conv.register_forward_hook(self.keep)

    def keep(self, module, inputs, output):
        self.features["conv"] = output

    def forward(self, x):
        return self.norm(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, bias=False)
        self.returned, self.stored, self.collected, self.hooked = Returned(), Stored(), Collected(), Hooked()

    def forward(self, x):
        x, features = self.returned(self.stem(x))
        return features, self.hooked(self.collected(self.stored(x)))
