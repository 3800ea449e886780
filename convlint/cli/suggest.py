"""What ``convlint suggest`` does with its options."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from convlint.cli import output_file
from convlint.cli.check_options import Asked
from convlint.cli.commands import run_options, target_of_model
from convlint.cli.render import tracebacks
from convlint.cli.session import running
from convlint.ir import IntermediateLayers, Problem, Report, RewrittenSet
from convlint.pipelines import run_models
from convlint.pipelines import suggest as suggesting
from convlint.rewriting.base import Wishes
from convlint.rewriting.options import Options, parse
from convlint.settings import config
from convlint.source_text import edits, lines
from convlint.support.errors import UsageError


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of ``suggest`` that ``check`` does not have, as they were written."""

    kind: tuple[str, ...] = ()
    groups: str = "auto"
    pairs: int = 1
    between: str = "none"
    layer: tuple[str, ...] = ()
    min_saving: str = "0"
    top: int | None = None
    target_params: str | None = None
    target_macs: str | None = None
    explain: bool = False
    write: bool = False
    measure: bool = False
    weights: str | None = None
    save_weights: str | None = None


def suggest(target: str, asked: Asked, wanted: Wanted) -> int:
    """Propose rewrites of a model, and give the exit code. Raises UsageError."""
    options = _options(wanted)
    output_file.check(asked.output_file)
    settings = config.discover()
    (job,) = run_models.jobs([target_of_model(target, "rewrite")], run_options(asked), settings)
    with running(settings.root) as worker:
        report = suggesting.suggest(job, worker.attempt, options)
    if wanted.write and report.rewritten is not None and not report.problems:
        problems = write(report.rewritten)
        report = Report(**{**vars(report), "problems": (*report.problems, *problems)})
    files = report.rewritten.files if report.rewritten else {}
    with lines.standing_for({path: before for path, (before, _) in files.items()}):
        _show(report, asked, wanted)
    tracebacks(report, asked)
    return report.exit_code()


def _options(wanted: Wanted) -> Options:
    between: IntermediateLayers = wanted.between  # type: ignore[assignment]  # one of its values: typer sees to it
    return parse(
        kinds=wanted.kind,
        wishes=Wishes(_groups(wanted.groups), wanted.pairs, between),
        layers=wanted.layer,
        least=_share(wanted.min_saving),
        top=wanted.top,
        target_params=wanted.target_params,
        target_macs=wanted.target_macs,
        measure=wanted.measure,
        weights=wanted.weights,
        save_weights=wanted.save_weights,
    )


def _groups(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isascii() or not text.isdecimal():
        raise UsageError(f"--groups {text}: write auto, or a number of groups from 2 on")
    return int(text)


def _share(text: str) -> float:
    """``5%`` or ``0.05``."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UsageError(
            f"--min-saving {text}: write a share of the model, as in 5% or 0.05"
        ) from None
    return share


def write(rewritten: RewrittenSet) -> list[Problem]:
    """Put the rewritten files in the place of those that were read, all or none; what kept it from that."""
    problems = [
        problem
        for path, (before, _) in rewritten.files.items()
        if (problem := _in_the_way(path, before)) is not None
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
        text = f"{path} cannot be written: {error.strerror or error}; no file was changed"
        return [Problem("unwritable-file", text, path=path)]
    return []


def _in_the_way(path: str, before: bytes) -> Problem | None:
    try:
        with open(path, "rb") as file:
            same = file.read() == before
    except OSError as error:
        text = f"{path} cannot be read any more: {error.strerror}; no file was changed"
        return Problem("unwritable-file", text, path=path)
    if not same:
        text = f"{path} was changed since the model ran; no file was changed, run suggest again"
        return Problem("changed-file", text, path=path)
    if not os.access(path, os.W_OK) or not os.access(
        os.path.dirname(os.path.abspath(path)), os.W_OK
    ):
        text = f"{path} cannot be written; no file was changed"
        return Problem("unwritable-file", text, path=path)
    return None


def _show(report: Report, asked: Asked, wanted: Wanted) -> None:
    if asked.output_format == "json":
        from convlint.outputs import json_

        output_file.put(json_.render(report), asked.output_file)
        return
    if asked.output_format == "markdown":
        from convlint.outputs.suggestions import markdown

        output_file.put(markdown.render(report, explain=wanted.explain), asked.output_file)
        return
    from convlint.outputs.parts.terminal import terminal
    from convlint.outputs.suggestions import text as suggestions

    stream = sys.stderr if asked.output_format == "diff" else sys.stdout
    to_file = stream is sys.stdout and asked.output_file is not None
    width, color = (None, False) if to_file else terminal(stream)
    if asked.color != "auto":
        color = asked.color == "always"
    text = suggestions.render(report, width=width, color=color, explain=wanted.explain)
    diff = report.rewritten.diff if report.rewritten else ""
    if stream is sys.stderr:
        sys.stderr.write(text.removesuffix(diff).rstrip("\n") + "\n")
        output_file.put(diff, asked.output_file)
    else:
        output_file.put(text, asked.output_file)
    _tell_written(report, wanted)


def _tell_written(report: Report, wanted: Wanted) -> None:
    if wanted.write and report.rewritten is not None and not report.problems:
        files = report.rewritten.files
        print(f"Wrote {', '.join(sorted(files))}.", file=sys.stderr)
