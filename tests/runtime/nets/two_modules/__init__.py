"""A net and its blocks, each in a file of its own."""

from .net import Net as Net
