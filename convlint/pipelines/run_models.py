"""Run models: targets and options -> jobs -> recorded graphs -> findings -> report."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from convlint.analysis import cost
from convlint.analysis.diagnosis import without_consequences
from convlint.analysis.occurrences import position, with_occurrences
from convlint.findings.confirm import ProveClaim, confirmed
from convlint.findings.select import joined, merged, selected
from convlint.findings.suppressions import is_suppressed
from convlint.ir import Finding, Graph, Model, Problem, Report
from convlint.pipelines.executor import RunJob
from convlint.pipelines.lint_files import Linter
from convlint.pipelines.model_files import ModelFiles
from convlint.pipelines.model_repairs import FailedRun, RunVersions
from convlint.pipelines.requests import CheckRequest
from convlint.repairs.outcomes import is_failing
from convlint.rules.registry import decided_by, rule, without_explained
from convlint.runtime.worker.client import JobResult
from convlint.settings.config import Config
from convlint.settings.discovery import display_path
from convlint.settings.jobs import Job
from convlint.settings.targets import Target, parse_target
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import replace
from convlint.support.errors import UsageError

NOT_A_MODEL = frozenset({"missing-file", "encoding", "syntax-error", "no-such-name", "not-a-module", "arguments"})
"""The problems of a target that names no model: their one line is the answer, not what its file contains."""

RunAll = Callable[[RunJob, Iterable[Job]], Iterator[JobResult]]
"""Runs all jobs and yields the results in the order of the jobs: ``map``, or that of an executor."""


def jobs(targets: Sequence[Target], request: CheckRequest, config: Config) -> list[Job]:
    """One job for each target, or for each configured model if there are no targets.

    A target that is configured takes its inputs and budgets from the configuration unless ``request`` has them.
    """
    return [_job(target, request, config) for target in targets or [entry.target for entry in config.models]]


def _job(target: Target, request: CheckRequest, config: Config) -> Job:
    entry = next((entry for entry in config.models if _is_same(entry.target, target)), None)
    inputs, source = request.input, "--input"
    if entry is not None and not inputs and request.input_file is None and entry.inputs:
        inputs, source = entry.inputs, os.path.relpath(config.path or "")
    return Job(
        target,
        inputs=inputs,
        inputs_from=source,
        input_file=request.input_file,
        batch_size=request.batch_size or (entry and entry.batch_size) or 1,
        device=request.device,
        dtype=request.dtype,
        train=request.train or bool(entry and entry.train),
        budgets={**(entry.budgets if entry else {}), **request.budgets},
        timeout=request.timeout,
        max_memory=request.max_memory,
        at_once=request.jobs,
        root=config.root,
    )


def _is_same(target: Target, other: Target) -> bool:
    """Return True for two targets of the same model; their paths may be written differently."""
    if replace(target, text="", path=None) != replace(other, text="", path=None):
        return False
    return len({os.path.abspath(each.path) for each in (target, other) if each.path}) < 2


def check_models(
    jobs: Iterable[Job],
    run: RunJob,
    config: Config,
    prove_claim: ProveClaim | None = None,
    run_all: RunAll = map,
    run_versions: RunVersions | None = None,
    linter: Linter | None = None,
) -> Report:
    """Run every job and apply the rules to its graph.

    ``prove_claim`` builds and runs the classes of latent findings; None leaves those findings as they are.
    ``run_versions`` runs edited versions of a model that fails; None searches no repairs. ``linter`` adds what static
    analysis finds in the files of the models; None adds nothing.
    """
    prove_once = None if prove_claim is None else cache(prove_claim)
    texts = SourceTexts()
    files = None if linter is None else ModelFiles(linter, config, texts)
    report, ran = _report(jobs, run, config, texts, lambda _: True, run_all, run_versions, files)
    findings = confirmed(report.findings, prove_once)
    if files is None:
        return replace(report, findings=tuple(findings))
    found, decided = files.findings_with(ran, prove_once)
    return replace(
        report, findings=tuple(joined(findings, found)), problems=(*report.problems, *files.problems), decided=decided
    )


def summarize_models(
    jobs: Iterable[Job], run: RunJob, config: Config, run_versions: RunVersions | None = None
) -> Report:
    """Run every job for its layer table. The rules apply only to models that could not run as they are."""
    return _report(jobs, run, config, SourceTexts(), is_failing, map, run_versions)[0]


def _report(
    jobs: Iterable[Job],
    run: RunJob,
    config: Config,
    texts: SourceTexts,
    is_linted: Callable[[Graph], bool],
    run_all: RunAll,
    run_versions: RunVersions | None,
    files: ModelFiles | None = None,
) -> tuple[Report, list[Finding]]:
    """The report of model runs, and all findings in it, also those that are not selected or are suppressed."""
    findings: list[Finding] = []
    models: list[Model] = []
    problems: list[Problem] = []
    jobs = list(jobs)
    for job, (answer, seconds) in zip(jobs, _timed(run_all(run, jobs)), strict=True):
        problems += answer.problems
        if files is not None and not any(problem.kind in NOT_A_MODEL for problem in answer.problems):
            files.add(job, answer.graph)
        if answer.graph is not None:
            graph = replace(answer.graph, texts=texts)
            models.append(cost.model_report(graph))
            if is_linted(graph):
                graph = without_consequences(graph)
                in_graph, failures = _lint(graph)
                graphs = [graph]
                if run_versions is not None and is_failing(graph):
                    failed = FailedRun(job, graph, answer.seconds, max(seconds, answer.seconds))
                    try:
                        in_graph, repaired = failed.repaired(in_graph, run_versions, _invalid, files)
                        graphs += repaired
                    except Exception as error:  # noqa: BLE001 - the findings are right without repairs
                        failures.append(_internal("the search for repairs failed", error, graph.target))
                if files is not None:
                    for each in graphs:
                        files.ran(each)
                findings += in_graph
                problems += failures
    reported = merged(f for f in selected(findings, config) if not is_suppressed(f, texts))
    return Report(tuple(reported), tuple(models), tuple(problems), texts=texts), findings


def _timed(answers: Iterator[JobResult]) -> Iterator[tuple[JobResult, float]]:
    """The results, each with the seconds that it took to come."""
    start = time.monotonic()
    for answer in answers:
        yield answer, time.monotonic() - start
        start = time.monotonic()


def findings(graph: Graph) -> list[Finding]:
    """The findings of all rules that apply to runs, each with the target of the graph."""
    judged = without_consequences(graph)
    return _explained([f for each in decided_by("run") for f in each.check(judged)], judged)


def _invalid(graph: Graph) -> list[Finding]:
    """The findings of the rules about what cannot work."""
    rules = [rule for rule in decided_by("run") if rule.family == "invalid"]
    return _explained([f for rule in rules for f in rule.check(graph)], graph)


def _lint(graph: Graph) -> tuple[list[Finding], list[Problem]]:
    """The findings of a graph; a rule that raises an error becomes a problem, and the other rules still run."""
    found: list[Finding] = []
    problems: list[Problem] = []
    for each in decided_by("run"):
        try:
            found += each.check(graph)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user's model is not to blame
            problems.append(_internal(f"the rule {each.code} failed", error, graph.target))
    return _explained(found, graph), problems


def _internal(what: str, error: Exception, target: str | None) -> Problem:
    text = f"{what}: {type(error).__name__}: {error}; please report this"
    return Problem("internal", text, target=target, traceback=traceback.format_exc())


def _explained(found: list[Finding], graph: Graph) -> list[Finding]:
    """Leave out findings that others explain, add where each shows, and number the errors in order of execution."""
    findings = [with_occurrences(f.with_(target=graph.target), graph) for f in without_explained(found)]
    errors = sorted(filter(_is_cause, findings), key=lambda error: position(graph, error.module, error.nodes))
    program = _file_of(graph.target)
    numbered = [f.with_(program=program, step=step) for step, f in enumerate(errors)]
    return [*numbered, *(f for f in findings if not _is_cause(f))]


def _is_cause(finding: Finding) -> bool:
    return rule(finding.code).family == "invalid" and finding.severity == "error" and finding.site is not None


def _file_of(target: str | None) -> str:
    """The file of a target; empty for a live model."""
    try:
        parsed = parse_target(target or "")
    except UsageError:
        return ""
    return display_path(parsed.path) if parsed.path else ""
