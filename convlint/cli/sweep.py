"""What ``convlint sweep`` does with its options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from convlint.cli.check_options import Asked
from convlint.cli.commands import run_options, settings_of, target_of_model
from convlint.cli.session import Telling, running
from convlint.outputs.parts.sentences import problem_sentence
from convlint.outputs.parts.terminal import number_of, one_line
from convlint.pipelines import run_models
from convlint.pipelines.sweep import Result, Sweep, Tally
from convlint.runtime.worker.client import Answer
from convlint.settings.config import Config
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_pattern
from convlint.support.errors import UsageError


def sweep(targets: Sequence[str], path: str, asked: Asked, *, retry: bool = False) -> int:
    """Run all models that targets stand for, keep what came of each, and give the exit code. Raises UsageError."""
    settings = settings_of(asked)
    options = run_options(asked)
    at_once = asked.jobs or 1
    tally = Tally()
    with running(settings.root, options.max_memory, 0, at_once, asked.executor) as worker:
        jobs, unlisted = _jobs(targets, worker, replace(options, at_once=at_once), settings)
        for answer in unlisted:
            for problem in answer.problems:
                print(f"convlint: {problem_sentence(problem)}", file=sys.stderr)
        if not jobs:
            return 2
        worker.expect(len(jobs))
        results = Sweep(settings, worker.prove, retry).run(path, jobs, worker.as_they_come)
        for number, result in enumerate(results, start=1):
            tally.add(result)
            if not (result.known and asked.quiet):
                print(_line(number, len(jobs), result), flush=True)
    print(_summary(tally, path))
    code = 2 if unlisted else tally.exit_code(settings.fail_on)
    return 0 if code == 1 and asked.exit_zero else code


def _jobs(
    targets: Sequence[str], worker: Telling, options: run_models.Options, settings: Config
) -> tuple[list[Job], list[Answer]]:
    """The models to run, each once, and the answers that list none. Raises UsageError."""
    if not targets and not settings.models:
        raise UsageError(
            "nothing to sweep: name models, or patterns of them as in 'timm:resnet*' or 'nets.py:*', "
            "or configure [[tool.convlint.models]]"
        )
    globs = {text: parse_pattern(text, settings.root) for text in targets}
    named = {text: target_of_model(text, "run") for text, glob in globs.items() if glob is None}
    found, unlisted = [], []
    for text, glob in globs.items():
        if glob is None:
            found.append(named[text])
            continue
        answer = worker.list(replace(glob, timeout=options.timeout, max_memory=options.max_memory))
        found += [target_of_model(one, "run") for one in answer.targets]
        if answer.problems:
            unlisted.append(answer)
    if not targets:
        found = [entry.target for entry in settings.models]
    jobs = run_models.jobs(found, options, settings) if found else []
    return list({job.text: job for job in jobs}.values()), unlisted


def _line(number: int, total: int, result: Result) -> str:
    row = result.row
    told = [f"{number:{len(str(total))}}/{total}", result.target]
    if row["models"]:
        totals = row["models"][0]["totals"]
        told += [result.status, f"{totals['params']:,} params", f"{totals['macs']:,} MACs"]
    if count := len(row["findings"]):
        told.append(number_of(count, "finding"))
    if row["device"] == "meta":
        told.append("on meta")
    told += [f"{problem['kind']}: {problem['message']}" for problem in row["problems"]]
    told.append("known" if result.known else f"{row['seconds']:.1f} s")
    return "  ".join(map(one_line, told))


def _summary(tally: Tally, path: str) -> str:
    total = sum(tally.statuses.values())
    statuses = ", ".join(
        f"{count:,} {_STATUSES[status]}" for status, count in sorted(tally.statuses.items())
    )
    lines = [f"{number_of(total, 'model')}: {statuses}; see {path}"]
    lines += [f"  {kind}: {count:,}" for kind, count in tally.problems.most_common()]
    lines += [
        f"  {code}: {tally.findings[code]:,} in {number_of(count, 'model')}"
        for code, count in sorted(tally.models.items())
    ]
    return "\n".join(lines)


_STATUSES = {
    "complete": "complete",
    "partial": "partial",
    "failed": "failed",
    "unchecked": "could not be checked",
}
