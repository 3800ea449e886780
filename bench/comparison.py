"""What other tools say of the same small models: ``python -m bench.comparison [--write]``.

The truth is PyTorch's own: its counter of floating point operations, and the sum over the parameters.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import metadata, requires, version

import torch
from packaging.requirements import Requirement
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import convlint
from bench import sections
from bench.comparison_cases import CASES, SIZE, Broken, Frozen
from bench.markdown import table
from bench.prose import ROOT
from bench.zoo_models import import_torchvision

PAGE = ROOT / "docs" / "comparison.md"


@dataclass(frozen=True)
class Counted:
    """What a tool says of a model; None where it has no such figure."""

    params: int | None = None
    macs: int | None = None


def true(model: nn.Module) -> Counted:
    """By PyTorch itself. It counts two operations for a multiply-accumulate."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *SIZE))
    params = sum(p.numel() for p in model.parameters())
    return Counted(params, counter.get_total_flops() // 2)


def by_convlint(model: nn.Module) -> Counted:
    """By ``convlint.summary``."""
    totals = convlint.summary(model, input=SIZE).models[0].totals
    return Counted(totals.params, totals.macs)


def by_torchinfo(model: nn.Module) -> Counted:
    """By ``torchinfo.summary``."""
    from torchinfo import summary

    found = summary(model, input_data=torch.zeros(1, *SIZE), verbose=0)
    return Counted(found.total_params, found.total_mult_adds)


def by_fvcore(model: nn.Module) -> Counted:
    """By fvcore's ``FlopCountAnalysis``, whose "flop" is a multiply-accumulate."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, torch.zeros(1, *SIZE)).unsupported_ops_warnings(False)
    return Counted(parameter_count(model)[""], analysis.total())


def by_ptflops(model: nn.Module, backend: str = "pytorch") -> Counted:
    """By ``get_model_complexity_info``."""
    import_torchvision()
    from ptflops import get_model_complexity_info

    macs, params = get_model_complexity_info(
        model, SIZE, as_strings=False, print_per_layer_stat=False, backend=backend
    )
    return Counted(params, macs)


def by_ptflops_aten(model: nn.Module) -> Counted:
    """By the same, counting the operations of PyTorch rather than its modules."""
    return by_ptflops(model, "aten")


def by_torchsummary(model: nn.Module) -> Counted:
    """By ``torchsummary.summary``, which prints its figures."""
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
    "torchsummary": by_torchsummary,
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the tools print, log and warn of is not told."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(nowhere):
            yield
    logging.disable(level)


def counted(tool: str, model: nn.Module) -> Counted:
    """What a tool says of a model in eval mode."""
    with quiet():
        return TOOLS[tool](model.eval())


def compared(figure: str) -> str:
    """A table of ``params`` or ``macs``: what each tool says, and how many times the truth where it is off."""
    rows = []
    tools = [t for t in TOOLS if figure == "params" or t != "torchsummary"]
    for name, build in CASES.items():
        truth = getattr(true(build()), figure)
        row = [name, f"{truth:,}"]
        for tool in tools:
            said = getattr(counted(tool, build()), figure)
            share = f"{said / truth:.2g}" if said else "0"
            row.append(f"{said:,}" if said == truth else f"**{said:,}** ({share} times)")
        rows.append(row)
    return table(["model", ">PyTorch", *(f">{tool}" for tool in tools)], rows)


def bias() -> dict[str, bool]:
    """Whether a bias counts as a multiply-accumulate for each output, by tool."""

    def of(tool: str, *, with_bias: bool) -> int | None:
        return counted(tool, nn.Sequential(nn.Conv2d(8, 16, 1, bias=with_bias))).macs

    tools = [tool for tool in TOOLS if tool != "torchsummary"]
    return {tool: of(tool, with_bias=True) != of(tool, with_bias=False) for tool in tools}


def of_broken(tool: str) -> str:
    """What a tool says of a model that has two defects and fails at the first."""
    if tool == "convlint":
        file = ROOT / "bench" / "comparison_cases.py"
        report = convlint.check(f"{file}:{Broken.__name__}", input=SIZE, select=["CVL1"])
        found = [f"{f.code} {f.name}" for f in report if f.site and f.site.path]
        return f"{len(found)} findings, each at its line: {', '.join(found)}"
    try:
        assert counted(tool, Broken()) == Counted(), "it gives figures"
    except Exception as error:  # noqa: BLE001  whatever it is, it is what the user gets
        line = str(error).splitlines()[0]
        return f"{type(error).__name__}: {line}"
    return "prints an error, and returns None for both figures"


def left_behind(tool: str, model: nn.Module) -> str:
    """What is different about a model after a tool was run on it, whether that worked or not."""
    flags = {name: module.training for name, module in model.named_modules()}
    names = {(name, key) for name, module in model.named_modules() for key in vars(module)}
    with quiet(), contextlib.suppress(Exception):
        TOOLS[tool](model)
    modules = dict(model.named_modules())
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules.values())  # noqa: SLF001
    added = sum((name, key) not in names for name, m in modules.items() for key in vars(m))
    turned = sum(module.training != flags[name] for name, module in modules.items())
    found = {"hooks": hooks, "attributes": added, "training flags changed": turned}
    return ", ".join(f"{what}: {count}" for what, count in found.items() if count) or "nothing"


def needs(package: str) -> list[str]:
    """A row: version, Python, and the packages that it needs, less torch."""
    if package == "convlint":  # as it is in this tree, whatever is installed
        own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        python, wanted = own["requires-python"], own["dependencies"]
    else:
        python, wanted = metadata(package).json.get("requires_python"), requires(package)
    names = {
        one.name
        for one in map(Requirement, wanted or ())
        if one.marker is None or one.marker.evaluate({"extra": ""})
    } - {"torch"}
    return [package, version(package), python or "any", ", ".join(sorted(names)) or "nothing"]


def page() -> str:
    """The section of the page."""
    with_bias = [tool for tool, counts in bias().items() if counts and "," not in tool]
    shape = "x".join(map(str, (1, *SIZE)))
    torch_version = version("torch").partition("+")[0]
    packages = ["convlint", "torchinfo", "fvcore", "ptflops", "torchsummary"]
    failing = [[tool, of_broken(tool), left_behind(tool, Broken())] for tool in TOOLS]
    working = [[tool, left_behind(tool, Frozen())] for tool in TOOLS]
    return "\n".join(
        [
            "Written by `python -m bench.comparison --write`, on models of one or two layers in",
            f"`bench/comparison_cases.py`, at {shape}, torch {torch_version}.",
            "",
            "### Multiply-accumulates",
            "",
            "PyTorch's own counter counts two operations for each. A figure that is not the same is bold.",
            f"With {' and '.join(with_bias)} a bias counts as one more for each output, so none of these",
            "models has one. torchsummary has no such figure.",
            "",
            compared("macs"),
            "",
            "### Parameters",
            "",
            compared("params"),
            "",
            "### A model that does not work",
            "",
            "16 channels arrive at a norm for 8, and further on 4 channels at a convolution that takes 8.",
            "",
            table(["tool", "what it says", "what it leaves on the model"], failing),
            "",
            "### A model that works",
            "",
            "In training mode, with a norm that was put into eval mode on purpose.",
            "",
            table(["tool", "what it leaves on the model"], working),
            "",
            "### What is installed with it",
            "",
            table(["package", "version", "Python", "needs, beside torch"], map(needs, packages)),
        ]
    )


def main() -> None:
    """Compare, and print or write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    text = page()
    if parser.parse_args().write:
        sections.put(PAGE, "comparison", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
