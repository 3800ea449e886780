"""Only `import torch`: every layer by its full name, functions by theirs."""

import torch


class Block(torch.nn.Module):
    def __init__(self, channels):
        super(Block, self).__init__()
        self.conv1 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)

    def forward(self, x):
        out = torch.nn.functional.relu(self.bn1(self.conv1(x)))
        return torch.nn.functional.relu(self.bn2(self.conv2(out)) + x)


class Net(torch.nn.Module):
    def __init__(self, width=32, depth=2, classes=10):
        super(Net, self).__init__()
        self.stem = torch.nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.body = torch.nn.Sequential(*[Block(width) for _ in range(depth)])
        self.down = torch.nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.tail = torch.nn.Sequential(*[Block(2 * width) for _ in range(depth)])
        self.fc = torch.nn.Linear(2 * width, classes)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(self.stem(x), 2)
        x = self.tail(self.down(self.body(x)))
        return self.fc(x.mean(dim=(2, 3)))
