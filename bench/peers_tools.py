"""Run the counting tools as their documentation says: ``python -m bench.peers_tools TOOL`` prints figures as JSON.

Each tool needs its own process, because some leave functions of PyTorch replaced. It runs in the environment of
``bench.peers_env``, or in any other that has the tool. The reference is PyTorch: its counter of floating point
operations, and the sum over the parameters.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import platform
import re
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import convlint
from bench import peers_left
from bench.peers_cases import CASES, SIZE, Broken, Frozen
from bench.peers_examples import broken_models

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Counted:
    """Counts of a tool for a model; None for figures that it does not have."""

    params: int | None = None
    macs: int | None = None


def true(model: nn.Module) -> Counted:
    """Count with PyTorch, which counts two operations per multiply-accumulate.

    It does not count the fused attention kernel for CPUs, so attention is run as two matrix products.
    """
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *SIZE))
    params = sum(p.numel() for p in model.parameters())
    return Counted(params, counter.get_total_flops() // 2)


def by_convlint(model: nn.Module) -> Counted:
    """Count with ``convlint.summary``."""
    totals = convlint.summary(model, input=SIZE).models[0].totals
    return Counted(totals.params, totals.macs)


def by_torchinfo(model: nn.Module) -> Counted:
    """Count with ``torchinfo.summary``."""
    from torchinfo import summary

    found = summary(model, input_data=torch.zeros(1, *SIZE), verbose=0)
    return Counted(found.total_params, found.total_mult_adds)


def by_fvcore(model: nn.Module) -> Counted:
    """Count with fvcore's ``FlopCountAnalysis``, whose "flop" is a multiply-accumulate."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, torch.zeros(1, *SIZE)).unsupported_ops_warnings(False)
    return Counted(parameter_count(model)[""], analysis.total())


def by_ptflops(model: nn.Module, backend: str = "pytorch") -> Counted:
    """Count with ``get_model_complexity_info``."""
    if importlib.util.find_spec("torchvision"):  # ptflops loads torchvision if it is installed
        from bench.zoo_models import import_torchvision

        import_torchvision()
    from ptflops import get_model_complexity_info

    macs, params = get_model_complexity_info(model, SIZE, as_strings=False, print_per_layer_stat=False, backend=backend)
    return Counted(params, macs)


def by_ptflops_aten(model: nn.Module) -> Counted:
    """Count with the same function, by PyTorch operations instead of modules."""
    return by_ptflops(model, "aten")


def by_thop(model: nn.Module) -> Counted:
    """Count with ``thop.profile``."""
    from thop import profile

    macs, params = profile(model, inputs=(torch.zeros(1, *SIZE),), verbose=False)
    return Counted(int(params), int(macs))


def by_calflops(model: nn.Module) -> Counted:
    """Count with ``calculate_flops``, which returns both operations and multiply-accumulates."""
    from calflops import calculate_flops

    _, macs, params = calculate_flops(
        model, input_shape=(1, *SIZE), output_as_string=False, print_results=False, print_detailed=False
    )
    return Counted(params, macs)


def by_torchsummary(model: nn.Module) -> Counted:
    """Count with ``torchsummary.summary``, which prints its figures."""
    from torchsummary import summary

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        summary(model, SIZE, device="cpu")
    found = re.search(r"Total params: ([\d,]+)", printed.getvalue())
    assert found is not None, "torchsummary prints another table than it did"
    return Counted(int(found[1].replace(",", "")))


TOOLS: dict[str, Callable[[nn.Module], Counted]] = {
    "convlint": by_convlint,
    "torchinfo": by_torchinfo,
    "fvcore": by_fvcore,
    "ptflops": by_ptflops,
    "ptflops, aten": by_ptflops_aten,
    "thop": by_thop,
    "calflops": by_calflops,
    "torchsummary": by_torchsummary,
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discard the output, logs and warnings of the tools."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(nowhere):
            yield
    logging.disable(level)


def counted(tool: str, model: nn.Module) -> Counted:
    """Return a tool's counts for a model in eval mode."""
    with quiet():
        return TOOLS[tool](model.eval())


def counts_bias(tool: str) -> bool:
    """Whether a bias counts as a multiply-accumulate for each output."""

    def of(*, bias: bool) -> int | None:
        return counted(tool, nn.Sequential(nn.Conv2d(8, 16, 1, bias=bias))).macs

    return of(bias=True) != of(bias=False)


def of_case(tool: str, case: str) -> dict[str, Any]:
    """Return the counts for one case, or the error."""
    try:
        return asdict(counted(tool, CASES[case]()))
    except Exception as error:  # noqa: BLE001  whatever it is, it is what the user gets
        return {"error": told(error)}


def of_broken(tool: str) -> str:
    """Return a tool's output for a model that has two bugs and fails at the first."""
    if tool == "convlint":
        file = ROOT / "bench" / "peers_cases.py"
        report = convlint.check(f"{file}:{Broken.__name__}", input=SIZE, select=["CVL1"])
        found = [f"{f.code} {f.name}" for f in report if f.site and f.site.path]
        return f"{len(found)} findings, each at its line: {', '.join(found)}"
    try:
        assert counted(tool, Broken()) == Counted(), "it gives figures"
    except Exception as error:  # noqa: BLE001  whatever it is, it is what the user gets
        return told(error)
    finally:
        peers_left.unpatch()
    return "prints an error, and returns None for both figures"


def of_fixtures(tool: str) -> dict[str, str]:
    """Return the result for each broken model that can be built but fails when it runs, by its file."""
    found = {}
    for name, file in broken_models().items():
        if not name.startswith("cvl1"):
            continue
        build = runpy.run_path(str(file))["Net"]
        sample = build.example_input_array
        try:
            build()
        except ValueError:  # the model cannot be built
            continue
        try:
            build().eval()(sample)
        except Exception as error:  # noqa: BLE001  a model of any kind of failure
            found[name] = _of_failing(tool, build(), error)
    return found


def _of_failing(tool: str, model: nn.Module, said_by_torch: Exception) -> str:
    if tool == "convlint":
        found = convlint.check(model, input=(3, 32, 32), select=["CVL1"])
        return "findings" if list(found) else "nothing"
    with _reading((3, 32, 32)):
        try:
            figures = counted(tool, model)
        except Exception as error:  # noqa: BLE001  as above
            if isinstance(error, type(said_by_torch)) and _words(error) == _words(said_by_torch):
                return "PyTorch's error"
            return "an error of its own"
        finally:
            peers_left.unpatch()
    return "no figures" if figures == Counted() else "figures"


def _words(error: Exception) -> str:
    """Return a message without its numbers, because each tool chooses its batch size."""
    return re.sub(r"\d+", "", str(error))


@contextlib.contextmanager
def _reading(size: tuple[int, int, int]) -> Iterator[None]:
    """Set the sample size that the tools use."""
    global SIZE  # noqa: PLW0603  it is what each adapter reads
    before, SIZE = SIZE, size
    try:
        yield
    finally:
        SIZE = before


def left_behind(tool: str, model: nn.Module) -> str:
    """Return the changes on a model after a tool was run on it, whether the tool worked or not."""
    before = peers_left.noted(model)
    with quiet(), contextlib.suppress(Exception):
        TOOLS[tool](model)
    try:
        return before.changes(model)
    finally:
        peers_left.unpatch()


def told(error: Exception) -> str:
    """Format an error like the last line of a traceback."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".removesuffix(": ")


def truth() -> dict[str, Any]:
    """Return PyTorch's figures, its release and the Python version."""
    counts = {case: asdict(true(build().eval())) for case, build in CASES.items()}
    torch_version = torch.__version__.partition("+")[0]
    return {"torch": torch_version, "python": ".".join(platform.python_version_tuple()[:2]), "counted": counts}


def figures(tool: str) -> dict[str, Any]:
    """Return all measurements of one tool in this module."""
    return {
        "counted": {case: of_case(tool, case) for case in CASES},
        "bias": counts_bias(tool),
        "frozen": left_behind(tool, Frozen()),
        "broken": of_broken(tool),
        "left on broken": left_behind(tool, Broken()),
        "fixtures": of_fixtures(tool),
    }


if __name__ == "__main__":
    chosen = sys.argv[1]
    print(json.dumps(truth() if chosen == "PyTorch" else figures(chosen)))
