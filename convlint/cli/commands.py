"""What the commands do with their options: settings, targets and options in the forms that the pipeline takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from convlint.cli.check_options import Asked
from convlint.cli.render import Shown
from convlint.ir import Report
from convlint.pipelines import check as checking
from convlint.settings import config, discovery
from convlint.source_text import lines
from convlint.support.errors import UsageError, check_choice

if TYPE_CHECKING:
    from convlint.findings.confirm import Runs
    from convlint.pipelines import run_models
    from convlint.settings.targets import Target

STDIN = "-"
_TOGETHER = (
    *(("diff", name) for name in ("add_noqa", "update_baseline", "watch", "statistics", "prove")),
    *(("fix", name) for name in ("add_noqa", "update_baseline", "prove")),
    *(("models_of", name) for name in ("prove", "show_files")),
    ("show_files", "output_file"),
    *(("watch", name) for name in ("add_noqa", "update_baseline", "fix")),
    ("add_noqa", "update_baseline"),
    ("add_noqa", "prove"),
)
"""Options of which one makes the other meaningless."""
_OF_RUNS = (
    *("input", "input_file", "batch_size", "device", "dtype", "train", "max_memory"),
    *("executor", "max_params", "max_macs", "max_activation_bytes"),
)


def check(asked: Asked) -> int:
    """Check what is asked for, print what was found, and give the exit code."""
    _refuse_contradictions(asked)
    shown = Shown(asked)
    if asked.compare_to is not None:
        from convlint.findings import compare

        shown.earlier = compare.read(asked.compare_to)
    if not asked.watch:
        return _check(asked, shown)
    from convlint.cli.watch import watch

    settings = settings_of(asked)
    paths, models = _sorted_out(asked, settings)

    def again() -> int:
        try:
            return _check(asked, shown)
        except UsageError as error:  # settings that are being edited
            print(f"convlint: {error}", file=sys.stderr)
            return 2

    return watch(again, [*paths, *([settings.root] if models else [])], settings)


def _check(asked: Asked, shown: Shown) -> int:
    settings = settings_of(asked)
    paths, models = _sorted_out(asked, settings)
    if asked.show_files:
        return _show_files(paths, settings, asked)
    if asked.models_of and not models:
        if asked.output_format == "text" and asked.output_file is None:
            print("No configured model is made of these files.")
        else:
            shown.report(Report())
        return 0
    if not models and not asked.prove:
        outcome = _outcome(paths, Report(), settings, asked)
    else:
        from convlint.cli.session import running
        from convlint.pipelines import run_models

        options = run_options(asked)
        jobs = run_models.jobs(models, options, settings) if models else []
        at_once = min(options.at_once, len(jobs))
        with running(
            settings.root, options.max_memory, len(jobs), at_once, asked.executor
        ) as worker:
            ran = run_models.check(jobs, worker.run, settings, worker.prove, worker.each)
            outcome = _outcome(paths, ran, settings, asked, worker.prove if asked.prove else None)
    with lines.standing_for(outcome.standing):
        shown.outcome(outcome)
    return _exit_code(outcome, settings, asked)


def _outcome(
    paths: Sequence[str],
    ran: Report,
    settings: config.Config,
    asked: Asked,
    prove: Runs | None = None,
) -> checking.Outcome:
    stdin = sys.stdin.buffer.read() if STDIN in asked.targets else None
    cache_folder = asked.cache_dir or discovery.cache_folder(settings.root)
    options = checking.Options(
        fix=asked.fix,
        unsafe_fixes=asked.unsafe_fixes,
        diff=asked.diff,
        add_noqa=asked.add_noqa,
        baseline=asked.baseline,
        update_baseline=asked.update_baseline,
        force_exclude=asked.force_exclude,
        stdin_filename=asked.stdin_filename or STDIN,
        jobs=asked.jobs or 1,
        cache_folder=None if asked.no_cache else cache_folder,
    )
    if not paths or not sys.stderr.isatty():
        return checking.check(paths, stdin, ran, settings, options, prove)
    from convlint.cli.progress import Progress

    progress = Progress()
    try:
        told = replace(options, progress=progress.step)
        return checking.check(paths, stdin, ran, settings, told, prove)
    finally:
        progress.clear()


def _exit_code(outcome: checking.Outcome, settings: config.Config, asked: Asked) -> int:
    code = outcome.report.exit_code(settings.fail_on)
    if code == 2:
        return code
    if asked.diff:
        code = int(bool(outcome.changes))
    elif asked.exit_non_zero_on_fix and outcome.fixed:
        code = 1
    return 0 if asked.exit_zero else code


def run_options(asked: Asked) -> run_models.Options:
    """How models are run. Raises UsageError."""
    from convlint.pipelines import run_models
    from convlint.settings import input_shapes
    from convlint.settings import jobs as jobs_
    from convlint.support import quantities

    budgets = {key: getattr(asked, key.replace("-", "_")) for key in quantities.BUDGETS}
    check_choice(asked.device, jobs_.DEVICES, "--device")
    if asked.dtype is not None:
        check_choice(asked.dtype, input_shapes.MODEL_DTYPES, "--dtype")
    return run_models.Options(
        inputs=tuple(input_shapes.parse_input(text) for text in asked.input),
        input_file=asked.input_file,
        batch_size=asked.batch_size,
        device=asked.device,
        dtype=asked.dtype,
        train=asked.train,
        budgets={
            k: quantities.BUDGETS[k](v, f"--{k}") for k, v in budgets.items() if v is not None
        },
        timeout=asked.timeout,
        at_once=asked.jobs or 1,
        max_memory=None
        if asked.max_memory is None
        else quantities.parse_bytes(asked.max_memory, "--max-memory"),
    )


def summary(target: str, asked: Asked) -> int:
    """Table a model, and give the exit code."""
    from convlint.cli.session import running
    from convlint.pipelines import run_models

    settings = config.discover()
    parsed = target_of_model(target, "table")
    options, shown = run_options(asked), Shown(asked)
    jobs = run_models.jobs([parsed], options, settings)
    with running(settings.root) as worker:
        report = run_models.summary(jobs, worker.run, settings)
    shown.report(report, linted=False)
    return report.exit_code()


def target_of_model(text: str, verb: str) -> Target:
    """The model that a target names. Raises UsageError where it names a file."""
    target = _target(text)
    if target.name is None:
        raise UsageError(f"{text} names no model; {_in_file(text, verb)}")
    return target


def _in_file(path: str, verb: str) -> str:
    """How to name a model of a file: the first that is in it, as far as its text shows."""
    if os.path.isfile(path):
        from convlint.static.project_models import detect

        found = sorted(detect([path], os.getcwd()), key=lambda one: bool(one.missing))
        if found:
            return f"did you mean {found[0].target}?"
    file = f"{path.rstrip('/')}/net.py" if os.path.isdir(path) else path
    return f"write {file}:Name to {verb} the model Name in it"


# --- targets and options


def settings_of(asked: Asked) -> config.Config:
    """The settings of the project, as far as options do not say otherwise. Raises UsageError."""
    return (config.Config() if asked.isolated else config.discover()).overridden(
        select=asked.select,
        ignore=asked.ignore,
        extend_select=asked.extend_select,
        exclude=asked.exclude,
        fail_on=asked.fail_on,  # type: ignore[arg-type]  # one of its values: typer and quick see to it
    )


def _sorted_out(asked: Asked, settings: config.Config) -> tuple[list[str], list[Target]]:
    """The files and folders that are read, and the models that are run. Raises UsageError."""
    if not asked.targets and not settings.models:
        raise UsageError(
            "nothing to check: name a file, a folder, or a model as in net.py:Net, "
            "or configure [[tool.convlint.models]]"
        )
    if not asked.targets:
        return [], [entry.target for entry in settings.models]
    if asked.models_of:
        from convlint.static.affected_models import models_of

        return [], models_of(asked.targets, settings)
    paths, models = [], []
    for text in asked.targets:
        if text == STDIN:
            continue
        target = None if os.path.lexists(text) else _target(text)
        if target is not None and target.name is not None:
            models.append(target)
        else:
            paths.append(text)
    if not models and not asked.prove:
        _refuse_options_of_runs(asked)
    return paths, models


def _target(text: str) -> Target:
    from convlint.settings.targets import parse_target

    return parse_target(text)


def _show_files(paths: Sequence[str], settings: config.Config, asked: Asked) -> int:
    found = discovery.find(
        paths, exclude=settings.exclude, root=settings.root, force=asked.force_exclude
    )
    for path in found.files:
        print(path)
    for problem in found.problems:
        print(f"convlint: {problem.message}", file=sys.stderr)
    return 2 if found.problems else 0


def _refuse_contradictions(asked: Asked) -> None:
    for one, other in _TOGETHER:
        if getattr(asked, one) and getattr(asked, other):
            raise UsageError(f"{_option(one)} and {_option(other)} do not go together")
    if asked.unsafe_fixes and not (asked.fix or asked.diff):
        raise UsageError("--unsafe-fixes goes with --fix or --diff")
    if asked.update_baseline and asked.baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE, the file to write")
    if asked.stdin_filename is not None and STDIN not in asked.targets:
        raise UsageError(
            "--stdin-filename names the text of standard input; give - as a target too"
        )
    if asked.compare_to is not None and asked.output_format not in ("text", "markdown"):
        raise UsageError("--compare-to goes with --output-format text or markdown")
    if asked.compare_to is not None and (asked.quiet or asked.diff):
        other = "--quiet" if asked.quiet else "--diff"
        raise UsageError(f"--compare-to and {other} do not go together")
    if asked.statistics and asked.output_format != "text":
        raise UsageError("--statistics is text; count the findings of the JSON instead")
    if STDIN in asked.targets and (asked.watch or asked.add_noqa):
        raise UsageError("standard input can be read once, and not be written: name a file instead")


def _refuse_options_of_runs(asked: Asked) -> None:
    given = [name for name in _OF_RUNS if getattr(asked, name) != getattr(Asked(), name)]
    if given:
        where = asked.targets[0]
        file = where if where.endswith(".py") else "net.py"
        raise UsageError(
            f"{_option(given[0])} is for models that are run; name one as in {file}:Name"
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
