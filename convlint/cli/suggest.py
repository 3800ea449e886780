"""``convlint suggest``: suggest cheaper layers for a model."""

from __future__ import annotations

import os
import sys

from convlint.cli import output_file
from convlint.cli.model_runner import start_runner
from convlint.cli.project import parse_model
from convlint.cli.render import print_tracebacks
from convlint.ir import Problem, Report, RewrittenSet
from convlint.pipelines import run_models
from convlint.pipelines import suggest as suggestions
from convlint.pipelines.requests import SuggestRequest
from convlint.rewriting import options as rewrite_options
from convlint.rewriting.base import KindOptions
from convlint.runtime.worker.client import Worker
from convlint.settings import config
from convlint.source_text import edits
from convlint.support.dataclass import replace
from convlint.support.regular_file import read_regular_file


def run(request: SuggestRequest, worker: Worker | None = None) -> int:
    """Print suggestions for a model, and return the exit code. Raises UsageError."""
    options = rewrite_options.parse(
        kinds=request.kind,
        kind_options=KindOptions(request.groups, request.pairs, request.between, request.rank),
        layers=request.layer,
        min_saving=request.min_saving,
        top=request.top,
        target_params=request.target_params,
        target_macs=request.target_macs,
        measure=request.measure,
        weights=request.weights,
        save_weights=request.save_weights,
        max_error=request.max_error,
        data=request.data,
        recalibrate=request.recalibrate,
    )
    output_file.require_writable(request.output_file)
    settings = config.discover()
    (job,) = run_models.jobs([parse_model(request.target, "rewrite")], request, settings)
    with start_runner(settings.root, worker) as runner:
        report = suggestions.suggest(job, runner.run_versions, options)
    if request.write and report.rewritten is not None and not report.problems:
        report = replace(report, problems=(*report.problems, *write_files(report.rewritten)))
    _print(report, request)
    print_tracebacks(report, request)
    return report.exit_code_at()


def write_files(rewritten: RewrittenSet) -> list[Problem]:
    """Write all rewritten files, or none of them; the problems that prevented it."""
    problems = [
        problem for path, (before, _) in rewritten.files.items() if (problem := _obstacle(path, before)) is not None
    ]
    if problems:
        return problems
    written: list[str] = []
    try:
        for path, (_, after) in rewritten.files.items():
            edits.write_atomically(path, after)
            written.append(path)
    except OSError as error:
        for done in written:  # all or none
            edits.write_atomically(done, rewritten.files[done][0])
        text = f"{path} cannot be written: {error.strerror or error}; no file was written"
        return [Problem("unwritable-file", text, path=path)]
    return []


def _obstacle(path: str, before: bytes) -> Problem | None:
    """Why a file, with content ``before`` when the model ran, is not to be overwritten."""
    try:
        same = read_regular_file(path) == before
    except OSError as error:
        text = f"{path} can no longer be read: {error.strerror}; no file was written"
        return Problem("unwritable-file", text, path=path)
    if not same:
        text = f"{path} changed after the model ran, so nothing was written; run suggest again"
        return Problem("changed-file", text, path=path)
    if not os.access(path, os.W_OK) or not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
        text = f"{path} cannot be written; no file was written"
        return Problem("unwritable-file", text, path=path)
    return None


def _print(report: Report, request: SuggestRequest) -> None:
    if request.output_format == "json":
        from convlint.outputs import json_

        output_file.write(json_.render(report), request.output_file)
        return
    if request.output_format == "markdown":
        from convlint.outputs.suggestions import markdown

        output_file.write(markdown.render(report, explain=request.explain), request.output_file)
        return
    if request.output_format == "html":
        from convlint.outputs.suggestions import page

        output_file.write(page.render(report), request.output_file)
        return
    from convlint.outputs.parts.terminal import terminal
    from convlint.outputs.suggestions import text as suggestions

    stream = sys.stderr if request.output_format == "diff" else sys.stdout
    to_file = stream is sys.stdout and request.output_file is not None
    width, color = (None, False) if to_file else terminal(stream)
    if request.color != "auto":
        color = request.color == "always"
    text = suggestions.render(report, width=width, color=color, explain=request.explain)
    diff = report.rewritten.diff if report.rewritten else ""
    if stream is sys.stderr:
        sys.stderr.write(text.removesuffix(diff).rstrip("\n") + "\n")
        output_file.write(diff, request.output_file)
    else:
        output_file.write(text, request.output_file)
    if request.write and report.rewritten is not None and not report.problems:
        print(f"Wrote {', '.join(sorted(report.rewritten.files))}.", file=sys.stderr)
