"""A run of models in a separate process: the request is a line of JSON on stdin, the response one on stdout.

It does the same as ``convlint check`` and ``convlint suggest``. The server ends it and its worker by closing stdin.
"""

from __future__ import annotations

import glob
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence

from convlint.analysis import ops
from convlint.findings import baseline
from convlint.integrations.lsp.shapes import BuiltModule, Result, of_functions, outermost
from convlint.ir import Edit, Finding, Graph, Model, Problem, Shape, Site, Status, Suggestion, serialize
from convlint.pipelines import run_models, suggest
from convlint.pipelines.requests import CheckRequest
from convlint.rewriting.options import SuggestOptions
from convlint.runtime.worker.client import Worker
from convlint.settings import config
from convlint.settings.jobs import Job
from convlint.support.dataclass import dataclass
from convlint.support.errors import UsageError


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The configured models in ``root`` to run, by target, to rewrite the layers of ``call`` or, if None, to check."""

    root: str
    targets: tuple[str, ...]
    baseline: str | None = None
    call: Site | None = None


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model that was run, with its totals, its modules, and what its calls returned."""

    target: str
    status: Status
    params: int
    macs: int
    built: tuple[BuiltModule, ...]
    results: tuple[Result, ...] = ()


@dataclass(frozen=True, slots=True)
class SuggestedRewrite:
    """A verified rewrite. The title says what it does and saves."""

    code: str
    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class RunResponse:
    """The result of a run. ``reasons`` say why there is no rewrite."""

    findings: tuple[Finding, ...] = ()
    models: tuple[ModelSummary, ...] = ()
    problems: tuple[Problem, ...] = ()
    rewrites: tuple[SuggestedRewrite, ...] = ()
    reasons: tuple[str, ...] = ()


def respond(request: RunRequest, worker: Worker) -> RunResponse:
    """Run the models of a request. Raises UsageError."""
    settings = config.discover(request.root)
    chosen = [e.target for e in settings.models if e.target.text in request.targets]
    if not chosen:
        raise UsageError(f"{', '.join(request.targets)} is no longer configured")
    jobs = run_models.jobs(chosen, CheckRequest(), settings)
    if request.call is not None:
        return _suggest(jobs[0], request.call, worker)
    report = run_models.check_models(jobs, worker.run, settings, worker.prove, run_versions=worker.run)
    findings = report.findings
    known = None if request.baseline is None else os.path.join(settings.root, request.baseline)
    if known is not None and os.path.exists(known):
        findings = tuple(baseline.read(known).new_findings(findings, report.texts))
    return RunResponse(findings, tuple(map(summary, report.models)), report.problems)


def summary(model: Model) -> ModelSummary:
    """Return what an editor shows of a model that was run."""
    totals, results = model.totals, tuple(_results(model.graph))
    return ModelSummary(model.target, model.status, totals.params, totals.macs, tuple(_built(model)), results)


def _results(graph: Graph) -> Iterator[Result]:
    """Yield what the calls of modules and of functions of torch returned, up to the first that failed."""
    failed = next((node.id for node in graph.nodes if node.error), len(graph.nodes))
    calls = [call for call in graph.calls if call.stop <= failed and _shapes(graph, call.outputs)]
    layers = [Result(site, call.layer, _shapes(graph, call.outputs)) for call, site in outermost(calls)]
    nodes = [node for node in graph.nodes[:failed] if node.site is not None and node.op not in ops.NOT_CALLS]
    operators = [
        Result(node.site, node.op, tuple(tensor.shape for tensor in node.outputs), is_layer=False)
        for node in nodes
        if node.site is not None and node.outputs
    ]
    yield from layers
    yield from of_functions(operators, layers)


def _shapes(graph: Graph, tensors: Sequence[int]) -> tuple[Shape, ...]:
    return tuple(graph.tensor(id).shape for id in tensors)


def _built(model: Model) -> Iterator[BuiltModule]:
    graph = model.graph
    for layer in graph.layers:
        if layer.site is None:
            continue
        rows = model.layers
        inside = [r for r in rows if r.name == layer.name or not layer.name or r.name.startswith(f"{layer.name}.")]
        macs = [row.macs for row in inside if row.macs is not None]
        called = graph.calls_of(layer.name)
        ids = (called[0].inputs, called[0].outputs) if called else ((), ())
        inputs, outputs = (_shapes(graph, each) for each in ids)
        yield BuiltModule(
            site=layer.site,
            name=layer.name,
            kind=layer.kind,
            calls=len(called),
            inputs=inputs,
            outputs=outputs,
            params=sum(row.params for row in inside),
            macs=sum(macs) if len(macs) == len(inside) else None,
        )


def _suggest(job: Job, call: Site, worker: Worker) -> RunResponse:
    result = worker.run(job)
    names = _names(result.graph, call) if result.graph is not None else ()
    if result.problems or not names:
        text = f"{job.text} does not build a layer with this call"
        return RunResponse(problems=result.problems or (Problem("no-layer", text, call.path, call.line, job.text),))
    options = SuggestOptions(layers=tuple(glob.escape(name) for name in names), prove_all=True)
    report = suggest.suggest(job, worker.run, options)
    of_these = (r for r in report.refusals if set(r.instances) & set(names))
    return RunResponse(
        problems=report.problems,
        rewrites=tuple(SuggestedRewrite(s.code, _title(s), s.edits) for s in report.suggestions),
        reasons=tuple(dict.fromkeys(refusal.reason for refusal in of_these)),
    )


def _names(graph: Graph, call: Site) -> tuple[str, ...]:
    """Return the layers that a call builds, directly or in the functions that it calls."""
    return tuple(
        layer.name
        for layer in graph.layers
        if any(_is_same(site, call) for site in (layer.site, *layer.chain) if site is not None)
    )


def _is_same(first: Site, second: Site) -> bool:
    places = [(os.path.realpath(site.path), site.line, site.column) for site in (first, second)]
    return places[0] == places[1]


def _title(suggestion: Suggestion) -> str:
    names = ", ".join(suggestion.instances[:3]) + (" ..." if len(suggestion.instances) > 3 else "")
    saved, before = suggestion.saved, suggestion.before
    parts = [
        f"{share:.0%} {'fewer' if amount > 0 else 'more'} {what}"
        for amount, whole, what in ((saved.params, before.params, "parameters"), (saved.macs, before.macs, "MACs"))
        if amount and (share := abs(amount) / max(whole, 1))
    ]
    return f"{suggestion.title} for {names}: {', '.join(parts)}"


def main() -> None:
    """Respond to the request in the first line of stdin."""
    request = serialize.decode(RunRequest, json.loads(sys.stdin.buffer.readline()))
    answers = os.dup(1)
    os.dup2(2, 1)
    with Worker() as worker:
        threading.Thread(target=_end_with_the_server, args=[worker], daemon=True).start()
        try:
            response = respond(request, worker)
        except UsageError as error:
            response = RunResponse(problems=(Problem("settings", str(error)),))
        except Exception as error:  # noqa: BLE001 - the server reports an internal error
            text = f"convlint failed: {type(error).__name__}: {error}; please report this"
            response = RunResponse(problems=(Problem("internal", text, traceback=traceback.format_exc()),))
    with open(answers, "w", encoding="ascii") as stream:
        json.dump(serialize.encode(response), stream)


def _end_with_the_server(worker: Worker) -> None:
    """End all processes when the server closes stdin."""
    while os.read(0, 1):
        pass  # nothing follows the request
    worker.close()
    os._exit(1)


if __name__ == "__main__":
    main()
