"""``convlint.check``, ``summary``, ``suggest``, ``rewrite`` and ``trace``: the Python API."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard

from convlint import ir
from convlint.pipelines import run_models
from convlint.pipelines.check import check_files, model_linter
from convlint.pipelines.executor import RunJob
from convlint.pipelines.requests import CheckRequest
from convlint.runtime.worker.client import Worker
from convlint.settings import config
from convlint.settings.input_shapes import InputSpec, parse_input
from convlint.settings.jobs import Job
from convlint.settings.targets import Target, parse_target
from convlint.support.dataclass import dataclass, replace
from convlint.support.errors import UsageError, check_choice
from convlint.support.quantities import parse_count

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    from convlint.ir import IntermediateLayers, Suggestion

    ModelInput = Tensor | str | Sequence[object] | Mapping[str, object] | None


@dataclass(frozen=True, repr=False)
class Report(ir.Report):
    """A report of ``check`` (``linted``) or ``suggest`` (``suggested``) that prints as text, and as HTML in a notebook.
    ``files`` were checked statically; None if a model was run.
    """

    linted: bool = True
    suggested: bool = False
    files: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        if self.suggested:
            from convlint.outputs.suggestions import text as suggestions

            return suggestions.render(self).rstrip("\n")
        from convlint.outputs import text

        files = None if self.files is None else len(self.files)
        return text.render(self, verdict=self.linted, files=files).rstrip("\n")

    def _repr_html_(self) -> str:
        from convlint.outputs.parts import notebook

        return notebook.render(self)


def check(
    model_or_target: nn.Module | str | os.PathLike[str],
    input: ModelInput = None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    **options: object,
) -> Report:
    """Check a model, a file or a directory for bugs.

    Args:
        model_or_target: A live module, which runs in this process and is restored afterwards; a target such as
            ``"net.py:Net(64)"``, which runs in a process of its own; or the path of a file or directory, which is
            checked statically, without ``input`` and ``options``.
        input: The shape of one input without the batch dimension, its text as for ``--input``, or, for a live
            module, a tensor. A list for several inputs, a dict for inputs by keyword.
        select: Rule codes or prefixes to enable.
        ignore: Rule codes or prefixes to disable.
        extend_select: Rule codes or prefixes to enable in addition to ``select``.
        **options: ``input_file``, ``batch_size``, ``train``, ``max_params``, ``max_macs``, ``max_activation_bytes``;
            for targets also ``device``, ``dtype``, ``timeout`` in seconds, and ``max_memory`` in bytes or as text.

    Raises:
        UsageError: A ``ValueError``; an argument is not valid.

    """
    settings = config.discover().overridden(select=select, ignore=ignore, extend_select=extend_select)
    if isinstance(model_or_target, os.PathLike):
        model_or_target = os.fspath(model_or_target)
    path = _path(model_or_target) if isinstance(model_or_target, str) else None
    if path is None:
        with _prepared(model_or_target, input, options, settings) as (job, run, worker):
            if worker is None:
                report = run_models.check_models([job], run, settings)
            else:
                report = run_models.check_models(
                    [job], run, settings, worker.prove, run_versions=worker.run, linter=model_linter(settings)
                )
        return Report(**vars(report))
    if input is not None or options:
        name = next(iter(options), "input")
        raise UsageError(
            f"{path} is checked statically; {name} only applies to models that are run "
            f"({path if path.endswith('.py') else 'net.py'}:Net)"
        )
    outcome = check_files([path], None, ir.Report(), settings, CheckRequest())
    return Report(**vars(outcome.report), files=outcome.files)


def summary(model_or_target: nn.Module | str, input: ModelInput = None, **options: object) -> Report:
    """Return the layer table of a model, without linting it; the arguments are those of ``check``.

    Findings are only those that explain why the model does not run.
    """
    settings = config.discover()
    with _prepared(model_or_target, input, options, settings) as (job, run, worker):
        report = run_models.summarize_models([job], run, settings, worker.run if worker else None)
    return Report(**vars(report), linted=False)


def trace(
    model: nn.Module, input: ModelInput = None, *, train: bool = False, batch_size: int | None = None
) -> fx.Graph:
    """Run a live model once and return what ran as a ``torch.fx.Graph``; the model is left as it was.

    It holds what one forward did: real branches, real sizes, ``call_function`` nodes only. ``input``, ``train`` and
    ``batch_size`` are those of ``check``. Every node has in ``node.meta``:

    - ``"shape"``: ``tuple[int, ...]``, the size of its tensor; a tuple of those for a node that gives several tensors
      and for the output, unless the model returns a single tensor
    - ``"dtype"``: ``torch.dtype``, or a tuple of those, likewise
    - ``"module"``: ``str``, the path of the innermost module around the call, ``""`` for the model itself; for a
      parameter or buffer the module that owns it
    - ``"site"``: ``convlint.Site | None``, where the user's code makes the call; None for inputs and weights

    Raises UsageError, a ValueError, for what cannot be run, and whatever the forward raises.
    """
    from convlint.runtime import model_run
    from convlint.runtime.failures import ProblemError

    if isinstance(model, str | os.PathLike):
        raise UsageError(
            f"trace takes a live model, because the functions in a graph cannot leave the process that runs {model}; "
            "import the model and pass it"
        )
    options = {"train": train, "batch_size": batch_size}
    job, _ = _live_job(model, input, options, config.discover())
    try:
        return model_run.trace(model, job, model_run.tensor_inputs(input))
    except ProblemError as error:
        raise UsageError(error.problem.message) from error


def suggest(
    model_or_target: nn.Module | str,
    input: ModelInput = None,
    *,
    kind: str | Sequence[str] = (),
    groups: int | None = None,
    pairs: int = 1,
    rank: float | None = None,
    between: IntermediateLayers = "none",
    layer: str | Sequence[str] = (),
    min_saving: float = 0.0,
    top: int | None = None,
    target_params: int | str | None = None,
    target_macs: int | str | None = None,
    measure: bool = False,
    weights: str | None = None,
    save_weights: str | None = None,
    **options: object,
) -> Report:
    """Suggest cheaper layers, each verified by running the rewritten model: ``report.suggestions``.

    For a target such as ``"net.py:Net(64)"`` calls in the source are rewritten; each suggestion has a ``diff``, and
    ``report.rewritten.diff`` combines those that were chosen. A live module has been built already: its layers are
    rewritten one by one without a diff, and ``rewrite`` replaces them. The arguments are the options of
    ``convlint suggest``; ``groups=None`` takes as many groups as fit. ``options`` are those of ``check``. Raises
    UsageError, a ValueError.
    """
    from convlint.pipelines import suggest as suggestions
    from convlint.rewriting import options as rewrite_options
    from convlint.rewriting.base import KindOptions

    wanted = rewrite_options.parse(
        kinds=(kind,) if isinstance(kind, str) else tuple(kind),
        kind_options=KindOptions(groups, pairs, between, rank),
        layers=(layer,) if isinstance(layer, str) else tuple(layer),
        min_saving=min_saving,
        top=top,
        target_params=target_params,
        target_macs=target_macs,
        measure=measure,
        weights=weights,
        save_weights=save_weights,
    )
    settings = config.discover()
    if isinstance(model_or_target, str):
        target, request = _model_target(model_or_target), _request(options, _input_specs(input))
        (job,) = run_models.jobs([target], request, settings)
        with Worker() as worker:
            report = suggestions.suggest(job, worker.run, wanted)
    else:
        from convlint.runtime import model_run, versions

        job, _ = _live_job(model_or_target, input, options, settings)
        tensors = model_run.tensor_inputs(input)
        report = suggestions.suggest(
            job,
            lambda versions_job: versions.run_live_versions(model_or_target, versions_job, tensors),
            wanted,
            live=True,
        )
    return Report(**vars(report), linted=False, suggested=True)


def rewrite(model: nn.Module, suggestion: Suggestion | Sequence[Suggestion], *, weights: bool = True) -> nn.Module:
    """Copy a live model and replace the layers of one suggestion, or of several, with their rewritten forms.

    ``suggestion`` may come from the model itself or from the target that built it; its ``instances`` name the
    layers. ``weights``: the new layers get the weights nearest to the old ones; False leaves them freshly
    initialized. Raises UsageError, a ValueError, if the model has no such layers.
    """
    from convlint.runtime.weights import replace_layers

    suggestions = [*suggestion] if isinstance(suggestion, Sequence) else [suggestion]
    replacements = {change.layer: change.replacement for each in suggestions for change in each.changes}
    try:
        return replace_layers.rewritten(model, replacements, weights=weights)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _path(text: str) -> str | None:
    """A target that is a file or directory; None if it names a model."""
    return text if os.path.exists(text) or parse_target(text).name is None else None


def _model_target(text: str) -> Target:
    """The model that a target names. Raises UsageError."""
    target = parse_target(text)
    if target.name is None:
        raise UsageError(f"{target.text} does not name a model; write it as in net.py:Net")
    return target


@contextmanager
def _prepared(
    model_or_target: nn.Module | str, input: ModelInput, options: Mapping[str, object], settings: config.Config
) -> Iterator[tuple[Job, RunJob, Worker | None]]:
    """The job of a model, the function that runs it, and the worker process; None for a live model."""
    if not isinstance(model_or_target, str):
        yield *_live_job(model_or_target, input, options, settings), None
        return
    request = _request(options, _input_specs(input))
    (job,) = run_models.jobs([_model_target(model_or_target)], request, settings)
    with Worker() as worker:
        yield job, worker.run, worker


def _live_job(
    model: nn.Module, input: ModelInput, options: Mapping[str, object], settings: config.Config
) -> tuple[Job, RunJob]:
    """The job for a live model, and the function that runs it in this process. Raises UsageError."""
    from convlint.runtime import model_run

    if not model_run.is_module(model):
        kind = type(model).__name__
        raise UsageError(f"expected a model or a target such as 'net.py:Net', not {kind}")
    for name in ("device", "dtype", "timeout", "max_memory"):
        if name in options:
            raise UsageError(f"{name} only applies to targets; a live model runs as and where it is")
    tensors = model_run.tensor_inputs(input)
    request = _request(options, () if tensors else _input_specs(input))
    name = type(model).__name__
    (job,) = run_models.jobs([Target(name, name=name)], request, settings)
    job = replace(job, device=model_run.device_of(model), inputs_from="input")
    return job, lambda job: model_run.run_model(model, job, tensors)


_OPTIONS = tuple(
    name
    for name, option in CheckRequest.options("check").items()
    if (option.models_only and name not in ("input", "executor")) or name == "timeout"
)
"""The options of a run that Python functions take by keyword."""


def _request(options: Mapping[str, Any], inputs: tuple[InputSpec, ...]) -> CheckRequest:
    """The request for keyword arguments. Raises UsageError."""
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise UsageError(f"unknown option {', '.join(unknown)}; choose from input, {', '.join(_OPTIONS)}")
    values: dict[str, object] = {"input": inputs}
    for name, value in options.items():
        option = CheckRequest.options()[name]
        if value is None:
            continue
        if option.choices:
            check_choice(value, option.choices, name)
        parse = parse_count if name == "batch_size" else option.parse
        values[name] = value if parse is None else parse(value, name)
    return CheckRequest(**values)


def _input_specs(input: ModelInput) -> tuple[InputSpec, ...]:
    """Inputs from their Python forms; ``(3, 224, 224)`` is one shape. Raises UsageError."""
    if input is None:
        return ()
    if isinstance(input, Mapping):
        return tuple(replace(_input_spec(shape), name=str(name)) for name, shape in input.items())
    if isinstance(input, Sequence) and not isinstance(input, str) and not _is_shape(input):
        return tuple(_input_spec(shape) for shape in input)
    return (_input_spec(input),)


def _is_shape(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, Sequence) and all(type(size) is int for size in value)


def _input_spec(value: object) -> InputSpec:
    if isinstance(value, str):
        return parse_input(value)
    if _is_shape(value):
        return parse_input(",".join(map(str, value)))
    kind = type(value).__name__
    raise UsageError(f"an input is a shape such as (3, 224, 224), its text, or a tensor, not {kind}")
