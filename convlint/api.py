"""``convlint.check``, ``summary``, ``suggest``, ``rewrite`` and ``trace``: the Python API."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from convlint import ir as model
from convlint.pipelines import check as checking
from convlint.pipelines import run_models
from convlint.runtime.worker.client import Answer, Worker
from convlint.settings import config
from convlint.settings import discovery as files
from convlint.settings.input_shapes import MODEL_DTYPES, InputSpec, parse_input
from convlint.settings.jobs import DEVICES, Job, VersionsJob
from convlint.settings.targets import Target, parse_target
from convlint.support.errors import UsageError, check_choice
from convlint.support.quantities import BUDGETS, parse_bytes, parse_count

if TYPE_CHECKING:
    from torch import fx, nn

    from convlint.ir import IntermediateLayers, Suggestion
    from convlint.runtime.inputs.make_inputs import Inputs


@dataclass(frozen=True, repr=False)
class Report(model.Report):
    """A report that shows itself: as text, and as HTML in a notebook.

    ``linted``: defects were looked for, ``suggested``: rewrites. ``files`` were checked by their text; None where a
    model was run.
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
    input: Any = None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    **options: Any,
) -> Report:
    """Find defects in a model, or in the files of one.

    ``model_or_target`` is a live module, which is run in this process and left as it was; or a target
    such as ``"net.py:Net(64)"``, which is run in a process of its own; or a file or a folder, which is
    read, and nothing else: there are no further arguments for it. ``input`` is the shape of one
    sample without the batch dimension, or what ``--input`` takes as text, or a tensor (live modules
    only); several in a list, by keyword in a dict. ``options``: ``batch_size``, ``device`` and
    ``dtype`` (of a target), ``train``, ``max_params``, ``max_macs``, ``max_activation_bytes``,
    ``timeout`` in seconds, ``max_memory`` in bytes or as text (of a target), ``input_file``.

    Raises UsageError, a ValueError, for what cannot be understood.
    """
    settings = config.discover().overridden(
        select=select, ignore=ignore, extend_select=extend_select
    )
    if isinstance(model_or_target, str | os.PathLike):
        path = _path(os.fspath(model_or_target))
        if path is not None:
            if input is not None or options:
                raise UsageError(
                    f"{path} is read, not run: {_one(options)} is for models that are run"
                )
            return _read(path, settings)
    report = _run(model_or_target, input, options, settings, run_models.check)
    return Report(report.findings, report.models, report.problems)


def summary(model_or_target: nn.Module | str, input: Any = None, **options: Any) -> Report:
    """Table the layers of a model, without judging it; arguments as for ``check``.

    What kept the model from running as it is, is reported all the same.
    """
    report = _run(model_or_target, input, options, config.discover(), run_models.summary)
    return Report(report.findings, report.models, report.problems, linted=False)


def trace(
    model: nn.Module, input: Any = None, *, train: bool = False, batch_size: int | None = None
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
    from convlint.runtime.build.load_target import ProblemError

    if isinstance(model, str | os.PathLike):
        raise UsageError(
            f"trace takes a live model, because the functions in a graph cannot leave the process that runs {model}; "
            "import the model and pass it"
        )
    options = {"train": train, "batch_size": batch_size}
    (job,), _, _ = _live(model, input, options, config.discover())
    try:
        return model_run.trace(model, job, model_run.tensor_inputs(input))
    except ProblemError as error:
        raise UsageError(error.problem.message) from error


def suggest(
    model_or_target: nn.Module | str,
    input: Any = None,
    *,
    kind: str | Sequence[str] = (),
    groups: int | None = None,
    pairs: int = 1,
    between: IntermediateLayers = "none",
    layer: str | Sequence[str] = (),
    min_saving: float = 0.0,
    top: int | None = None,
    target_params: int | str | None = None,
    target_macs: int | str | None = None,
    measure: bool = False,
    weights: str | None = None,
    save_weights: str | None = None,
    **options: Any,
) -> Report:
    """Propose cheaper layers, each verified by running the rewritten model: ``report.suggestions``.

    Of a target such as ``"net.py:Net(64)"`` calls in the source are rewritten, each with a ``diff``, and
    ``report.rewritten.diff`` for all that were chosen. A live module was built before: its layers are rewritten one by
    one, and there is no diff; ``rewrite`` replaces them. The arguments are the options of ``convlint suggest``;
    ``groups=None`` takes as many as fit. ``options`` are those of ``check``. Raises UsageError, a ValueError.
    """
    from convlint.pipelines import suggest as suggesting
    from convlint.rewriting.base import Wishes
    from convlint.rewriting.options import parse

    wanted = parse(
        kinds=(kind,) if isinstance(kind, str) else tuple(kind),
        wishes=Wishes(groups, pairs, between),
        layers=(layer,) if isinstance(layer, str) else tuple(layer),
        least=min_saving,
        top=top,
        target_params=target_params,
        target_macs=target_macs,
        measure=measure,
        weights=weights,
        save_weights=save_weights,
    )
    settings = config.discover()
    if isinstance(model_or_target, str):
        target = parse_target(model_or_target)
        if target.name is None:
            raise UsageError(f"{target.text} names no model; write it as in net.py:Net")
        (job,) = run_models.jobs([target], _options(options, _specs(input)), settings)
        with Worker() as worker:
            found = suggesting.suggest(job, worker.run, wanted)
    else:
        from convlint.runtime import model_run, versions

        (job,), _, _ = _live(model_or_target, input, options, settings)
        inputs = model_run.tensor_inputs(input)

        def run_it(asked: VersionsJob) -> Answer:
            return versions.try_live(model_or_target, asked, inputs)

        found = suggesting.suggest(job, run_it, wanted, live=True)
    return Report(**vars(found), linted=False, suggested=True)


def rewrite(
    model: nn.Module, suggestion: Suggestion | Sequence[Suggestion], *, weights: bool = True
) -> nn.Module:
    """A copy of a live model with the layers of a suggestion, or of several, replaced by their rewritten forms.

    ``weights``: the new layers get the weights that are nearest to those of the old, False leaves them fresh. Which
    layers, the suggestion's ``instances`` say: it may come from the model itself or from the target that built it.
    Raises UsageError, a ValueError, if the model has no such layers.
    """
    from convlint.runtime.weights import replace_layers as replacing

    several = list(suggestion) if isinstance(suggestion, Sequence) else [suggestion]
    forms = {change.layer: change.form for one in several for change in one.changes}
    try:
        return replacing.rewritten(model, forms, weights=weights)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _path(text: str) -> str | None:
    """A target that is a file or a folder, None if it names a model."""
    return text if os.path.exists(text) or parse_target(text).name is None else None


def _one(options: Mapping[str, Any]) -> str:
    return next(iter(options), "input")


def _read(path: str, settings: config.Config) -> Report:
    options = checking.Options(cache_folder=files.cache_folder(settings.root))
    outcome = checking.check([path], None, model.Report(), settings, options)
    return Report(outcome.report.findings, (), outcome.report.problems, files=outcome.files)


def _run(
    model_or_target: Any, given: Any, options: dict[str, Any], settings: config.Config, how: Any
) -> model.Report:
    if isinstance(model_or_target, str):
        wanted = _options(options, _specs(given))
        target = parse_target(model_or_target)
        if target.name is None:
            raise UsageError(f"{target.text} names no model; write it as in net.py:Net")
        jobs = run_models.jobs([target], wanted, settings)
        with Worker() as worker:
            more = (worker.prove,) if how is run_models.check else ()
            report = how(jobs, worker.run, settings, *more)
    else:
        report = how(*_live(model_or_target, given, options, settings))
    assert isinstance(report, model.Report)
    return report


def _live(model: Any, given: Any, options: dict[str, Any], settings: config.Config) -> Any:
    """The job for a live model, what runs it, and the settings."""
    from convlint.runtime import model_run

    if not model_run.is_module(model):
        kind = type(model).__name__
        raise UsageError(f"a model or a target such as 'net.py:Net' is expected, not {kind}")
    for name in ("device", "dtype", "timeout", "max_memory"):
        if name in options:
            raise UsageError(f"{name} is for targets; a live model is run as and where it is")
    tensors = model_run.tensor_inputs(given)
    wanted = _options(options, () if tensors else _specs(given))
    target = Target(type(model).__name__, name=type(model).__name__)
    (job,) = run_models.jobs([target], wanted, settings)
    job = replace(job, device=model_run.device_of(model), inputs_from="input")
    return [job], _runner(model, tensors), settings


def _runner(model: nn.Module, inputs: Inputs | None) -> run_models.Run:
    def run_it(job: Job) -> Answer:
        from convlint.runtime import model_run

        return model_run.run_model(model, job, inputs)

    return run_it


def _options(options: Mapping[str, Any], inputs: tuple[InputSpec, ...]) -> run_models.Options:
    rest = dict(options)
    budgets = {}
    for key, parse in BUDGETS.items():
        option = key.replace("-", "_")
        value = rest.pop(option, None)
        if value is not None:
            budgets[key] = parse(value, option)
    if rest.get("max_memory") is not None:
        rest["max_memory"] = parse_bytes(rest["max_memory"], "max_memory")
    if rest.get("batch_size") is not None:
        rest["batch_size"] = parse_count(rest["batch_size"], "batch_size")
    for name, choices in (("device", DEVICES), ("dtype", MODEL_DTYPES)):
        if rest.get(name) is not None:
            check_choice(rest[name], choices, name)
    known = [
        name
        for name in run_models.Options.__dataclass_fields__
        if name not in ("inputs", "budgets")
    ]
    unknown = [name for name in rest if name not in known]
    if unknown:
        there_are = ", ".join([*known, *(name.replace("-", "_") for name in BUDGETS)])
        raise UsageError(f"unknown option {', '.join(unknown)}; there are input, {there_are}")
    return run_models.Options(inputs=inputs, budgets=budgets, **rest)


def _specs(given: Any) -> tuple[InputSpec, ...]:
    """Inputs from their Python forms; ``(3, 224, 224)`` is one shape."""
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(replace(_spec(value), name=str(name)) for name, value in given.items())
    if isinstance(given, str) or _is_shape(given):
        return (_spec(given),)
    if isinstance(given, Sequence):
        return tuple(_spec(item) for item in given)
    return (_spec(given),)


def _is_shape(value: Any) -> bool:
    return isinstance(value, Sequence) and all(type(size) is int for size in value)


def _spec(value: Any) -> InputSpec:
    if isinstance(value, str):
        return parse_input(value)
    if _is_shape(value):
        return parse_input(",".join(map(str, value)))
    kind = type(value).__name__
    raise UsageError(
        f"an input is a shape such as (3, 224, 224), its text, or a tensor, not {kind}"
    )
