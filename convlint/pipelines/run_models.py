"""The pipeline: what was asked for -> jobs -> graphs -> findings -> report."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from convlint.analysis import cost
from convlint.findings.confirm import Runs, prove
from convlint.findings.select import merged, selected
from convlint.findings.suppressions import is_suppressed
from convlint.ir import Finding, Graph, Model, Problem, Report
from convlint.rules.registry import decided_by, without_explained
from convlint.runtime.worker.client import Answer
from convlint.settings.config import Config
from convlint.settings.input_shapes import InputSpec
from convlint.settings.jobs import Job
from convlint.settings.targets import Target

Run = Callable[[Job], Answer]
Each = Callable[[Run, Iterable[Job]], Iterator[Answer]]
"""What runs all jobs: ``map``, or that of an executor."""


@dataclass(frozen=True, slots=True)
class Options:
    """How models are run; None where the configuration, or the default, decides."""

    inputs: tuple[InputSpec, ...] = ()
    input_file: str | None = None
    batch_size: int | None = None
    device: str = "cpu"
    dtype: str | None = None
    train: bool = False
    budgets: Mapping[str, int] = field(default_factory=dict)
    timeout: float = 120.0
    max_memory: int | None = None
    at_once: int = 1


def jobs(targets: Sequence[Target], options: Options, config: Config) -> list[Job]:
    """One job for each target, or for each configured model if there is none.

    A target that is configured takes its inputs and budgets from there, as far as ``options`` do not
    say otherwise.
    """
    chosen = targets or [entry.target for entry in config.models]
    return [_job(target, options, config) for target in chosen]


def _job(target: Target, options: Options, config: Config) -> Job:
    entry = next((entry for entry in config.models if _same(entry.target, target)), None)
    inputs, source = options.inputs, "--input"
    if entry is not None and not inputs and options.input_file is None and entry.inputs:
        inputs, source = entry.inputs, os.path.relpath(config.path or "")
    return Job(
        target,
        inputs=inputs,
        inputs_from=source,
        input_file=options.input_file,
        batch_size=options.batch_size or (entry and entry.batch_size) or 1,
        device=options.device,
        dtype=options.dtype,
        train=options.train or bool(entry and entry.train),
        budgets={**(entry.budgets if entry else {}), **options.budgets},
        timeout=options.timeout,
        max_memory=options.max_memory,
        at_once=options.at_once,
        root=config.root,
    )


def _same(one: Target, other: Target) -> bool:
    """Whether two targets are one model, however their paths are written."""
    if (one.module, one.name, one.args, one.kwargs) != (
        *(other.module, other.name, other.args, other.kwargs),
    ):
        return False
    paths = {os.path.abspath(target.path) for target in (one, other) if target.path}
    return len(paths) < 2


def check(
    jobs: Iterable[Job], run: Run, config: Config, proves: Runs | None = None, each: Each = map
) -> Report:
    """Run every job and judge its graph. ``proves`` builds the classes of suspicions; None: nothing is built.

    ``each`` runs all jobs, and gives the answers in the order of the jobs.
    """
    report = _report(jobs, run, config, lambda _: True, each)
    return replace(report, findings=tuple(prove(report.findings, proves)))


def summary(jobs: Iterable[Job], run: Run, config: Config) -> Report:
    """Run every job for its table. Only what kept a model from running as it is, is judged."""
    return _report(jobs, run, config, failed)


def failed(graph: Graph) -> bool:
    """Whether something in the graph could not run."""
    return (
        graph.failure is not None
        or any(node.error for node in graph.nodes)
        or any(layer.error for layer in graph.layers)
    )


def _report(
    jobs: Iterable[Job],
    run: Run,
    config: Config,
    judged: Callable[[Graph], bool],
    each: Each = map,
) -> Report:
    found: list[Finding] = []
    models: list[Model] = []
    problems: list[Problem] = []
    for answer in each(run, jobs):
        problems += answer.problems
        if answer.graph is not None:
            models.append(cost.model_report(answer.graph))
            if judged(answer.graph):
                judgement, failures = _judged(answer.graph)
                found += (f for f in selected(judgement, config) if not is_suppressed(f))
                problems += failures
    return Report(tuple(merged(found)), tuple(models), tuple(problems))


def findings(graph: Graph) -> list[Finding]:
    """What all rules that a run decides find in a graph, each finding with the target that it is about."""
    return _explained([f for rule in decided_by("run") for f in rule.check(graph)], graph)


def _judged(graph: Graph) -> tuple[list[Finding], list[Problem]]:
    """The same; a rule that fails is a problem, and leaves the others their findings."""
    found: list[Finding] = []
    problems: list[Problem] = []
    for rule in decided_by("run"):
        try:
            found += rule.check(graph)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user's model is not to blame
            text = (
                f"the rule {rule.code} failed: {type(error).__name__}: {error}; please report this"
            )
            problems.append(
                Problem("internal", text, target=graph.target, traceback=traceback.format_exc())
            )
    return _explained(found, graph), problems


def _explained(found: list[Finding], graph: Graph) -> list[Finding]:
    return [replace(finding, target=graph.target) for finding in without_explained(found)]
