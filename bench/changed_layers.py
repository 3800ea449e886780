"""Time the comparison of a model with its rewritten copy: ``python -m bench.changed_layers [LAYERS]``.

Both graphs are constructed directly, a chain of 3x3 convolutions before and after ``groups=4``: no model is built or
run.
"""

from __future__ import annotations

import sys
import time

from convlint.ir import Call, Costs, Graph, Layer, LayerChange, Node, Replacement, Tensor, VersionRun
from convlint.rewriting import verification

CHANNELS, KERNEL, SIZE = 8, (3, 3), (4, 4)
WEIGHTS = CHANNELS * CHANNELS * 9


def chain(layers: int, groups: int) -> Graph:
    """Return the graph of ``layers`` convolutions in a row, named ``blocks.0.conv`` and so on."""
    names = [f"blocks.{position}.conv" for position in range(layers)]
    maps = [Tensor(id, (1, CHANNELS, *SIZE)) for id in range(layers + 1)]
    attrs = {
        "in_channels": CHANNELS,
        "out_channels": CHANNELS,
        "kernel_size": KERNEL,
        "stride": (1, 1),
        "padding": (1, 1),
        "dilation": (1, 1),
        "groups": groups,
        "bias": False,
        "transposed": False,
    }
    nodes = [Node(id, "conv2d", name, name, (id - 1,), (maps[id],), attrs) for id, name in enumerate(names, 1)]
    return Graph(
        layers=tuple(Layer(name, "Conv2d", "Conv2d", params=WEIGHTS // groups) for name in names),
        nodes=(Node(0, "input", outputs=(maps[0],)), *nodes),
        calls=tuple(Call(name, (id - 1,), (id,), id, id + 1) for id, name in enumerate(names, 1)),
    )


def measured_seconds(layers: int) -> float:
    """Compare a model with that many changed layers with its original. Returns seconds."""
    before, after = (Costs(WEIGHTS // groups, WEIGHTS // groups * 16, CHANNELS * 16 * 4) for groups in (1, 4))
    original, rewritten = chain(layers, 1), chain(layers, 4)
    changes = [LayerChange(layer.name, Replacement("CVL501", groups=4), before, after) for layer in original.layers]
    start = time.perf_counter()
    verdict = verification.verify(changes, VersionRun(original), VersionRun(rewritten))
    seconds = time.perf_counter() - start
    if isinstance(verdict, str):
        raise TypeError(verdict)
    return seconds


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    print(f"{count:,} changed layers are compared in {measured_seconds(count):.3f} s")
