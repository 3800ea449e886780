"""``convlint sweep``: run many models and append the result of each to a file."""

from __future__ import annotations

import sys

from convlint.cli.model_runner import ModelRunner, start_runner
from convlint.cli.project import load_config, parse_model
from convlint.outputs.parts.sentences import problem_sentence
from convlint.outputs.parts.terminal import number_of, one_line
from convlint.pipelines import run_models
from convlint.pipelines.requests import SweepRequest
from convlint.pipelines.sweep import Result, Sweep, Tally
from convlint.runtime.worker.client import JobResult, Worker
from convlint.settings.config import Config
from convlint.settings.jobs import Job
from convlint.settings.targets import Target, parse_pattern
from convlint.support.dataclass import replace
from convlint.support.errors import UsageError


def run(request: SweepRequest, worker: Worker | None = None) -> int:
    """Run all models of the targets, and return the exit code. Raises UsageError."""
    config = load_config(request)
    path, at_once = request.results, request.jobs
    tally = Tally()
    with start_runner(config.root, worker, request.max_memory, 0, at_once, request.executor) as runner:
        jobs, unlisted = _jobs(request, runner, config)
        for answer in unlisted:
            for problem in answer.problems:
                print(f"convlint: {problem_sentence(problem)}", file=sys.stderr)
        if not jobs:
            return 2
        runner.models = len(jobs)
        results = Sweep(config, runner.prove, runner.run_trials, retry=request.retry).run(
            path, jobs, runner.run_unordered
        )
        for number, result in enumerate(results, start=1):
            tally.add(result)
            if not (result.known and request.quiet):
                print(_line(number, len(jobs), result), flush=True)
    print(_summary(tally, path))
    code = 2 if unlisted else tally.exit_code(config.fail_on)
    return 0 if code == 1 and request.exit_zero else code


def _jobs(request: SweepRequest, runner: ModelRunner, config: Config) -> tuple[list[Job], list[JobResult]]:
    """The models to run, each once, and the answers to patterns that failed. Raises UsageError."""
    if not request.targets and not config.models:
        raise UsageError(
            "nothing to sweep: pass models, or patterns of models as in 'timm:resnet*' or 'nets.py:*', "
            "or configure [[tool.convlint.models]]"
        )
    patterns = {text: parse_pattern(text, config.root) for text in request.targets}
    models = {text: parse_model(text, "run") for text, each in patterns.items() if each is None}
    targets: list[Target] = []
    unlisted = []
    for text, pattern in patterns.items():
        if pattern is None:
            targets.append(models[text])
            continue
        answer = runner.list_models(replace(pattern, timeout=request.timeout, max_memory=request.max_memory))
        targets += [parse_model(listed, "run") for listed in answer.targets]
        if answer.problems:
            unlisted.append(answer)
    if not request.targets:
        targets = [entry.target for entry in config.models]
    jobs = run_models.jobs(targets, request, config) if targets else []
    return list({job.text: job for job in jobs}.values()), unlisted


def _line(number: int, total: int, result: Result) -> str:
    row = result.row
    parts = [f"{number:{len(str(total))}}/{total}", result.target]
    if row["models"]:
        totals = row["models"][0]["totals"]
        parts += [result.status, f"{totals['params']:,} params", f"{totals['macs']:,} MACs"]
    if count := len(row["findings"]):
        parts.append(number_of(count, "finding"))
    if row["device"] == "meta":
        parts.append("on meta")
    parts += [f"{problem['kind']}: {problem['message']}" for problem in row["problems"]]
    parts.append("known" if result.known else f"{row['seconds']:.1f} s")
    return "  ".join(map(one_line, parts))


def _summary(tally: Tally, path: str) -> str:
    total = sum(tally.statuses.values())
    words = {"unchecked": "could not be checked"}
    statuses = ", ".join(f"{count:,} {words.get(status, status)}" for status, count in sorted(tally.statuses.items()))
    lines = [f"{number_of(total, 'model')}: {statuses}; see {path}"]
    lines += [f"  {kind}: {count:,}" for kind, count in tally.problems.most_common()]
    lines += [
        f"  {code}: {tally.findings[code]:,} in {number_of(count, 'model')}"
        for code, count in sorted(tally.models.items())
    ]
    return "\n".join(lines)
