"""Run versions of a model: rewritten source texts of its project, each in a process of its own.

The worker's child runs no code of the project. It imports the libraries that the project uses once, and forks a process
for each version.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from functools import partial

import torch
from torch import nn

from convlint.ir import Graph, ModelVersion, Problem, VersionRun, serialize
from convlint.runtime import consequences, model_run, other_calls
from convlint.runtime.build import construction_sites, load_target, overlay
from convlint.runtime.data import evidence
from convlint.runtime.failures import ProblemError, failure_of, one_line
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.isolation import silent
from convlint.runtime.measure import memory, timing
from convlint.runtime.record.record import record, training_flags_restored
from convlint.runtime.record.shapes_only import ShapesOnly, without_computing
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.weights import checkpoint
from convlint.runtime.weights.replace_layers import replace_layers
from convlint.runtime.worker import processes
from convlint.runtime.worker.client import JobResult
from convlint.settings.jobs import Job, VersionsJob
from convlint.source_text.packages import is_installed
from convlint.support.dataclass import replace

_LARGE = 1 << 27  # bytes of parameters, beyond which the processes of a version run one after the other


def run_versions(asked: VersionsJob, enter: Callable[[str], None] = lambda _: None) -> JobResult:
    """Run every version of a job. A version that crashes its process only affects its own result."""
    model_run.prepare_process()
    enter("import")
    _import(asked.libraries)
    enter("forward")
    first, *others = asked.versions
    tried = [_in_a_fork(first, asked.job)]
    if others:
        _import(tried[0].libraries)
    return JobResult(tried=(*tried, *[_in_a_fork(version, asked.job) for version in others]))


def _in_a_fork(version: ModelVersion, job: Job) -> VersionRun:
    return _Fork(partial(_in_the_fork, version, job), job.timeout).result()


def _import(names: Sequence[str]) -> None:
    """Import modules that the next versions share."""
    for name in names:
        with suppress(Exception), silent():  # the version that needs it reports the error
            importlib.import_module(name)


class _Fork:
    """A process of its own for ``run``, with a time limit in seconds."""

    def __init__(self, run: Callable[[], VersionRun], limit: float) -> None:
        self._limit = limit
        self._pipe, written = os.pipe()
        processes.flush()  # otherwise both processes would print what is buffered
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            try:
                answer = run()
            except BaseException as error:  # what called this must not go on in a second process
                answer = _failed("does-not-run", f"{type(error).__name__}: {one_line(error)}")
            processes.flush()
            with os.fdopen(written, "wb") as pipe:
                pipe.write(json.dumps(serialize.encode(answer)).encode())
            os._exit(0)
        os.close(written)

    def result(self) -> VersionRun:
        """Wait for the result."""
        data = _read_all(self._pipe, self._limit)
        os.close(self._pipe)
        if data is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            return _failed("timeout", f"it took more than {self._limit:g} s; --timeout sets the limit")
        status = os.waitpid(self._pid, 0)[1]
        if os.WIFSIGNALED(status) or not data:
            return VersionRun(problems=(processes.exit_problem(status, "it"),))
        tried: VersionRun = serialize.decode(VersionRun, json.loads(data))
        return tried


def _read_all(pipe: int, timeout: float) -> bytes | None:
    """Read a pipe until it is closed; None at the time limit (in seconds)."""
    until = time.monotonic() + timeout
    data = bytearray()
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        read = os.read(pipe, 1 << 20)
        if not read:
            return bytes(data)
        data += read


def _in_the_fork(version: ModelVersion, job: Job) -> VersionRun:
    try:
        with overlay.files_replaced(version.texts):
            return _run_version(version, job)
    except ProblemError as error:
        return VersionRun(problems=(error.problem,))
    except SystemExit as error:
        return _failed("exit", f"it called sys.exit({error.code!r})")
    except MemoryError:
        return _failed("out-of-memory", "it ran out of memory")
    except Exception as error:
        failure = failure_of(error, "constructor")
        place = f" at {failure.site}" if failure.site else ""
        text = f"it fails to build{place}: {failure.type}: {failure.message}"
        return VersionRun(problems=(Problem("does-not-run", text, traceback=failure.traceback),))
    except BaseException as error:
        return _failed("exit", f"it raised {type(error).__name__}: {one_line(error)}")


def _failed(kind: str, message: str) -> VersionRun:
    return VersionRun(problems=(Problem(kind, message),))


def run_live_versions(model: nn.Module, asked: VersionsJob, inputs: Inputs | None) -> JobResult:
    """Run versions of a live model: copies with layers replaced. The model itself does not change."""
    try:
        with model_run.live(model, asked.job, inputs) as (original, arguments):
            return JobResult(tried=tuple(_run_live_version(original, arguments, v, asked.job) for v in asked.versions))
    except ProblemError as error:
        return JobResult(problems=(error.problem,))


def _run_live_version(model: nn.Module, inputs: Inputs, version: ModelVersion, job: Job) -> VersionRun:
    if version.runs:
        return VersionRun(timings=timing.timings(copy.deepcopy(model), inputs, version.replacements, version.runs))
    try:
        return _run(replace_layers(copy.deepcopy(model), version.replacements), inputs, version, job)
    except Exception as error:
        return _failed("does-not-run", f"{type(error).__name__}: {one_line(error)}")


def _run_version(version: ModelVersion, job: Job) -> VersionRun:
    """Build and run the model from the replaced source files. Raises what the model raises."""
    before = set(sys.modules)
    if version.trial:
        return VersionRun(_tried(job), libraries=tuple(_libraries(before)))
    with silent() if version.texts else nullcontext():  # the original version has printed it already
        with construction_sites.WatchedConstruction():
            make = load_target.constructor_call(load_target.find_object(job.target, job.root), job.target)
            with model_run.device_of_job(job):
                value = make()
        model = model_run.configured_model(value, job)
        inputs = model_run.inputs_of(model, job)
    if version.runs:
        return VersionRun(timings=timing.timings(model, inputs, version.replacements, version.runs))
    if version.study or version.data is not None:
        with silent():
            return evidence.run(model, version, job)
    probing = _Probing(model, inputs, version, job) if version.probes else None
    run = replace(_run(model, inputs, version, job), libraries=tuple(_libraries(before)))
    return replace(run, probes=probing.errors()) if probing is not None else run


class _Probing:
    """The probes of a version in a process of its own: while the version runs, or before, if both need much memory."""

    def __init__(self, model: nn.Module, inputs: Inputs, version: ModelVersion, job: Job) -> None:
        self._run = partial(_probe, model, inputs, version)
        self._names, self._limit = version.probes, job.timeout
        self._fork = _Fork(partial(self._run, self._names), self._limit)
        self._tried = self._fork.result() if sum(p.nbytes for p in model.parameters()) > _LARGE else None

    def errors(self) -> dict[str, str]:
        """The error of each; if their process ended, each is tried in a process of its own."""
        tried = self._tried or self._fork.result()
        if not tried.problems:
            return dict(tried.probes)
        found = {}
        for name in self._names:
            tried = _Fork(partial(self._run, [name]), self._limit).result()
            ended = [f"its process ended: {problem.message}" for problem in tried.problems]
            found[name] = ended[0] if ended else tried.probes[name]
        return found


def _probe(model: nn.Module, inputs: Inputs, version: ModelVersion, names: Sequence[str]) -> VersionRun:
    torch.set_num_threads(1)  # those of the process that this one was forked from are not in it
    return VersionRun(probes=consequences.run(model, inputs, names, version.texts))


def _run(model: nn.Module, inputs: Inputs, version: ModelVersion, job: Job) -> VersionRun:
    """Record and measure a version's model."""
    errors = checkpoint.load_into(model, version) if version.weights is not None else {}
    graph = record(model, inputs.args, inputs.kwargs, target=job.target.text).graph()
    graph = replace(graph, input_source=inputs.source, batch_size=inputs.batch_size)
    if graph.failure is not None or any(node.error for node in graph.nodes):
        return VersionRun(graph)
    with silent():
        graph = memory.with_memory(graph, model, inputs.args, inputs.kwargs, peak=not version.texts)
        error, untrained = _training_step(model, inputs)
        others = tuple(other_calls.run(version.other_calls, inputs, job))
    return VersionRun(graph, (), error, untrained, others, (), errors)


def _tried(job: Job) -> Graph:
    """Build the model and record a forward, with stand-ins for constructors and calls that fail."""
    with silent():
        value = model_run.build(lambda: load_target.find_object(job.target, job.root), symbolic=False)
        make = load_target.constructor_call(value, job.target)
        try:
            with model_run.device_of_job(job):
                built = model_run.build(make, symbolic=False)
        except ProblemError:
            raise
        except Exception as error:
            return Graph(job.target.text, "failed", failure=failure_of(error, "constructor"))
        model = model_run.configured_model(built, job)
        inputs = model_run.inputs_of(model, job)
        recording = record(model, inputs.args, inputs.kwargs, train=job.train, target=job.target.text)
    return replace(recording.graph(), input_source=inputs.source, batch_size=inputs.batch_size)


def _libraries(before: set[str]) -> Iterator[str]:
    """The modules of installed packages that were imported after ``before``."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if name not in before and isinstance(place, str) and is_installed(place):
            yield name


def _training_step(model: nn.Module, inputs: Inputs) -> tuple[str | None, tuple[str, ...]]:
    """Run a forward in train mode and its backward: the error, and the parameters that receive no gradient."""

    def step(*, compute: bool) -> tuple[str | None, tuple[str, ...]]:
        with ShapesOnly(compute=compute):
            error, untrained = _tried_step(model, inputs)
        if error is not None and not compute:
            raise ValueError(error)  # it may be one of the zeros
        return error, untrained

    return without_computing(step)


def _tried_step(model: nn.Module, inputs: Inputs) -> tuple[str | None, tuple[str, ...]]:
    error: str | None = None
    for batch in (inputs, inputs.map(lambda t: torch.cat((t, t)) if t.dim() else t)):  # norms reject a single value
        model.zero_grad(set_to_none=True)
        try:
            with training_flags_restored(model), torch.enable_grad():
                model.train()
                result = model(*batch.args, **batch.kwargs)
                losses = [t.float().sum() for t in tensors_in(result) if t.requires_grad]
                torch.stack(losses).sum().backward()
        except Exception as raised:
            error = error or f"{type(raised).__name__}: {one_line(raised)}"
            continue
        wanted = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        return None, tuple(name for name, parameter in wanted if parameter.grad is None)
    return error, ()
