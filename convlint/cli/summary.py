"""``convlint summary``: print the layer table of a model."""

from __future__ import annotations

from convlint.cli.model_runner import start_runner
from convlint.cli.project import parse_model
from convlint.cli.render import Printer
from convlint.pipelines import run_models
from convlint.pipelines.requests import CheckRequest
from convlint.runtime.worker.client import Worker
from convlint.settings import config


def run(request: CheckRequest, worker: Worker | None = None) -> int:
    """Print the layers of a model, and return the exit code. Raises UsageError."""
    settings = config.discover()
    model = parse_model(request.target, "summarize")
    printer = Printer(request)
    jobs = run_models.jobs([model], request, settings)
    with start_runner(settings.root, worker) as runner:
        report = run_models.summarize_models(jobs, runner.run, settings, runner.run_trials)
    printer.report(report, linted=False)
    return report.exit_code()
