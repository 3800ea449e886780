"""From the arguments of the functions to the requests and jobs of the pipelines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from convlint.api.python_words import in_python
from convlint.ir import Report
from convlint.pipelines import run_models
from convlint.pipelines.executor import RunJob
from convlint.pipelines.requests import CheckRequest
from convlint.runtime.worker.client import Worker
from convlint.settings import config
from convlint.settings.input_shapes import InputSpec, parse_input
from convlint.settings.jobs import Job
from convlint.settings.targets import Target, parse_target
from convlint.support.dataclass import replace
from convlint.support.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from convlint.outputs.parts.columns import TableOptions

    ModelInput: TypeAlias = Tensor | str | Sequence[object] | Mapping[str, object] | None

_ONLY_FOR_TARGETS = ("device", "dtype", "timeout", "max_memory")
Options = Mapping[str, object]
"""Options of a run by name; None and False stand for the default."""


def given(options: Options) -> dict[str, object]:
    """The options that differ from their defaults."""
    return {name: value for name, value in options.items() if value is not None and value is not False}


def path_of(text: str) -> str | None:
    """A target that is a file or directory; None if it names a model."""
    return text if os.path.exists(text) or parse_target(text).name is None else None


def model_target(text: str) -> Target:
    """The model that a target names. Raises UsageError."""
    target = parse_target(text)
    if target.name is None:
        raise UsageError(f"{target.text} does not name a model; write it as in net.py:Net")
    return target


def reworded(report: Report) -> Report:
    """The report with its problems in the words of Python."""
    problems = tuple(replace(problem, message=in_python(problem.message)) for problem in report.problems)
    models = tuple(
        replace(model, graph=replace(model.graph, input_source=in_python(model.graph.input_source)))
        for model in report.models
    )
    return replace(report, problems=problems, models=models)


@contextmanager
def prepared(
    model_or_target: nn.Module | str, input: ModelInput, options: Options, settings: config.Config
) -> Iterator[tuple[Job, RunJob, Worker | None]]:
    """The job of a model, the function that runs it, and the worker process; None for a live model."""
    if not isinstance(model_or_target, str):
        yield *live_job(model_or_target, input, options, settings), None
        return
    (job,) = run_models.jobs([model_target(model_or_target)], request(options, input_specs(input)), settings)
    with Worker() as worker:
        yield job, worker.run, worker


def live_job(model: nn.Module, input: ModelInput, options: Options, settings: config.Config) -> tuple[Job, RunJob]:
    """The job for a live model, and the function that runs it in this process. Raises UsageError."""
    from convlint.runtime import model_run

    if not model_run.is_module(model):
        kind = type(model).__name__
        if isinstance(model, type):
            kind = f"a class; pass an instance, {model.__name__}(...)"
        raise UsageError(f"expected a model or a target such as 'net.py:Net', not {kind}")
    for name in _ONLY_FOR_TARGETS:
        if name in given(options):
            raise UsageError(f"{name} only applies to targets; a live model runs as and where it is")
    tensors = model_run.tensor_inputs(input)
    name = type(model).__name__
    values = request(options, () if tensors else input_specs(input))
    (job,) = run_models.jobs([Target(name, name=name)], values, settings)
    job = replace(job, device=model_run.device_of(model), inputs_from="input")
    return job, lambda job: model_run.run_model(model, job, tensors)


def request(options: Options, inputs: tuple[InputSpec, ...]) -> CheckRequest:
    """The request for options of a run. Raises UsageError."""
    values: dict[str, object] = {"input": inputs}
    for name, value in given(options).items():
        option = CheckRequest.options()[name]
        values[name] = value if option.parse is None else option.parse(value, name)
    return CheckRequest(**values)


def table_options(columns: str | Sequence[str], depth: int | None, sort: str | None) -> TableOptions | None:
    """The options of the layer table; None for the default ones. Raises UsageError."""
    if not (columns or depth is not None or sort):
        return None
    from convlint.outputs.parts.columns import TableOptions

    names = columns.split(",") if isinstance(columns, str) else columns
    try:
        return TableOptions(columns=tuple(name.strip() for name in names if name.strip()), depth=depth, sort=sort)
    except ValueError as error:
        raise UsageError(str(error)) from None


def input_specs(input: ModelInput) -> tuple[InputSpec, ...]:
    """Inputs from their Python forms; ``(3, 224, 224)`` is one shape. Raises UsageError."""
    if input is None:
        return ()
    if isinstance(input, Mapping):
        return tuple(_named(input))
    if isinstance(input, Sequence) and not isinstance(input, str) and not _is_shape(input):
        return tuple(_input_spec(shape) for shape in input)
    return (_input_spec(input),)


def _named(values: Mapping[str, object], outer: str = "") -> Iterator[InputSpec]:
    """The inputs in a dict, and those in dicts and lists in it: ``{"batch": {"image": (3, 64, 64)}}``."""
    for key, value in values.items():
        name = f"{outer}{key}"
        if isinstance(value, Mapping):
            yield from _named(value, f"{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str) and not _is_shape(value):
            yield from _named({str(position): item for position, item in enumerate(value)}, f"{name}.")
        else:
            yield replace(_input_spec(value), name=name)


def _is_shape(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, Sequence) and all(type(size) is int for size in value)


def _input_spec(value: object) -> InputSpec:
    if isinstance(value, str):
        return parse_input(value)
    if _is_shape(value):
        return parse_input(",".join(map(str, value)))
    kind = type(value).__name__
    raise UsageError(f"an input is a shape such as (3, 224, 224), its text, or a tensor, not {kind}")
