# fmt: off
"""Indented with tabs, and calls that are spread over lines with comments in them."""

import torch
from torch import nn


class Net(nn.Module):
	def __init__(self, classes=10):
		super().__init__()
		self.stem = nn.Conv2d(3, 24, 3, 2, 1)
		self.wide = nn.Conv2d(
			24,  # from the stem
			48,
			# 5 was tried, no better (see notes)
			kernel_size=3,
			stride=2,
			padding=1,
			bias=False,  # a norm follows
		)
		self.norm = nn.BatchNorm2d(48)
		self.deep = nn.Sequential(
			nn.Conv2d(48, 48, 3,
				padding=1,
				bias=True),  # its norm was removed
			nn.ReLU(), nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(),  # two calls on a line
			nn.Conv2d(
				64, 64,
				(3,
				 3),
				padding=(
					1, 1
				)
				# , dilation=2
			),
		)
		self.last = nn.Conv2d(in_channels = 64, out_channels = 64, kernel_size = 3, padding = 1); self.act = nn.ReLU()
		self.head = nn.Linear(64, classes)

	def forward(self, x):
		x = torch.relu(self.norm(self.wide(self.stem(x))))
		x = self.act(self.last(self.deep(x)))
		return self.head(x.mean((2, 3)))
