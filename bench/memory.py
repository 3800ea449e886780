"""Compare predicted memory with real allocations: ``python -m bench.memory [--write]``.

For each model and batch size, this measures the peak of an inference and of a training step as predicted by convlint
and as recorded by PyTorch's profiler, and the totals of torchsummary and torchinfo. On a GPU it also uses
``torch.cuda.max_memory_allocated``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import statistics
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from bench import sections
from bench.children import call
from bench.markdown import table
from bench.zoo_models import Entry, build, entries, example
from convlint.analysis import cost
from convlint.ir import Totals
from convlint.runtime.code_sites import sites_of_run
from convlint.runtime.measure.memory import with_memory
from convlint.runtime.record.record import record
from convlint.runtime.record.steps import tensors_in

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "costs.md"
TEXT = Path(__file__).with_name("costs.md")
MODELS = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"),
    *("regnet_x_800mf", "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d"),
    *("shufflenet_v2_x1_0", "squeezenet1_0", "swin_t", "vgg11", "vit_b_16"),
)
BATCHES = (1, 4)
MB = 2**20


@dataclass(frozen=True)
class Result:
    """One model at one batch size, in bytes. Pairs are predicted and allocated memory."""

    model: str
    batch: int
    held: int  # parameters, buffers and inputs
    inference: tuple[int, int]
    training: tuple[int, int]
    torchsummary: int | None  # None if it fails
    torchinfo: int

    @property
    def errors(self) -> dict[str, float]:
        """Relative errors with their sign."""
        beyond = (self.inference[0] - self.held, self.inference[1] - self.held)
        others = {"torchsummary": self.torchsummary, "torchinfo": self.torchinfo}
        return {
            "inference": relative(*self.inference),
            "beyond": relative(*beyond),
            "training": relative(*self.training),
            **{tool: relative(said, self.training[1]) for tool, said in others.items() if said},
        }


def relative(said: int, real: int) -> float:
    """Return the relative error with its sign: 0.1 is 10 % too much."""
    return said / real - 1


def peak_allocated(run: Callable[[], object]) -> int:
    """Return the peak of bytes allocated during ``run``, without those allocated before."""
    run()  # memory allocated by the first call does not belong to the second
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = run()
    assert profiler.profiler is not None
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    del kept
    return max(accumulate((int(event.nbytes()) for event in events), initial=0))


def inference(model: nn.Module, arguments: tuple[Any, ...]) -> Callable[[], object]:
    """Return a function that runs one forward in eval mode without gradients."""
    model.eval()

    def run() -> object:
        with torch.no_grad():
            return model(*arguments)

    return run


def training(model: nn.Module, arguments: tuple[Any, ...]) -> Callable[[], object]:
    """Return a function that runs a training step with Adam whose gradients keep their memory."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters())

    def run() -> None:
        optimizer.zero_grad(set_to_none=False)
        sum(output.sum() for output in tensors_in(model(*arguments))).backward()  # type: ignore[union-attr]
        optimizer.step()

    return run


def nbytes(*groups: Any) -> int:
    """Return the bytes of the tensors in all groups."""
    return sum(tensor.nbytes for group in groups for tensor in tensors_in(group))


def predicted(model: nn.Module, arguments: tuple[Any, ...]) -> Totals:
    """Return convlint's predictions."""
    with sites_of_run():
        graph = record(model, arguments).graph()
    return cost.totals(with_memory(graph, model, arguments))


def compare(entry: Entry, batch: int) -> dict[str, Any]:
    """Measure one model at one batch size, in a child process. Returns a ``Result`` as a dict."""
    model, arguments = build(entry), example(entry, batch)
    said = predicted(model, arguments)
    assert said.peak_inference_bytes is not None
    assert said.training_bytes is not None
    params = nbytes(list(model.parameters()))
    held = params + nbytes(list(model.buffers()), arguments)
    evaluated = held + peak_allocated(inference(model, arguments))
    total = torchinfo(model, arguments)
    trained = held + 3 * params + peak_allocated(training(model, arguments))
    return asdict(
        Result(
            entry.name.split("/")[1],
            batch,
            held,
            (said.peak_inference_bytes, evaluated),
            (said.training_bytes, trained),
            torchsummary(model, entry, batch),  # last, because it leaves its hooks on failure
            total,
        )
    )


def torchsummary(model: nn.Module, entry: Entry, batch: int) -> int | None:
    """Return torchsummary's "Estimated Total Size" in bytes."""
    from torchsummary import summary

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            summary(model, entry.input, batch_size=batch, device="cpu")
        except (AttributeError, TypeError):
            return None  # it fails if modules return anything other than tensors
    found = re.search(r"Estimated Total Size \(MB\): ([\d.]+)", printed.getvalue())
    assert found is not None
    return round(float(found[1]) * MB)


def torchinfo(model: nn.Module, arguments: tuple[Any, ...]) -> int:
    """Return torchinfo's "Estimated Total Size" in bytes."""
    from torchinfo import summary

    said = summary(model, input_data=arguments, verbose=0)
    return int(said.total_input + said.total_output_bytes + said.total_param_bytes)


# --- on a GPU


def compare_cuda(entry: Entry, batch: int) -> tuple[int, int]:
    """Return the peak of an inference on the GPU: predicted, allocated."""
    model = build(entry).cuda()
    arguments = tuple(tensor.cuda() for tensor in example(entry, batch))
    said = predicted(model, arguments).peak_inference_bytes
    assert said is not None
    run = inference(model, arguments)
    run()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    run()
    return said, torch.cuda.max_memory_allocated()


# --- the page


def page(results: list[Result], cuda: dict[tuple[str, int], tuple[int, int]]) -> str:
    """Return ``bench/costs.md`` with its figures filled in."""
    figures = {}
    for what in ("inference", "beyond", "training", "torchsummary", "torchinfo"):
        errors = {(r.model, r.batch): r.errors[what] for r in results if what in r.errors}
        (model, batch), worst = max(errors.items(), key=lambda item: abs(item[1]))
        figures[f"median_{what}"] = f"{statistics.median(map(abs, errors.values())):.2%}"
        figures[f"worst_{what}"] = f"{worst:+.2%} ({model}, batch {batch})"
    columns = ("inference", "allocated", "error", "training", "allocated", "error")
    return TEXT.read_text(encoding="utf-8").format(
        count=len(results),
        models=len({r.model for r in results}),
        torch=torch.__version__.split("+")[0],
        table=table(
            ("model", *(f">{c}" for c in ("batch", *columns, "torchsummary", "torchinfo"))), map(_row, results)
        ),
        cuda=_cuda_text(cuda),
        **figures,
    )


def _row(r: Result) -> tuple[object, ...]:
    """Return the row of one model at one batch size, in MB."""
    said = {"torchsummary": r.torchsummary, "torchinfo": r.torchinfo}
    return (
        r.model,
        r.batch,
        *(f"{part / MB:.1f}" for part in r.inference),
        f"{r.errors['inference']:+.2%}",
        *(f"{part / MB:.1f}" for part in r.training),
        f"{r.errors['training']:+.2%}",
        *(f"{size / MB:.1f} ({r.errors[tool]:+.0%})" if size else "fails" for tool, size in said.items()),
    )


def _cuda_text(cuda: dict[tuple[str, int], tuple[int, int]]) -> str:
    if not cuda:
        return "Not measured: this machine does not have a GPU."
    rows = [
        (model, batch, *(f"{part / MB:.1f}" for part in pair), f"{relative(*pair):+.1%}")
        for (model, batch), pair in cuda.items()
    ]
    return table(("model", ">batch", ">inference", ">allocated", ">error"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("names", nargs="*", default=MODELS, help="models of torchvision")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    wanted = {f"torchvision/{name}" for name in options.names}
    results, cuda = [], {}
    for entry in [entry for entry in entries() if entry.name in wanted]:
        for batch in BATCHES:
            result = Result(**call(compare, entry, batch, timeout=300))
            results.append(result)
            print(result.model, batch, result.errors, file=sys.stderr)
            if torch.cuda.is_available():
                cuda[result.model, batch] = call(compare_cuda, entry, batch, timeout=300)
    text = page(results, cuda)
    print(text)
    if options.write:
        sections.record(PAGE, text)


if __name__ == "__main__":
    main()
