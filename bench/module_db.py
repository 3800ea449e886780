"""Check every module of PyTorch's own test suite: ``python -m bench.module_db [--reduced] [--write] [NAME ...]``.

``torch.testing._internal.common_modules.module_db`` has about 100 modules with the arguments and inputs that PyTorch
tests them with. Each is checked as a live model in eval and in train mode. A check is right if it raises nothing,
reports no error and no problem, leaves module, inputs and random generators as they were, and has the number of
parameters, the output shapes and, where ``FlopCounterMode`` counts any, the MACs of PyTorch.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import types
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.flop_counter import FlopCounterMode

import convlint
from bench import sections
from bench.markdown import table

PAGE = Path(__file__).parent.parent / "docs" / "module-db.md"


@dataclass(frozen=True)
class Case:
    """A module with its inputs, in one mode. Modules are built anew each time."""

    name: str
    number: int
    info: Any
    given: Any
    train: bool

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        made = self.given.constructor_input
        module: nn.Module = self.info.module_cls(*made.args, **made.kwargs)
        return module.train(self.train)


@dataclass
class Outcome:
    """What is wrong with the check of a case, and the kinds of its problems."""

    case: Case
    wrong: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Applied(nn.Module):
    """A module that is called with tensors at their places among its other arguments."""

    def __init__(self, module: nn.Module, places: Sequence[int], leaves: Sequence[Any], spec: Any) -> None:
        super().__init__()
        self.module = module
        self._places, self._leaves, self._spec = places, leaves, spec

    def forward(self, *tensors: Tensor) -> Any:
        leaves = list(self._leaves)
        for place, tensor in zip(self._places, tensors, strict=True):
            leaves[place] = tensor
        args, kwargs = tree_unflatten(leaves, self._spec)
        return self.module(*args, **kwargs)


def cases(names: Sequence[str] = ()) -> Iterator[Case]:
    """The cases of all modules, or of those with these names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for info in _module_db():
            if names and info.name not in names:
                continue
            for train in (False, True):
                torch.manual_seed(0)
                given = info.module_inputs_func(
                    info, device="cpu", dtype=torch.float32, requires_grad=False, training=train
                )
                for number, each in enumerate(each for each in given if each.forward_input is not None):
                    yield Case(info.name, number, info, each, train)


def _module_db() -> Any:
    if find_spec("expecttest") is None:  # the base class of tests that do not run here
        stub = types.ModuleType("expecttest")
        stub.TestCase = object  # type: ignore[attr-defined]
        sys.modules["expecttest"] = stub
    from torch.testing._internal.common_modules import module_db

    return module_db


def check(case: Case) -> Outcome:
    """Check one case, and compare with what PyTorch does."""
    outcome = Outcome(case)
    call = case.given.forward_input
    leaves, spec = tree_flatten((tuple(call.args), dict(call.kwargs)))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    tensors = [leaves[place] for place in places]
    try:
        run = Applied(case.build(), places, leaves, spec)
        shapes, macs = _run(run, tensors)
        params = sum(parameter.numel() for parameter in run.parameters())
    except Exception as error:  # noqa: BLE001 - the case itself does not run
        outcome.problems.append(f"PyTorch raises {type(error).__name__}")
        return outcome
    model = Applied(case.build(), places, leaves, spec)
    before = _state(model, tensors)
    try:
        report = convlint.check(model, input=tensors, train=case.train)
    except Exception as error:  # noqa: BLE001 - which is what must not happen
        outcome.wrong.append(f"raises {type(error).__name__}: {error}")
        return outcome
    if _state(model, tensors) != before:
        outcome.wrong.append("not left as found")
    outcome.problems += [problem.kind for problem in report.problems]
    outcome.wrong += [f"{f.code}: {f.message}" for f in report.findings if f.severity == "error"]
    for found in report.models if not report.problems else ():
        if found.status != "complete":
            outcome.wrong.append(f"the run is {found.status}")
        if found.totals.params != params:
            outcome.wrong.append(f"{found.totals.params} parameters, not {params}")
        printed = [text.rpartition(": ")[2].split(" ")[0] for text in found.outputs]
        if printed != shapes:
            outcome.wrong.append(f"outputs {printed}, not {shapes}")
        if macs and found.totals.macs != macs:
            outcome.wrong.append(f"{found.totals.macs} MACs, not {macs}")
    return outcome


def _run(model: nn.Module, tensors: Sequence[Tensor]) -> tuple[list[str], int]:
    """The output shapes of a forward, and its MACs as PyTorch counts them, which it does not in fused operators."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            result = model(*[tensor.clone() for tensor in tensors])
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    outputs = [leaf for leaf in tree_flatten(result)[0] if isinstance(leaf, Tensor)]
    return ["x".join(map(str, each.shape)) or "scalar" for each in outputs], counter.get_total_flops() // 2


def _state(model: nn.Module, tensors: Sequence[Tensor]) -> list[object]:
    values = [*model.parameters(), *model.buffers(), *tensors]
    kept = [(id(t), t.requires_grad, None if nn.parameter.is_lazy(t) else t.detach().tolist()) for t in values]
    flags = [module.training for module in model.modules()]
    return [repr(kept), flags, torch.get_rng_state().tolist()]


def main() -> None:
    """Check the modules whose names are given, or all; with ``--write`` write the page in docs/."""
    parser = argparse.ArgumentParser(prog="python -m bench.module_db", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--reduced", action="store_true", help="one input of each module, in eval mode")
    parser.add_argument("--write", action="store_true", help="write docs/module-db.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    outcomes = []
    for case in cases(options.names):
        if options.reduced and (case.number or case.train):
            continue
        outcomes.append(check(case))
        for text in outcomes[-1].wrong:
            print(f"{case.name} {case.number} {'train' if case.train else 'eval'}: {text}", file=sys.stderr, flush=True)
    page = _page(outcomes)
    print(page)
    if options.write:
        sections.record(PAGE, page)
    sys.exit(any(outcome.wrong for outcome in outcomes))


def _page(outcomes: Sequence[Outcome]) -> str:
    right = sum(not (outcome.wrong or outcome.problems) for outcome in outcomes)
    modules = {outcome.case.name for outcome in outcomes}
    kinds = Counter(kind for outcome in outcomes for kind in set(outcome.problems))
    listed = itertools.groupby(sorted(outcomes, key=lambda each: each.case.name), lambda each: each.case.name)
    rows = []
    for name, group in listed:
        texts = Counter(text for outcome in group for text in (*outcome.wrong, *outcome.problems))
        rows += [[f"`{name}`", text, count] for text, count in texts.items()]
    share = f"{right:,} ({right / max(len(outcomes), 1):.1%})"
    text = f"""# Modules of PyTorch's test suite

torch {version("torch").split("+")[0]}. Written by `python -m bench.module_db --write`.

{len(modules)} modules with {len(outcomes):,} inputs, in eval and train mode: {share} are right. Nothing is
raised, no error and no problem is reported, the module, its inputs and the random generators are left as they were,
and parameters, output shapes and MACs are those of PyTorch.
"""
    lines = [text]
    lines += [f"- {kind}: {count:,}" for kind, count in kinds.most_common()]
    if rows:
        lines += ["", table(["module", "what is reported or wrong", ">inputs"], rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
