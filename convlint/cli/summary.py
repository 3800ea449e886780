"""``convlint summary``: print the layer table of a model."""

from __future__ import annotations

import importlib
import sys

from convlint.cli import output_file
from convlint.cli.model_runner import start_runner
from convlint.cli.project import parse_model
from convlint.cli.render import Printer, table_options
from convlint.ir import Report
from convlint.outputs import concise
from convlint.outputs.parts.columns import TableOptions
from convlint.pipelines import run_models
from convlint.pipelines.requests import SummaryRequest
from convlint.runtime.worker.client import Worker
from convlint.settings import config
from convlint.support.errors import UsageError

EXPORTS = {"csv": "csv_", "latex": "latex", "markdown": "markdown"}
"""The formats that are tables, and their modules in ``outputs.tables``."""


def run(request: SummaryRequest, worker: Worker | None = None) -> int:
    """Print the layers of a model, and return the exit code. Raises UsageError."""
    settings = config.discover()
    if request.totals and request.output_format != "text":
        raise UsageError("--totals requires --output-format text")
    model = parse_model(request.target, "summarize")
    printer = Printer(request)
    jobs = run_models.jobs([model], request, settings)
    with start_runner(settings.root, worker) as runner:
        report = run_models.summarize_models(jobs, runner.run, settings, runner.run_trials)
    if request.totals or request.output_format in EXPORTS:
        _export(report, request)
    else:
        printer.report(report, linted=False)
    return report.exit_code_at()


def _export(report: Report, request: SummaryRequest) -> None:
    """Write numbers or tables; what else there is to say goes to stderr."""
    if request.totals:
        from convlint.outputs.tables.records import totals_record

        rows = [row for model in report.models for row in totals_record(model.totals).items()]
        text = "".join(f"{name} {value}\n" for name, value in rows)
    else:
        render = importlib.import_module(f"convlint.outputs.tables.{EXPORTS[request.output_format]}").render
        options = table_options(request)
        text = render(report, TableOptions() if options == "usual" else options)
    output_file.write(text, request.output_file)
    if report.findings or report.problems:
        sys.stderr.write(concise.render(report))
