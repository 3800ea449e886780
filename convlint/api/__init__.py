"""``convlint.check``, ``summary``, ``suggest``, ``rewrite`` and ``trace``: the Python API."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from convlint import ir
from convlint.api import arguments
from convlint.api.python_words import pythonic
from convlint.api.report import Report
from convlint.pipelines import run_models
from convlint.pipelines.check import check_files, model_linter
from convlint.pipelines.requests import CheckRequest
from convlint.runtime.worker.client import Worker
from convlint.settings import config
from convlint.support.errors import UsageError

if TYPE_CHECKING:
    from torch import fx, nn

    from convlint.api.arguments import ModelInput
    from convlint.ir import IntermediateLayers, Severity, Suggestion

__all__ = ["Report", "check", "rewrite", "suggest", "summary", "trace"]


@pythonic
def check(
    model_or_target: nn.Module | str | os.PathLike[str],
    input: ModelInput = None,
    *,
    select: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    extend_select: str | Sequence[str] = (),
    fail_on: Severity | None = None,
    input_file: str | None = None,
    batch_size: int | None = None,
    train: bool = False,
    max_params: int | str | None = None,
    max_macs: int | str | None = None,
    max_activation_bytes: int | str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    timeout: float | None = None,
    max_memory: int | str | None = None,
) -> Report:
    """Check a model, a file or a directory for bugs.

    Args:
        model_or_target: A live module, which runs in this process and is restored afterwards; a target such as
            ``"net.py:Net(64)"``, which runs in a process of its own; or the path of a file or directory, which is
            checked statically: only the rules can be chosen.
        input: The shape of one input without the batch dimension, ``(3, 224, 224)``, its text as for ``--input``, or,
            for a live module, a tensor. A list for several inputs, a dict for inputs by keyword.
        select: Rule codes, prefixes or names to enable, ``["CVL1", "bias-before-norm"]`` or ``"CVL1,CVL301"``.
        ignore: Rule codes, prefixes or names to disable.
        extend_select: Rule codes, prefixes or names to enable in addition to ``select``.
        fail_on: Lowest severity that makes ``exit_code`` 1; "warning" if the configuration does not say.
        input_file: Input tensors, saved with ``torch.save``.
        batch_size: Number of samples in a batch, by default 1.
        train: Whether to run the model in training mode.
        max_params: Report CVL113 above this many parameters, ``5_000_000`` or ``"5M"``.
        max_macs: Report CVL113 above this many multiply-accumulates.
        max_activation_bytes: Report CVL113 above this much peak activation memory, ``"512MB"``.
        device: For targets: "cpu", "cuda", or "meta" for shapes without values.
        dtype: For targets: data type of the model and its inputs, such as "bfloat16".
        timeout: For targets: time limit in seconds.
        max_memory: For targets: memory limit in bytes or as text.

    Raises:
        UsageError: A ``ValueError``; an argument is not valid.

    """
    settings = config.discover().overridden(select=select, ignore=ignore, extend_select=extend_select, fail_on=fail_on)
    options = {
        "input_file": input_file,
        "batch_size": batch_size,
        "train": train,
        "max_params": max_params,
        "max_macs": max_macs,
        "max_activation_bytes": max_activation_bytes,
        "device": device,
        "dtype": dtype,
        "timeout": timeout,
        "max_memory": max_memory,
    }
    if isinstance(model_or_target, os.PathLike):
        model_or_target = os.fspath(model_or_target)
    path = arguments.path_of(model_or_target) if isinstance(model_or_target, str) else None
    if path is None:
        with arguments.prepared(model_or_target, input, options, settings) as (job, run, worker):
            if worker is None:
                report = run_models.check_models([job], run, settings)
            else:
                report = run_models.check_models(
                    [job], run, settings, worker.prove, run_versions=worker.run, linter=model_linter(settings)
                )
        return Report(**vars(arguments.reworded(report)), fail_on=settings.fail_on)
    if input is not None or arguments.given(options):
        name = "input" if input is not None else next(iter(arguments.given(options)))
        raise UsageError(
            f"{path} is checked statically; {name} only applies to models that are run "
            f"({path if path.endswith('.py') else 'net.py'}:Net)"
        )
    outcome = check_files([path], None, ir.Report(), settings, CheckRequest())
    return Report(**vars(arguments.reworded(outcome.report)), files=outcome.files, fail_on=settings.fail_on)


@pythonic
def summary(
    model_or_target: nn.Module | str,
    input: ModelInput = None,
    *,
    input_file: str | None = None,
    batch_size: int | None = None,
    train: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    timeout: float | None = None,
    max_memory: int | str | None = None,
    columns: str | Sequence[str] = (),
    depth: int | None = None,
    sort: str | None = None,
) -> Report:
    """Return the layer table of a model, without linting it; the first arguments are those of ``check``.

    The others are about the table that the report prints: ``columns`` such as ``"name,params,macs"``, ``depth``, below
    which modules are collapsed into their parent, and ``sort``, a column by which layers are listed. Findings are only
    those that explain why the model does not run. ``report.layers`` are the rows, ``report.models[0].totals`` the
    totals.
    """
    table = arguments.table_options(columns, depth, sort)
    settings = config.discover()
    options = {
        "input_file": input_file,
        "batch_size": batch_size,
        "train": train,
        "device": device,
        "dtype": dtype,
        "timeout": timeout,
        "max_memory": max_memory,
    }
    with arguments.prepared(model_or_target, input, options, settings) as (job, run, worker):
        report = run_models.summarize_models([job], run, settings, worker.run if worker else None)
    return Report(**vars(arguments.reworded(report)), linted=False, table=table)


@pythonic
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
    job, _ = arguments.live_job(model, input, options, config.discover())
    try:
        return model_run.trace(model, job, model_run.tensor_inputs(input))
    except ProblemError as error:
        raise UsageError(error.problem.message) from error


@pythonic
def suggest(
    model_or_target: nn.Module | str,
    input: ModelInput = None,
    *,
    kind: str | Sequence[str] = (),
    groups: int | None = None,
    pairs: int = 1,
    rank: float | None = None,
    between: IntermediateLayers | None = None,
    layer: str | Sequence[str] = (),
    min_saving: float = 0.0,
    top: int | None = None,
    target_params: int | str | None = None,
    target_macs: int | str | None = None,
    measure: bool = False,
    weights: str | None = None,
    save_weights: str | None = None,
    max_error: float | None = None,
    data: str | None = None,
    recalibrate: bool = False,
    input_file: str | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
    timeout: float | None = None,
    max_memory: int | str | None = None,
) -> Report:
    """Suggest cheaper layers, each verified by running the rewritten model: ``report.suggestions``.

    For a target such as ``"net.py:Net(64)"`` calls in the source are rewritten; each suggestion has a ``diff``, and
    ``report.rewritten.diff`` combines those that were chosen. A live module has been built already: its layers are
    rewritten one by one without a diff, and ``rewrite`` replaces them. The arguments are the options of
    ``convlint suggest``; ``groups=None`` takes as many groups as fit. Those from ``input_file`` on are those of
    ``check``. Raises UsageError, a ValueError.
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
        max_error=max_error,
        data=data,
        recalibrate=recalibrate,
    )
    if data is not None and not isinstance(model_or_target, str):
        raise UsageError("data needs a target such as net.py:Net, because a live model has no source to rewrite")
    settings = config.discover()
    options = {
        "input_file": input_file,
        "batch_size": batch_size,
        "device": device,
        "dtype": dtype,
        "timeout": timeout,
        "max_memory": max_memory,
    }
    if isinstance(model_or_target, str):
        request = arguments.request(options, arguments.input_specs(input))
        (job,) = run_models.jobs([arguments.model_target(model_or_target)], request, settings)
        with Worker() as worker:
            report = suggestions.suggest(job, worker.run, wanted)
    else:
        from convlint.runtime import model_run, versions

        job, _ = arguments.live_job(model_or_target, input, options, settings)
        tensors = model_run.tensor_inputs(input)
        report = suggestions.suggest(
            job,
            lambda versions_job: versions.run_live_versions(model_or_target, versions_job, tensors),
            wanted,
            live=True,
        )
    return Report(**vars(arguments.reworded(report)), linted=False, suggested=True)


@pythonic
def rewrite(model: nn.Module, suggestion: Suggestion | Sequence[Suggestion], *, weights: bool = True) -> nn.Module:
    """Copy a live model and replace the layers of one suggestion, or of several, with their rewritten forms.

    ``suggestion`` may come from the model itself or from the target that built it; its ``instances`` name the
    layers. ``weights``: the new layers get the weights nearest to the old ones; False leaves them freshly
    initialized. Raises UsageError, a ValueError, if the model has no such layers.
    """
    from convlint.runtime.weights import replace_layers

    suggestions = [*suggestion] if isinstance(suggestion, Sequence) else [suggestion]
    for each in suggestions:
        if not isinstance(each, ir.Suggestion):
            raise UsageError(f"rewrite takes suggestions, as in report.suggestions, not {type(each).__name__}")
    replacements = {change.layer: change.replacement for each in suggestions for change in each.changes}
    try:
        return replace_layers.rewritten(model, replacements, weights=weights)
    except ValueError as error:
        raise UsageError(str(error)) from None
