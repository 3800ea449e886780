"""``convlint check``: check files and models, print the findings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from convlint.cli.project import load_config, parse_model_or_path
from convlint.cli.render import Printer
from convlint.ir import Report
from convlint.outputs.parts.terminal import message
from convlint.pipelines.check import Outcome, check_files, model_linter
from convlint.pipelines.requests import CheckRequest
from convlint.settings import discovery
from convlint.settings.config import Config
from convlint.support.errors import UsageError
from convlint.support.regular_file import MOST_BYTES

if TYPE_CHECKING:
    from convlint.findings.confirm import ProveClaim
    from convlint.runtime.worker.client import Worker
    from convlint.settings.targets import Target

STDIN = "-"
_MOST_WORDS = 8  # of a path with spaces that was passed without quotes
_EXCLUSIVE = {
    "diff": ("add_noqa", "update_baseline", "watch", "statistics", "confirm"),
    "fix": ("add_noqa", "update_baseline", "confirm"),
    "affected_by": ("confirm", "show_files"),
    "show_files": ("output_file",),
    "watch": ("add_noqa", "update_baseline", "fix"),
    "add_noqa": ("update_baseline", "confirm"),
    "table": ("no_table",),
    "verbose": ("statistics",),
}
"""Options of which one makes the others meaningless."""


def run(request: CheckRequest, worker: Worker | None = None) -> int:
    """Check files and models, print the findings, and return the exit code. Raises UsageError.

    ``worker`` is a worker process that has been started already.
    """
    _refuse_contradictions(request)
    if request.confirm and request.executor is None:
        _require_torch()
    printer = Printer(request)
    if request.compare_to is not None:
        from convlint.findings import compare

        printer.earlier = compare.read(request.compare_to)
    if not request.watch:
        return _check(request, printer, worker)
    from convlint.cli.watch import watch

    config = load_config(request)
    paths, models = _sort_targets(request, config)
    workers = [worker] if worker is not None else []  # for the first check; it ends with it

    def check_again() -> int:
        try:
            return _check(request, printer, workers.pop() if workers else None)
        except UsageError as error:  # in a configuration file that is being edited
            print(message(f"convlint: {error}"), file=sys.stderr)
            return 2

    return watch(check_again, [*paths, *([config.root] if models else [])], config)


def _check(request: CheckRequest, printer: Printer, worker: Worker | None) -> int:
    config = load_config(request)
    paths, models = _sort_targets(request, config)
    if request.show_files:
        return _show_files(paths, config, request)
    if request.affected_by and not models:
        if request.output_format == "text" and request.output_file is None:
            print("No configured model depends on these files.")
        else:
            printer.report(Report())
        return 0
    if not models and not request.confirm:
        outcome = _check_files(paths, Report(), config, request)
    else:
        from convlint.cli.model_runner import start_runner
        from convlint.pipelines import run_models

        jobs = run_models.jobs(models, request, config) if models else []
        limits = (request.max_memory, len(jobs), min(request.jobs, len(jobs)), request.executor)
        with start_runner(config.root, worker, *limits) as runner:
            ran = run_models.check_models(
                jobs,
                runner.run,
                config,
                runner.prove,
                runner.run_in_order,
                runner.run_trials,
                model_linter(config, request),
            )
            outcome = _check_files(paths, ran, config, request, runner.prove if request.confirm else None)
    printer.outcome(outcome, config)
    return _exit_code(outcome, config, request)


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageError(f"standard input has more than {MOST_BYTES:,} bytes")
    return data


def _check_files(
    paths: Sequence[str], ran: Report, config: Config, request: CheckRequest, prove: ProveClaim | None = None
) -> Outcome:
    stdin = _standard_input() if STDIN in request.targets else None
    if not paths or not sys.stderr.isatty():
        return check_files(paths, stdin, ran, config, request, prove)
    from convlint.cli.progress import Progress

    progress = Progress()
    try:
        return check_files(paths, stdin, ran, config, request, prove, progress.step)
    finally:
        progress.clear()


def _exit_code(outcome: Outcome, config: Config, request: CheckRequest) -> int:
    code = outcome.report.exit_code_at(config.fail_on)
    if code == 2:
        return code
    if request.diff:
        code = int(bool(outcome.changes))
    elif request.exit_non_zero_on_fix and outcome.fixed:
        code = 1
    return 0 if request.exit_zero else code


def _sort_targets(request: CheckRequest, config: Config) -> tuple[list[str], list[Target]]:
    """The files and directories to check, and the models to run. Raises UsageError."""
    if not request.targets and not config.models:
        raise UsageError(
            "nothing to check: pass a file, a directory, or a model as in net.py:Net, "
            "or configure [[tool.convlint.models]]"
        )
    if not request.targets:
        return [], [entry.target for entry in config.models]
    if request.affected_by:
        from convlint.static.affected_models import models_of

        return [], models_of(request.targets, config)
    paths: list[str] = []
    models: list[Target] = []
    for index, text in enumerate(request.targets, start=1):
        words = islice(request.targets, index, index + _MOST_WORDS)
        target = parse_model_or_path(text, after=paths, before=words) if text != STDIN else None
        if target is not None:
            models.append(target)
        elif text != STDIN:
            paths.append(text)
    if not models and not request.confirm:
        _refuse_options_of_models(request)
    return paths, models


def _show_files(paths: Sequence[str], config: Config, request: CheckRequest) -> int:
    found = discovery.find(paths, exclude=config.exclude, root=config.root, force=request.force_exclude)
    for path in found.files:
        print(message(path))
    for problem in found.problems:
        print(message(f"convlint: {problem.message}"), file=sys.stderr)
    return 2 if found.problems else 0


def _require_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise UsageError("--confirm needs PyTorch, which is not installed for this Python: pip install torch")


def _refuse_contradictions(request: CheckRequest) -> None:
    flags = {name: option.flag for name, option in request.options().items()}
    for name, others in _EXCLUSIVE.items():
        for other in others:
            if getattr(request, name) and getattr(request, other):
                raise UsageError(f"{flags[name]} cannot be used with {flags[other]}")
    if request.unsafe_fixes and not (request.fix or request.diff):
        raise UsageError("--unsafe-fixes requires --fix or --diff")
    if request.update_baseline and request.baseline is None:
        raise UsageError("--update-baseline requires --baseline FILE, the file to write")
    if request.stdin_filename is not None and STDIN not in request.targets:
        raise UsageError("--stdin-filename requires the target -, which is standard input")
    if request.compare_to is not None and request.output_format not in ("text", "markdown"):
        raise UsageError("--compare-to requires --output-format text or markdown")
    if request.compare_to is not None and (request.quiet or request.diff):
        other = "--quiet" if request.quiet else "--diff"
        raise UsageError(f"--compare-to cannot be used with {other}")
    if request.statistics and request.output_format != "text":
        raise UsageError("--statistics requires --output-format text")
    if STDIN in request.targets and (request.watch or request.add_noqa):
        raise UsageError("standard input can be read only once and cannot be written; pass a file instead")


def _refuse_options_of_models(request: CheckRequest) -> None:
    for name, option in request.options("check").items():
        if option.models_only and getattr(request, name) != option.default:
            path = request.targets[0]
            file = path if path.endswith(".py") else "net.py"
            raise UsageError(
                f"{path} is checked statically; {option.flag} only applies to models that are run ({file}:Net)"
            )
