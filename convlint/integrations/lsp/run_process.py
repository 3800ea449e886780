"""One run of models, in a process of its own: asked for in a line of JSON on stdin, answered in one on stdout.

It does what ``convlint check`` and ``convlint suggest`` do. The server that started it goes on meanwhile, and ends it
by closing its stdin; then the worker and what that runs end, too.
"""

from __future__ import annotations

import glob
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from convlint.findings import baseline
from convlint.ir import (
    Edit,
    Finding,
    Graph,
    Model,
    Problem,
    Shape,
    Site,
    Status,
    Suggestion,
    serialize,
)
from convlint.pipelines import run_models, suggest
from convlint.pipelines.requests import CheckRequest
from convlint.rewriting.options import Options
from convlint.runtime.worker.client import Worker
from convlint.settings import config
from convlint.settings.jobs import Job
from convlint.support.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asked:
    """Which configured models of the project in ``root`` to run, by their targets as they are written there.

    ``call`` is where the layers are built that cheaper ones are looked for; None: nothing is suggested.
    """

    root: str
    targets: tuple[str, ...]
    baseline: str | None = None
    call: Site | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """A module that a run built at ``site``, with all that is in it. Shapes are those of its first call."""

    site: Site
    name: str
    kind: str
    calls: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    params: int
    macs: int | None


@dataclass(frozen=True, slots=True)
class Ran:
    """One model that was run. ``macs`` are those of all its layers."""

    target: str
    status: Status
    params: int
    macs: int
    built: tuple[Built, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A rewrite that was verified: what it does, what that saves, and its edits."""

    code: str
    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. ``reasons`` say why nothing cheaper is offered."""

    findings: tuple[Finding, ...] = ()
    models: tuple[Ran, ...] = ()
    problems: tuple[Problem, ...] = ()
    offers: tuple[Offer, ...] = ()
    reasons: tuple[str, ...] = ()


def answer(asked: Asked, worker: Worker) -> Answer:
    """Run what is asked for. Raises UsageError."""
    settings = config.discover(asked.root)
    chosen = [e.target for e in settings.models if e.target.text in asked.targets]
    if not chosen:
        missing = ", ".join(asked.targets)
        raise UsageError(f"{missing} is not among the configured models any more")
    jobs = run_models.jobs(chosen, CheckRequest(), settings)
    if asked.call is not None:
        return _suggested(jobs[0], asked.call, worker)
    report = run_models.check_models(jobs, worker.run, settings, worker.prove)
    found = report.findings
    known = None if asked.baseline is None else os.path.join(settings.root, asked.baseline)
    if known is not None and os.path.exists(known):
        found = tuple(baseline.read(known).new_findings(found, report.texts))
    return Answer(found, tuple(map(_ran, report.models)), report.problems)


def _ran(model: Model) -> Ran:
    totals = model.totals
    built = tuple(_built(model))
    return Ran(model.target, model.status, totals.params, totals.macs, built)


def _built(model: Model) -> Iterator[Built]:
    graph = model.graph
    for layer in graph.layers:
        if layer.site is None:
            continue
        inside = [row for row in model.layers if _is_in(row.name, layer.name)]
        macs = [row.macs for row in inside if row.macs is not None]
        called = graph.calls_of(layer.name)
        ids = (called[0].inputs, called[0].outputs) if called else ((), ())
        inputs, outputs = (tuple(graph.tensor(id).shape for id in each) for each in ids)
        yield Built(
            site=layer.site,
            name=layer.name,
            kind=layer.kind,
            calls=len(called),
            inputs=inputs,
            outputs=outputs,
            params=sum(row.params for row in inside),
            macs=sum(macs) if len(macs) == len(inside) else None,
        )


def _is_in(name: str, module: str) -> bool:
    return name == module or not module or name.startswith(f"{module}.")


# --- suggestions


def _suggested(job: Job, call: Site, worker: Worker) -> Answer:
    ran = worker.run(job)
    names = _names(ran.graph, call) if ran.graph is not None else ()
    if ran.problems or not names:
        text = f"{job.text} builds no layer with this call"
        problem = Problem("no-layer", text, call.path, call.line, job.text)
        return Answer(problems=ran.problems or (problem,))
    layers = tuple(glob.escape(name) for name in names)
    report = suggest.suggest(job, worker.run, Options(layers=layers))
    of_these = (r for r in report.refusals if set(r.instances) & set(names))
    return Answer(
        problems=report.problems,
        offers=tuple(Offer(one.code, _title(one), one.edits) for one in report.suggestions),
        reasons=tuple(dict.fromkeys(refusal.reason for refusal in of_these)),
    )


def _names(graph: Graph, call: Site) -> tuple[str, ...]:
    """The layers that a call builds, itself or on the way."""
    return tuple(
        layer.name
        for layer in graph.layers
        if any(_is_same(site, call) for site in (layer.site, *layer.chain) if site is not None)
    )


def _is_same(one: Site, other: Site) -> bool:
    places = [(os.path.realpath(site.path), site.line, site.column) for site in (one, other)]
    return places[0] == places[1]


def _title(one: Suggestion) -> str:
    names = ", ".join(one.instances[:3]) + (" ..." if len(one.instances) > 3 else "")
    saved, before = one.saved, one.before
    parts = [
        f"{share:.0%} {'fewer' if amount > 0 else 'more'} {what}"
        for amount, whole, what in (
            (saved.params, before.params, "parameters"),
            (saved.macs, before.macs, "MACs"),
        )
        if amount and (share := abs(amount) / max(whole, 1))
    ]
    return f"{one.title} for {names}: {', '.join(parts)}"


# --- the process


def main() -> None:
    """Answer what stands in the first line of stdin, and end."""
    asked = serialize.decode(Asked, json.loads(sys.stdin.buffer.readline()))
    answers = os.dup(1)
    os.dup2(2, 1)
    with Worker() as worker:
        threading.Thread(target=_end_with_the_server, args=[worker], daemon=True).start()
        try:
            made = answer(asked, worker)
        except UsageError as error:
            made = Answer(problems=(Problem("settings", str(error)),))
        except Exception as error:  # noqa: BLE001 - a mistake of ours is told by the server
            text = f"convlint failed: {type(error).__name__}: {error}; please report this"
            trace = traceback.format_exc()
            made = Answer(problems=(Problem("internal", text, traceback=trace),))
    with open(answers, "w", encoding="ascii") as stream:
        json.dump(serialize.encode(made), stream)


def _end_with_the_server(worker: Worker) -> None:
    """Wait until nobody waits for the answer any more, and end everything at once."""
    while os.read(0, 1):
        pass  # nothing is said behind the line that asks
    worker.close()
    os._exit(1)


if __name__ == "__main__":
    main()
