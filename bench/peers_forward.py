"""Time one forward with each tool: ``python -m bench.peers_forward ROUNDS`` prints seconds as JSON.

Each tool gets its own model, built before the clock starts, because some tools leave hooks. They take turns in every
round, and the shortest time of each counts. It runs in the environment of ``bench.peers_env``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench.peers_small import SmallNet
from bench.peers_tools import quiet
from bench.resnet50 import ResNet50
from convlint.runtime.code_sites import sites_of_run
from convlint.runtime.record.record import record

Look = Callable[[nn.Module, Tensor], object]
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int], int]] = {
    "ResNet-50": (ResNet50, (3, 224, 224), 1),
    "small net": (SmallNet, (3, 32, 32), 10),
}
"""By name: the constructor of a network, one sample, and the repetitions in a round, more for short times."""


def bare(model: nn.Module, x: Tensor) -> None:
    """Run the bare forward, the reference of the counting tools."""
    with torch.no_grad():
        model(x)


def convlint(model: nn.Module, x: Tensor) -> object:
    """Record the forward and build the graph that rules and the table read."""
    with sites_of_run():
        return record(model, (x,)).graph()


def torchinfo(model: nn.Module, x: Tensor) -> object:
    from torchinfo import summary

    return summary(model, input_data=x, verbose=0)


def fvcore(model: nn.Module, x: Tensor) -> object:
    from fvcore.nn import FlopCountAnalysis

    return FlopCountAnalysis(model, x).total()


def ptflops(model: nn.Module, x: Tensor, backend: str = "pytorch") -> object:
    from ptflops import get_model_complexity_info

    size = tuple(x.shape[1:])
    return get_model_complexity_info(model, size, as_strings=False, print_per_layer_stat=False, backend=backend)


def ptflops_aten(model: nn.Module, x: Tensor) -> object:
    return ptflops(model, x, "aten")


def thop(model: nn.Module, x: Tensor) -> object:
    from thop import profile

    return profile(model, inputs=(x,), verbose=False)


def calflops(model: nn.Module, x: Tensor) -> object:
    from calflops import calculate_flops

    size = tuple(x.shape)
    return calculate_flops(model, input_shape=size, print_results=False, print_detailed=False)


def torchsummary(model: nn.Module, x: Tensor) -> object:
    from torchsummary import summary

    return summary(model, tuple(x.shape[1:]), device="cpu")


def step(model: nn.Module, x: Tensor) -> None:
    """Run one training step, the reference of torch-audit."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    model(x.repeat(8, 1, 1, 1)).square().mean().backward()
    optimizer.step()


def torch_audit(model: nn.Module, x: Tensor) -> object:
    from bench.peers_audit import audited

    return audited(model.train(), x.repeat(8, 1, 1, 1))


LOOKS: dict[str, Look] = {
    "bare": bare,
    "convlint": convlint,
    "torchinfo": torchinfo,
    "fvcore": fvcore,
    "ptflops": ptflops,
    "ptflops, aten": ptflops_aten,
    "thop": thop,
    "calflops": calflops,
    "torchsummary": torchsummary,
}
STEPS: dict[str, Look] = {"bare": step, "torch-audit": torch_audit}


def shortest(
    looks: Mapping[str, Look], build: Callable[[], nn.Module], size: tuple[int, ...], rounds: int
) -> dict[str, float]:
    """Return the shortest time of each, after a warm-up round."""
    best = dict.fromkeys(looks, float("inf"))
    x = torch.zeros(1, *size)
    for number in range(rounds + 1):
        for name, look in looks.items():
            model = build().eval()
            with quiet():
                start = time.perf_counter()
                look(model, x)
                taken = time.perf_counter() - start
            if number:
                best[name] = min(best[name], taken)
    return best


def measured(rounds: int) -> dict[str, Any]:
    """Return seconds by network and tool, separately for forwards and training steps."""
    return {
        kind: {net: shortest(looks, build, size, rounds * often) for net, (build, size, often) in NETS.items()}
        for kind, looks in (("forward", LOOKS), ("step", STEPS))
    }


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]))))
