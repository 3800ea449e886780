"""Compare one model of the zoo with PyTorch's own counts, in a child process."""

from __future__ import annotations

import ast
import functools
import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bench.zoo_models import Entry, build, example, import_timm
from convlint.analysis import cost
from convlint.ir import Site
from convlint.pipelines import run_models
from convlint.runtime.build import construction_sites as sites
from convlint.runtime.build import symbolic_build
from convlint.runtime.code_sites import sites_of_run
from convlint.runtime.record import provenance
from convlint.runtime.record.record import record

CONVOLUTIONS = ("convolution", "_convolution", "convolution_overrideable", "mkldnn_convolution")


@dataclass(frozen=True)
class Result:
    """One row of the table. ``params``, ``macs`` and ``convs`` are pairs: convlint's, PyTorch's.

    ``fvcore`` is its count of the multiply-accumulates of convolutions, None if it cannot trace the model or was not
    run. ``seconds`` is the time of one recorded forward, ``memory`` the peak of the whole process in bytes.
    """

    name: str
    device: str
    status: str
    reason: str  # why the run is incomplete
    params: tuple[int, int]
    macs: tuple[int, int]
    convs: tuple[int, int]
    sites: tuple[int, int]  # Conv2d instances at the exact span of a call, all Conv2d instances
    lines: int  # distinct construction sites of Conv2d
    errors: tuple[str, ...]
    findings: tuple[str, ...]
    unseen: int
    fvcore: int | None
    seconds: float
    memory: int
    build_s: tuple[float, ...]  # shortest: plain, with construction sites, also with symbolic integers

    @property
    def wrong(self) -> str:
        """Return the deviations from PyTorch; empty if there are none."""
        told = [
            f"{self.status}: {self.reason}" if self.status != "complete" else "",
            *(
                f"{what} {pair[0]} is not {pair[1]}"
                for what, pair in vars(self).items()
                if what in ("params", "macs", "convs", "sites") and pair[0] != pair[1]
            ),
            *self.errors,
        ]
        return "; ".join(filter(None, told))

    @property
    def remarks(self) -> str:
        """Return the same, plus disagreements between other counters and PyTorch."""
        other = f"fvcore counts {self.fvcore:,}" if self.fvcore not in (None, self.macs[1]) else ""
        return "; ".join(filter(None, (self.wrong, other)))


def check(entry: Entry, repeats: int = 1, *, others: bool = True) -> dict[str, Any]:
    """Build and run a model with convlint and with PyTorch's counters. Returns a ``Result`` as a dict.

    ``others``: run fvcore, too.
    """
    if entry.library == "timm":
        import_timm()
    model, seconds = _built(entry, repeats)
    arguments = example(entry)
    start = time.perf_counter()
    with sites_of_run():
        graph = provenance.annotate(record(model, arguments).graph(), model)
    recorded = time.perf_counter() - start
    findings = run_models.findings(graph)
    convs = [node for node in graph.nodes if node.op.startswith("conv")]
    theirs = _counted(model, arguments)
    with sites_of_run():
        placed = {m: site_of(m) for m in model.modules() if isinstance(m, nn.Conv2d)}
    result = Result(
        name=entry.name,
        device=entry.device,
        status=graph.status,
        reason=graph.failure.message if graph.failure else "",
        params=(sum(layer.params for layer in graph.layers), _params(model)),
        macs=(sum(cost.macs(graph, node) or 0 for node in convs), theirs[0]),
        convs=(len(convs), theirs[1]),
        sites=(sum(map(is_call, placed.values())), len(placed)),
        lines=len(set(placed.values())),
        errors=tuple(f"{f.code} {f.message}" for f in findings if f.severity == "error"),
        findings=tuple(sorted(f.code for f in findings)),
        unseen=len(graph.untraced),
        fvcore=_fvcore(model, arguments) if others else None,
        seconds=recorded,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        build_s=seconds,
    )
    return asdict(result)


def _params(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _built(entry: Entry, repeats: int) -> tuple[nn.Module, tuple[float, ...]]:
    """Return the model, and the shortest times in seconds to build it plain and recorded (see ``Result``); no
    times without ``repeats``.
    """
    ways: tuple[tuple[Callable[[], AbstractContextManager[object]], ...], ...] = (
        (),
        (sites.WatchedConstruction,),
        (sites.WatchedConstruction, symbolic_build.symbolic_arguments),
    )
    model, _ = _timed(entry, ways[-1])  # imports, caches
    seconds = [inf] * len(ways) if repeats else []
    for _ in range(repeats):
        for way, contexts in enumerate(ways):
            model, took = _timed(entry, contexts)
            seconds[way] = min(seconds[way], took)
    return model, tuple(seconds)


def _timed(entry: Entry, contexts: tuple[Callable[[], AbstractContextManager[object]], ...]) -> tuple[nn.Module, float]:
    """Build a model in contexts, and return it with the seconds it took."""
    start = time.perf_counter()
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context())
        model = build(entry)
    return model, time.perf_counter() - start


class _ConvCalls(TorchDispatchMode):
    """Counts the convolutions that reach the dispatcher."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket.__name__ in CONVOLUTIONS
        return func(*args, **(kwargs or {}))


def _counted(model: nn.Module, arguments: tuple[Any, ...]) -> tuple[int, int]:
    """Return multiply-accumulates and calls of convolutions in a forward, as PyTorch counts them."""
    model.requires_grad_(requires_grad=False)  # its hooks fail on leaves that require gradients
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), flops, _ConvCalls() as calls:  # type: ignore[no-untyped-call]
        model(*arguments)
    total = sum(
        count
        for operator, count in flops.get_flop_counts().get("Global", {}).items()
        if operator.__name__ in CONVOLUTIONS
    )
    return total // 2, calls.count


def _fvcore(model: nn.Module, arguments: tuple[Any, ...]) -> int | None:
    """Return multiply-accumulates of convolutions as fvcore counts them; None if it cannot trace the model."""
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model, arguments)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    analysis.tracer_warnings("none")
    try:
        return int(analysis.by_operator()["conv"])
    except Exception:  # noqa: BLE001  whatever it cannot trace
        return None


def site_of(module: nn.Module) -> Site | None:
    """Return the construction site of a module, without the name of the function."""
    built = sites.construction_of(module)
    return None if built is None or built.site is None else replace(built.site, function="")


def is_call(site: Site | None) -> bool:
    """Whether a site is the exact span of a call expression in the parsed source."""
    if site is None:
        return False
    return (site.line, site.column, site.end_line, site.end_column) in calls_in(site.path)


@functools.cache
def calls_in(path: str) -> frozenset[tuple[int, int, int, int]]:
    """Return the spans of all call expressions of a file: lines and columns from 1, in characters."""
    source = Path(path).read_text(encoding="utf-8")
    lines = source.split("\n")

    def column(line: int, offset: int) -> int:
        return len(lines[line - 1].encode()[:offset].decode()) + 1

    return frozenset(
        (node.lineno, column(node.lineno, node.col_offset), end, column(end, int(node.end_col_offset or 0)))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for end in [int(node.end_lineno or 0)]
    )
